"""Group images: what the library does to image files, beside the plain copy of the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Row, benchmark, paired, repeated
from sample import grown, padded, sample, tool

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.module_utils._image.convert import convert
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

GIB = 1 << 30
MAX_LAYOUT = 1.2
MAX_REFLINK = 0.3  # seconds
MAX_VIRTUAL = 1.3

_RUNNER = PopenRunner()


def fresh(*paths: Path) -> Callable[[], None]:
    """Return what removes files and waits until the disk is idle."""

    def prepare() -> None:
        for path in paths:
            path.unlink(missing_ok=True)
        os.sync()

    return prepare


def lay_out(source: Path, disk: Path, size: int) -> None:
    """Make a disk, on the disk."""
    layout.build(_RUNNER, layout.plan(_RUNNER, str(source), size), str(disk))
    os.sync()


def beside_copy(name: str, folder: Path, source: Path, size: int) -> Row:
    """Measure a layout, its filesystem checked and grown, beside a copy."""
    disk, copy = folder / "disk.raw", folder / "copy.raw"

    def copied() -> None:
        tool("cp", "--sparse=always", source, copy)
        os.sync()

    times = paired(lambda: lay_out(source, disk, size), copied, prepare=fresh(disk, copy))
    median, beside_median, ratio = times
    return Row(name, median, MAX_LAYOUT, beside="cp --sparse=always", beside_median=beside_median, ratio=ratio)


@benchmark("images", "layout")
def of_the_sample(folder: Path) -> Row:
    """Partition image to a disk of 4 GiB."""
    return beside_copy("layout", folder, sample(), 4 * GIB)


@benchmark("images", "layout, 100 GiB virtual")
def of_a_large_one(folder: Path) -> Row:
    """The same, the filesystem having 100 GiB, the disk 104."""
    return beside_copy("layout, 100 GiB virtual", folder, grown(folder / "large.img", 100 * GIB), 104 * GIB)


@contextmanager
def reflinks(folder: Path) -> Iterator[Path]:
    """Give a folder on an xfs that shares extents; making it needs root."""
    image, place = folder / "xfs.img", folder / "xfs"
    image.touch()
    os.truncate(image, 8 * GIB)
    tool("mkfs.xfs", "-q", "-m", "reflink=1", image)
    place.mkdir()
    tool("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        tool("umount", place)


@benchmark("images", "layout, xfs with reflinks")
def of_shared_extents(folder: Path) -> Row:
    """Partition image to a disk on a filesystem that shares extents."""
    with reflinks(folder) as place:
        source, disk = place / "source.img", place / "disk.raw"
        tool("cp", "--sparse=always", sample(), source)
        median = repeated(lambda: lay_out(source, disk, 4 * GIB), prepare=fresh(disk))
    return Row("layout, xfs with reflinks", median, MAX_REFLINK)


@benchmark("images", "1 TiB virtual")
def of_size(folder: Path) -> Row:
    """All that reads or writes a whole image: the same data in files of 1 TiB and of 10 GiB."""
    outputs = [folder / name for name in ("disk.raw", "image.qcow2", "again.raw")]
    disk, packed, again = outputs

    def whole(source: Path) -> Callable[[], None]:
        def work() -> None:
            _release.identify_source(str(source))
            lay_out(source, disk, 4 * GIB)
            convert(_RUNNER, str(source), str(packed), Output("qcow2"))
            convert(_RUNNER, str(packed), str(again), Output())
            os.sync()

        return work

    large, small = whole(padded(folder / "large.img", 1024 * GIB)), whole(padded(folder / "small.img", 10 * GIB))
    median, beside_median, ratio = paired(large, small, prepare=fresh(*outputs))
    return Row("1 TiB virtual", median, MAX_VIRTUAL, beside="10 GiB virtual", beside_median=beside_median, ratio=ratio)


@benchmark("images", "layout, disk of 1 TiB")
def of_a_large_disk(folder: Path) -> Row:
    """Partition image to disks that its filesystem grows to fill, and on which it is checked."""
    disk = folder / "disk.raw"
    median, beside_median, ratio = paired(
        lambda: lay_out(sample(), disk, 1024 * GIB), lambda: lay_out(sample(), disk, 10 * GIB), prepare=fresh(disk)
    )
    return Row(
        "layout, disk of 1 TiB", median, MAX_VIRTUAL, beside="of 10 GiB", beside_median=beside_median, ratio=ratio
    )
