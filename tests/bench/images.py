"""Group images: what the library does to image files, beside the plain copy of the same bytes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from measure import Row, benchmark, paired
from sample import sample

from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

DISK_SIZE = 4 << 30


@benchmark("images", "layout")
def lay_out(folder: Path) -> Row:
    """Partition image to disk image, its filesystem checked, grown and on the disk."""
    runner = PopenRunner()
    source = sample()
    disk, copy = folder / "disk.raw", folder / "copy.raw"

    def prepare() -> None:
        for path in (disk, copy):
            path.unlink(missing_ok=True)
        os.sync()

    def build() -> None:
        layout.build(runner, layout.plan(runner, str(source), DISK_SIZE), str(disk))
        os.sync()

    def copied() -> None:
        subprocess.run(["cp", "--sparse=always", source, copy], check=True)
        os.sync()

    median, beside_median, ratio = paired(build, copied, prepare=prepare)
    return Row("layout", median, 1.5, beside="cp --sparse=always", beside_median=beside_median, ratio=ratio)
