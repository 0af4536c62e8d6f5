"""Small real images, made by the real tools."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import copy_range
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table, Wish, arrange

MIB = 1 << 20
UUID = "0f2c4a6e-1111-4222-8333-944455566677"
EFI_DISK_SYSTEM = 2 * MIB  # where make_efi_disk's partitions begin
EFI_DISK_ROOT = 10 * MIB
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def tool(*argv: str | Path, data: bytes = b"", accept: tuple[int, ...] = (0,)) -> str:
    """Run a program outside the library and return what it printed."""
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    done = subprocess.run([str(word) for word in argv], input=data, capture_output=True, check=False, env=environment)
    assert done.returncode in accept, done.stdout + done.stderr
    return done.stdout.decode("utf-8", "surrogateescape")


def plan_single(disk_size: int) -> Table:
    """Plan a DOS table with one bootable Linux partition on a disk of `disk_size` bytes."""
    return arrange("dos", [Wish("root", 0)], disk_size)


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


def make_endless_ext(path: Path, tree: Path | None = None) -> Path:
    """Make an ext filesystem that can be read, but on which e2fsck -fn starts anew and prints for ever.

    The last group has no inode table, and its superblock is no backup. e2fsck 1.47 (pass1.c,
    handle_fs_bad_blocks) finds a place for the table, which it may not write down, and restarts.
    """
    make_ext(path, tree, size=MIB * 4, kind="ext2", options=("-O", "none", "-b", "1024", "-g", "1024"))
    group = 3  # the last one of 1024 blocks; the first one begins at block 1
    with path.open("r+b") as file:
        file.seek(2 * 1024 + group * 32 + 8)  # bg_inode_table_lo of its descriptor
        file.write(bytes(4))
        for backup in (1, 2, group):
            file.seek((1 + backup * 1024) * 1024 + 56)
            file.write(bytes(2))
    return path


def make_disk(path: Path, *filesystems: Path) -> Path:
    """Make a DOS disk image whose partitions hold filesystem images, one after the other.

    The table is written here: sfdisk waits for the disk at every call.
    """
    entries, offset = [], MIB
    with path.open("w+b") as disk:
        for number, filesystem in enumerate(filesystems):
            size = filesystem.stat().st_size
            length = -(-size // MIB) * MIB
            status = 0x80 if number == 0 else 0
            entries.append(
                struct.pack("<B3sB3sII", status, bytes(3), 0x83, bytes(3), offset // 512, length // 512),
            )
            disk.truncate(offset + length)
            with filesystem.open("rb") as source:
                copy_range(source.fileno(), disk.fileno(), source_offset=0, target_offset=offset, length=size)
            offset += length
        disk.seek(446)
        disk.write(b"".join(entries).ljust(64, b"\0") + b"\x55\xaa")
    return path


def make_xfs_head(path: Path, *, size: int = 16 * MIB, incompatible: int = 0x3) -> Path:
    """Make a file that begins as an XFS does: enough for those who only read superblocks."""
    block = bytearray(512)
    struct.pack_into(">4sIQ", block, 0, b"XFSB", 4096, size // 4096)
    block[32:48] = bytes(range(1, 17))
    struct.pack_into(">H", block, 100, 0xB4A5)  # version 5
    struct.pack_into(">I", block, 216, incompatible)
    path.write_bytes(bytes(block))
    os.truncate(path, size)
    return path


def make_efi_disk(path: Path, filesystem: Path, label: str = "gpt") -> Path:
    """Make a disk image whose last partition holds a filesystem image, behind an EFI system partition of 8 MiB.

    A GPT has a BIOS boot partition of 1 MiB before both.
    """
    length = -(-filesystem.stat().st_size // MIB) * MIB
    types = {
        "gpt": ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
        "dos": ("ef", "83"),
    }[label]
    lines = [f"label: {label}", f"start=4096, size=16384, type={types[0]}", f"start=20480, type={types[1]}"]
    if label == "gpt":
        lines.insert(1, "start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649")
    else:
        lines.insert(1, "")
    with filesystem.open("rb") as source, path.open("w+b") as disk:
        disk.truncate(EFI_DISK_ROOT + length + MIB)
        size = os.fstat(source.fileno()).st_size
        copy_range(source.fileno(), disk.fileno(), source_offset=0, target_offset=EFI_DISK_ROOT, length=size)
    tool("sfdisk", "--quiet", "--wipe=never", path, data="\n".join(lines).encode() + b"\n")
    tool("mformat", "-i", f"{path}@@{EFI_DISK_SYSTEM}", "-T", "16384", "-h", "1", "-s", "1", "::")
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
