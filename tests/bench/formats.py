"""Group images: conversions, each beside the best command line of qemu-img or a decompressor for it."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from measure import Row, benchmark, paired
from sample import grown, sample

from ansible_collections.voc.cluster.plugins.module_utils._image import convert
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import FORMATS
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

LIMIT = 1.1
GIB = 1 << 30
LARGE = 100 * GIB


def register(source_format: str, target_format: str, size: int | None = None) -> None:
    """Add the row of one pair of formats, for the sample or for a copy of it with `size` bytes."""
    name = f"{source_format} -> {target_format}" + (f", {size // GIB} GiB virtual" if size else "")

    @benchmark("images", name)
    def pair(folder: Path) -> Row:
        runner = PopenRunner()
        raw, source, ours, theirs = (folder / word for word in ("raw", "source", "ours", "theirs"))
        convert.convert(runner, str(grown(raw, size) if size else sample()), str(source), Output(source_format))
        output = Output(target_format)
        options = ",".join(f"{key}={value}" for key, value in output.qemu_options())
        # Neither -W nor another cache mode than the default is faster for all, and -m only for raw sources.
        command = [
            *("qemu-img", "convert", *(["-m", "2"] if source_format == "raw" else [])),
            *("-f", FORMATS[source_format].driver, "-O", FORMATS[target_format].driver),
            *(["-o", options] if options else []),
            *(source, theirs),
        ]
        return compare(
            name,
            lambda: convert.convert(runner, str(source), str(ours), output),
            "qemu-img convert",
            lambda: subprocess.run(command, check=True),
            (ours, theirs),
        )


def compare(
    name: str, ours: Callable[[], object], beside: str, theirs: Callable[[], object], outputs: tuple[Path, ...]
) -> Row:
    """Measure two ways to write a file; both end when it is on the disk."""

    def prepare() -> None:
        for path in outputs:
            path.unlink(missing_ok=True)
        os.sync()

    def synced(step: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            step()
            os.sync()

        return run

    median, beside_median, ratio = paired(synced(ours), synced(theirs), prepare=prepare)
    return Row(name, median, LIMIT, beside=beside, beside_median=beside_median, ratio=ratio)


for one, other in itertools.permutations(FORMATS, 2):
    register(one, other)
register("raw", "qcow2", LARGE)
register("qcow2", "raw", LARGE)


@benchmark("images", "gzip -> raw")
def unpack(folder: Path) -> Row:
    """Unpack to a sparse file, beside pigz into one."""
    runner = PopenRunner()
    packed, ours, theirs = folder / "packed.gz", folder / "ours", folder / "theirs"
    with packed.open("wb") as file:
        subprocess.run(["pigz", "-c", sample()], stdout=file, check=True)
    pipe = f"pigz -dc {packed} | dd of={theirs} bs=1M iflag=fullblock conv=sparse status=none"
    return compare(
        "gzip -> raw",
        lambda: convert.convert(runner, str(packed), str(ours), Output()),
        "pigz -dc | dd conv=sparse",
        lambda: subprocess.run(["sh", "-c", pipe], check=True),
        (ours, theirs),
    )
