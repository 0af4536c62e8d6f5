"""Real headers, tables and superblocks with changed bytes or cut short: an answer or a sentence, and in time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _inspect
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import allocation, contents, convert, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_efi_disk, make_ext, plant, tool

FORMATS = [
    ("qcow2", None),
    ("vmdk", "monolithicSparse"),
    ("vmdk", "streamOptimized"),
    ("vdi", None),
    ("vhd", "dynamic"),
    ("vhd", "fixed"),
    ("vhdx", "dynamic"),
]

# Numbers that a header's fields are most likely to be misread at.
EXTREMES = [b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\x80" + bytes(7), bytes(7) + b"\x80"]
Patches = list[tuple[int, bytes]]


def patches(limit: int) -> st.SearchStrategy[Patches]:
    """Make up what is written where, within the first `limit` bytes."""
    data = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(EXTREMES))
    return st.lists(st.tuples(st.integers(0, limit), data), min_size=1, max_size=6)


def mutated(content: bytes, changes: Patches, cut: int | None) -> bytes:
    """Return content with these changes, of which all that lie outside are left out."""
    new = bytearray(content)
    for offset, data in changes:
        if offset + len(data) <= len(new):
            new[offset : offset + len(data)] = data
    return bytes(new[:cut])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> dict[tuple[str, str | None], bytes]:
    folder = tmp_path_factory.mktemp("images")
    raw = folder / "raw"
    with raw.open("wb") as file:
        file.write(os.urandom(200_000))
        file.truncate(4 * MIB)
    made = {}
    for form, subformat in FORMATS:
        convert.convert(runner, str(raw), str(folder / "out"), Output(form, subformat))
        made[form, subformat] = (folder / "out").read_bytes()
    return made


@contextmanager
def answer_or_sentence() -> Iterator[None]:
    """Let something answer, or say in one sentence why not."""
    try:
        yield
    except ImageError as error:
        if not str(error).isprintable():
            raise AssertionError("the sentence is not printable") from error


# Where each format has what is worth changing: headers, tables, metadata.
PLACES = {
    "qcow2": [0, 64 << 10, 128 << 10, 192 << 10, 256 << 10],
    "vmdk": [0, 512, 21 * 512, 22 * 512, 30 * 512, 31 * 512],
    "vdi": [0, 0x150, 512],
    "vhd": [0, 512, 1536],
    "vhdx": [64 << 10, 128 << 10, 192 << 10, 256 << 10, 1 << 20, 2 << 20, 3 << 20, (3 << 20) + (64 << 10)],
}


@settings(max_examples=60)
@given(data=st.data(), kind=st.sampled_from(FORMATS), cut=st.one_of(st.none(), st.integers(0, 5 << 20)))
def test_a_mutated_image_is_accepted_or_refused(images, tmp_path_factory, data, kind, cut) -> None:
    base = data.draw(st.sampled_from(PLACES[kind[0]]))
    changes = [(base + offset, each) for offset, each in data.draw(patches(600))]
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(mutated(images[kind], changes, cut))
    with answer_or_sentence():
        found = convert.examine(str(path))
        allocation.require_held(str(found.probe.container), str(path))
        assert found.virtual_size is None or 0 < found.virtual_size <= convert.MAX_VIRTUAL_SIZE


@settings(max_examples=5, deadline=None)
@given(data=st.data(), kind=st.sampled_from(FORMATS))
def test_a_mutated_image_is_converted_or_refused(images, runner: Runner, tmp_path_factory, data, kind) -> None:
    """What passes our own checks goes to qemu-img: its output is never larger than what was examined."""
    base = data.draw(st.sampled_from(PLACES[kind[0]]))
    changes = [(base + offset, each) for offset, each in data.draw(patches(600))]
    folder = tmp_path_factory.mktemp("mutated")
    path, out = folder / "image", folder / "out" / "disk"
    path.write_bytes(mutated(images[kind], changes, None))
    with answer_or_sentence():
        convert.convert(runner, str(path), str(out), Output(), max_virtual_size=64 * MIB)
    written = [each.stat().st_blocks * 512 for each in out.parent.iterdir()] if out.parent.exists() else []
    assert sum(written) <= path.stat().st_size + 2 * MIB  # the last block of a VHD
    assert len(written) == out.exists()


def _made(*argv: str, size: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)
        tool(*argv, path)

    return make


FILESYSTEMS: dict[str, Callable[[Path], object]] = {
    "ext4": lambda path: make_ext(path, size=MIB),
    "xfs": _made("mkfs.xfs", "-q", "-f", size=320 * MIB),
    "btrfs": _made("mkfs.btrfs", "-q", "-f", size=128 * MIB),
    "swap": _made("mkswap", "-q", size=MIB),
    "vfat": _made("mkfs.vfat", size=MIB),
    "raid": lambda path: path.write_bytes(bytes(4096) + b"\xfc\x4e\x2b\xa9" + bytes(MIB)),
    "nothing": lambda path: path.write_bytes(bytes(MIB)),
}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("filesystems") / "part"
    made = {}
    for name, make in FILESYSTEMS.items():
        make(path)
        with path.open("rb") as file:
            made[name] = file.read(0x11000)
        path.unlink()
    return made


@settings(max_examples=100)
@given(
    data=st.data(),
    kind=st.sampled_from(list(FILESYSTEMS)),
    size=st.one_of(st.just(0x11000), st.integers(1, 0x11000), st.just(1 << 40)),
)
def test_a_mutated_superblock_is_read(heads, tmp_path_factory, data, kind, size) -> None:
    base = 0x10000 if kind == "btrfs" else data.draw(st.sampled_from([0, 1024, 4000]))
    changes = [(base + offset, each) for offset, each in data.draw(patches(1100))]
    path = tmp_path_factory.getbasetemp() / "superblock"
    path.write_bytes(mutated(heads[kind], changes, None))
    os.truncate(path, size)
    found = filesystems.identify(Volume(str(path), 0, size))
    if found:
        assert (found.label or "").isprintable()
        assert found.size is None or found.size >= 0
    with answer_or_sentence():
        seen = contents.look(str(path))
        region = contents.root_region(seen, str(path))
        contents.length(seen, region, str(path))


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("disks")
    part = make_ext(folder / "part", plant(folder / "tree", {"/etc/os-release": "ID=debian\n"}), size=MIB)
    return {
        "dos": make_disk(folder / "dos", part).read_bytes(),
        "gpt": make_efi_disk(folder / "gpt", part).read_bytes(),
        "part": part.read_bytes(),
    }


@settings(max_examples=5, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["dos", "gpt", "part"]))
def test_a_mutated_disk_is_inspected_or_refused(disks, runner: Runner, tmp_path_factory, data, kind) -> None:
    """As image_info does it: tables, superblocks, group descriptors, the guest's folders, the loaders' places."""
    base = data.draw(
        st.sampled_from({"dos": [440, MIB + 1024], "gpt": [440, 512, 1024, 2 * MIB], "part": [1024, 2048]}[kind])
    )
    changes = [(base + offset, each) for offset, each in data.draw(patches(256))]
    path = tmp_path_factory.getbasetemp() / "disk"
    path.write_bytes(mutated(disks[kind], changes, None))
    with answer_or_sentence():
        inspection = _inspect.inspect_raw(runner, str(path))
        assert all(line.isprintable() for line in _inspect.summary(inspection))
