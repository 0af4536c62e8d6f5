"""The images that are measured with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from measure import PeerError

from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

ROOT = Path(__file__).resolve().parents[2]
GIB = 1 << 30
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def tool(*argv: str | Path, **options: object) -> None:
    """Run a program that must succeed; its output is not shown."""
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": _PATH}, **options)


def peer(*argv: str | Path) -> None:
    """Run a program to compare with, which says itself why it fails.

    Raises:
        PeerError: it is not installed, or does not work here; virt-customize for one wants a kernel on this machine.
    """
    try:
        tool(*argv)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise PeerError from error


def sample() -> Path:
    """Return the sample partition image; it is made once and kept."""
    image = ROOT / "build" / "sample" / "starworker_part.img"
    tool(ROOT / "tools" / "make-sample-image", image)
    return image


def kernel_bundle() -> Path:
    """Return a kernel bundle for it; it is made once and kept."""
    bundle = ROOT / "build" / "kernel" / "trixie-linux-image-cloud-amd64.tar.zst"
    tool(ROOT / "tools" / "make-kernel-bundle", bundle)
    return bundle


def padded(path: Path, size: int) -> Path:
    """Make a copy of the sample with a hole behind its filesystem, so that the file has `size` bytes."""
    tool("cp", "--sparse=always", sample(), path)
    os.truncate(path, size)
    return path


def grown(path: Path, size: int) -> Path:
    """Make a copy of the sample whose filesystem has `size` bytes, and hardly more data."""
    tool("cp", "--sparse=always", sample(), path)
    os.truncate(path, size)
    tool("e2fsck", "-f", "-p", path)
    tool("resize2fs", path, stderr=subprocess.DEVNULL)
    return path


def disk(path: Path) -> Path:
    """Make a disk of the sample; libguestfs mounts what its fstab names, and that is a partition of a disk."""
    runner = PopenRunner()
    layout.build(runner, layout.plan(runner, str(sample()), 2 * GIB), str(path))
    return path
