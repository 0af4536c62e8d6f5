"""Group images: what others take for the same work, without a limit; left out where they are not installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from measure import Row, benchmark, repeated
from sample import disk, kernel_bundle, peer, sample, tool

BY_HAND = Path(__file__).resolve().with_name("by_hand.sh")
SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


@benchmark("images", "by hand")
def by_hand(folder: Path) -> Row | None:
    """Do what row "engine" does, but for cleaning and the site's edits, with the paper's commands."""
    if shutil.which("extlinux", path=SYSTEM) is None:
        return None
    source, bundle = sample(), kernel_bundle()
    median = repeated(
        lambda: tool(BY_HAND, source, bundle, folder), prepare=lambda: (folder / "disk.qcow2").unlink(missing_ok=True)
    )
    return Row("by hand (losetup, cp -a, extlinux)", median, None)


@benchmark("images", "virt-customize")
def virt_customize(folder: Path) -> Row:
    """Write one file into an image, which row "engine" does some twenty times."""
    image = disk(folder / "guest.img")
    median = repeated(
        lambda: peer("virt-customize", "-q", "--format", "raw", "-a", image, "--write", "/etc/motd:measured")
    )
    return Row("virt-customize, one file", median, None)
