"""Small real images, made by the real tools."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

MIB = 1 << 20
UUID = "0f2c4a6e-1111-4222-8333-944455566677"
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def tool(*argv: str | Path, data: bytes = b"", accept: tuple[int, ...] = (0,)) -> str:
    """Run a program outside the library and return what it printed."""
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    done = subprocess.run([str(word) for word in argv], input=data, capture_output=True, check=False, env=environment)
    assert done.returncode in accept, done.stdout + done.stderr
    return done.stdout.decode("utf-8", "surrogateescape")


def plant(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder, by their path in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def make_ext(
    path: Path, tree: Path | None = None, *, size: int = 4 * MIB, kind: str = "ext4", options: tuple[str, ...] = ()
) -> Path:
    """Make an image of one ext filesystem that holds a copy of a folder."""
    content = ("-d", tree) if tree else ()
    tool("mke2fs", "-q", "-F", "-t", kind, "-U", UUID, *options, *content, path, f"{size // 1024}k")
    return path


def make_disk(path: Path, filesystem: Path) -> Path:
    """Make a DOS disk image whose one partition holds a filesystem image.

    The table is written here: sfdisk waits for the disk at every call.
    """
    data = filesystem.read_bytes()
    length = -(-len(data) // MIB) * MIB
    entry = struct.pack("<B3sB3sII", 0x80, bytes(3), 0x83, bytes(3), MIB // 512, length // 512)
    with path.open("wb") as disk:
        disk.truncate(MIB + length)
        disk.seek(446)
        disk.write(entry + bytes(48) + b"\x55\xaa")
        disk.seek(MIB)
        disk.write(data)
    return path


def whole(path: Path) -> Volume:
    """Return a file's filesystem as a volume of the library."""
    return Volume(str(path), 0, path.stat().st_size)


def debugfs(image: Path, request: str, *, offset: int = 0, write: bool = False) -> str:
    """Ask debugfs one thing."""
    return tool("debugfs", *(["-w"] if write else []), "-R", request, f"{image}?offset={offset}")


def assert_clean(image: Path, offset: int = 0) -> None:
    """Let e2fsck find nothing to complain about."""
    tool("e2fsck", "-f", "-n", f"{image}?offset={offset}")
