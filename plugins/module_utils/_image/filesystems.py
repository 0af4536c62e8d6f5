# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Filesystems inside image files: recognised by their bytes, checked and grown in place."""

from __future__ import annotations

import os
import struct
import typing as t
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    InputError,
    located,
    printable,
)

_SWAP_PAGE = 4096
_SWAP_MAGIC = b"SWAPSPACE2"

# Where each signature lies, from the filesystems' own documentation.
_SIGNATURES = (
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("squashfs", 0, b"hsqs"),
    ("swap", _SWAP_PAGE - len(_SWAP_MAGIC), _SWAP_MAGIC),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM2_member", 512 + 24, b"LVM2 001"),
    *(("LVM2_member", 512 * sector + 24, b"LVM2 001") for sector in (0, 2, 3)),
    *(("linux_raid_member", offset, b"\xfc\x4e\x2b\xa9") for offset in (0, 4096)),
    ("iso9660", 32769, b"CD001"),
    ("vfat", 82, b"FAT32   "),
    ("vfat", 54, b"FAT16   "),
    ("vfat", 54, b"FAT12   "),
)
_RAID_MAGIC = b"\xfc\x4e\x2b\xa9"
_HEAD = 0x11000  # bytes that tell what a region holds: btrfs' superblock comes last
EXT = ("ext2", "ext3", "ext4")

_EXT_SUPERBLOCK = 1024
_EXT_MAGIC = 0xEF53
_EXT_64BIT = 0x80
_EXT_EXTENTS = 0x40
_EXT_INLINE_DATA = 0x8000
_EXT_HAS_JOURNAL = 0x4
_EXT_NEEDS_RECOVERY = 0x4  # incompatible feature bit of a journal that was not replayed
_EXT_QUOTA = 0x100  # read-only compatible feature bit
_EXT_STATE = 0x1 | 0x2  # unmounted cleanly, has errors

# What no tool here works on, though it may hold a root filesystem: what it is, and what to do.
_CONTAINERS = {
    "LVM2_member": (
        "a physical volume of LVM",
        "activate its volume group on a machine with LVM and give a copy of the root's logical volume",
    ),
    "crypto_LUKS": (
        "an encrypted volume (LUKS)",
        "open it with cryptsetup on a machine that has its key and give a copy of what it holds",
    ),
    "linux_raid_member": (
        "a member of a Linux software RAID (MD)",
        "assemble it with mdadm on another machine and give a copy of the array",
    ),
}

# How to make a filesystem for larger sectors.
_FOR_SECTORS = {
    "xfs": "make it anew with mkfs.xfs -s size={0}",
    "vfat": "take the root out with image_extract and give that and esp, which makes a new EFI system partition",
}
_XFS_WITH_FEATURES = 5

_SMALL_FAT = 260 << 20  # bytes, up to which a FAT32 has clusters of one sector (Microsoft's FAT specification)

_FSCK_CORRECTED = (0, 1, 2)  # man 8 e2fsck, "EXIT CODE"


@dataclass(frozen=True)
class Volume:
    """A region of a raw image file that holds a filesystem; offset and size in bytes."""

    path: str
    offset: int
    size: int

    @property
    def e2fs_name(self) -> str:
        """How e2fsprogs name this region: ``FILE?offset=BYTES``.

        Raises:
            InputError: the file's own name has a ``?``, which they would misread.
        """
        path = os.path.abspath(self.path)
        if "?" in path:
            raise InputError("its name contains a question mark", where=path, hint="rename it")
        return f"{path}?offset={self.offset}"


@dataclass(frozen=True)
class Filesystem:
    """What a superblock says.

    Attributes:
        type: by the names of libblkid: ``ext4``, ``xfs``, ``swap``, ...
        uuid, label: None where the filesystem has none, or they were not read.
        size, free: in bytes; None where they were not read.
        incompatible: the incompatible feature bits of ext and xfs; 0 elsewhere.
        devices: how many devices it is spread over: btrfs' data, or ext with a journal elsewhere.
        block_size: what it reads and writes at once, in bytes, so that its disk can have no larger
            sectors: ext's blocks, sectors of xfs and FAT; None where it is not known.
        quota: whether an ext counts what each user, group or project uses.
        clean: False for an ext that was not left as a whole: by a guest that crashed, or a run that was killed.
        inodes: how many are free, of an ext; None elsewhere.
    """

    type: str
    uuid: str | None = None
    label: str | None = None
    size: int | None = None
    free: int | None = None
    incompatible: int = 0
    devices: int = 1
    block_size: int | None = None
    quota: bool = False
    clean: bool = True
    inodes: int | None = None

    @property
    def is_ext(self) -> bool:
        """Whether e2fsprogs can work on it."""
        return self.type in EXT

    @property
    def has_extents(self) -> bool:
        """Whether the content of each new file lies in extents: not in its inode, nor in blocks that are listed."""
        return self.is_ext and self.incompatible & (_EXT_EXTENTS | _EXT_INLINE_DATA) == _EXT_EXTENTS


def identify(volume: Volume) -> Filesystem | None:
    """Return the filesystem in a region, or None when no signature is known."""
    with open(volume.path, "rb") as file:
        if _ends_in_raid_superblock(file, volume):
            return Filesystem("linux_raid_member")
        file.seek(volume.offset)
        head = file.read(min(volume.size, _HEAD))
    found = parse_ext(head[_EXT_SUPERBLOCK : _EXT_SUPERBLOCK + 1024])
    if found:
        return found
    for name, offset, magic in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return _PARSERS[name](head) if name in _PARSERS else Filesystem(name)
    return None


def _ends_in_raid_superblock(file: t.BinaryIO, volume: Volume) -> bool:
    """Whether MD's superblock is at the end, where the region begins like the filesystem that it mirrors.

    Source: Linux, include/uapi/linux/raid/md_p.h (0.90) and drivers/md/md.c, super_1_load (1.0).
    """
    reserved, sectors = 64 << 10, volume.size // 512
    places = (volume.size // reserved * reserved - reserved, (sectors - 16 & ~7) * 512)
    for place in places:
        if place > 0:
            file.seek(volume.offset + place)
            if file.read(4) == _RAID_MAGIC:
                return True
    return False


def parse_ext(superblock: bytes) -> Filesystem | None:
    """Read an ext2/3/4 superblock (1024 bytes), or return None when it is none.

    Source: Linux, Documentation/filesystems/ext4/super.rst.
    """
    if len(superblock) < 1024 or struct.unpack_from("<H", superblock, 0x38)[0] != _EXT_MAGIC:
        return None
    blocks, free, inodes = struct.unpack_from("<I4xII", superblock, 0x4)
    (block_shift,) = struct.unpack_from("<I", superblock, 0x18)
    (state,) = struct.unpack_from("<H", superblock, 0x3A)
    compatible, incompatible, read_only = struct.unpack_from("<III", superblock, 0x5C)
    if block_shift > 6:  # 64 KiB is the largest block there is
        return None
    if incompatible & _EXT_64BIT:
        blocks |= struct.unpack_from("<I", superblock, 0x150)[0] << 32
        free |= struct.unpack_from("<I", superblock, 0x158)[0] << 32
    (journal,) = struct.unpack_from("<I", superblock, 0xE0)  # its inode
    identity = uuid.UUID(bytes=superblock[0x68:0x78])
    label = superblock[0x78:0x88].split(b"\0")[0].decode("utf-8", "replace")
    older = "ext3" if compatible & _EXT_HAS_JOURNAL else "ext2"
    return Filesystem(
        type="ext4" if incompatible & _EXT_EXTENTS else older,
        uuid=str(identity) if identity.int else None,
        label=printable(label) or None,
        size=blocks << (10 + block_shift),
        free=free << (10 + block_shift),
        incompatible=incompatible,
        devices=2 if compatible & _EXT_HAS_JOURNAL and not journal else 1,
        block_size=1 << (10 + block_shift),
        quota=bool(read_only & _EXT_QUOTA),
        inodes=inodes,
        clean=state & _EXT_STATE == 0x1 and not incompatible & _EXT_NEEDS_RECOVERY,
    )


def parse_xfs(head: bytes) -> Filesystem:
    """Read the start of an XFS (source: Linux, fs/xfs/libxfs/xfs_format.h, struct xfs_dsb)."""
    head = head.ljust(512, b"\0")
    block_size, blocks = struct.unpack_from(">IQ", head, 4)
    (sector_size,) = struct.unpack_from(">H", head, 102)
    (free,) = struct.unpack_from(">Q", head, 144)
    version, incompatible = struct.unpack_from(">H", head, 100)[0] & 0xF, struct.unpack_from(">I", head, 216)[0]
    found = _described("xfs", head[32:48], head[108:120], block_size * blocks, block_size * free)
    return replace(
        found,
        incompatible=incompatible if version == _XFS_WITH_FEATURES else 0,
        block_size=sector_size or None,
    )


def parse_btrfs(head: bytes) -> Filesystem:
    """Read the start of a btrfs (source: Linux, include/uapi/linux/btrfs_tree.h, struct btrfs_super_block)."""
    block = head[0x10000:].ljust(4096, b"\0")
    size, used, devices = struct.unpack_from("<QQ8xQ", block, 0x70)
    (own_size,) = struct.unpack_from("<Q", block, 0xD1)  # this device's, in its dev_item
    found = _described("btrfs", block[0x20:0x30], block[0x12B:0x22B], own_size or size, max(size - used, 0))
    return replace(found, devices=devices or 1)


def parse_swap(head: bytes) -> Filesystem:
    """Read the start of a swap area (source: Linux, include/linux/swap.h, union swap_header)."""
    head = head.ljust(_SWAP_PAGE, b"\0")
    (last_page,) = struct.unpack_from("<I", head, 1028)
    return _described("swap", head[1036:1052], head[1052:1068], (last_page + 1) * _SWAP_PAGE, 0)


def parse_fat(head: bytes) -> Filesystem:
    """Read what identifies a FAT (source: Microsoft, FAT32 File System Specification, 3.1 to 3.3)."""
    (sector_size,) = struct.unpack_from("<H", head.ljust(512, b"\0"), 11)
    start = 67 if head[82:90] == b"FAT32   " else 39
    (serial,) = struct.unpack_from("<I", head.ljust(512, b"\0"), start)
    label = printable(head[start + 4 : start + 15].decode("ascii", "replace").rstrip())
    return Filesystem(
        "vfat",
        uuid=f"{serial >> 16:04X}-{serial & 0xFFFF:04X}" if serial else None,
        label=label if label not in ("", "NO NAME") else None,
        block_size=sector_size or None,
    )


def make_swap(volume: Volume) -> None:
    """Make a region, which must be a hole, a swap area with a random UUID, for pages of 4096 bytes.

    mkswap could only do that to a file of its own (before util-linux 2.39).
    """
    last_page = volume.size // _SWAP_PAGE - 1
    with open(volume.path, "r+b") as file:
        file.seek(volume.offset + 1024)
        file.write(struct.pack("<III", 1, last_page, 0) + uuid.uuid4().bytes)
        file.seek(volume.offset + _SWAP_PAGE - len(_SWAP_MAGIC))
        file.write(_SWAP_MAGIC)


def _described(kind: str, identity: bytes, label: bytes, size: int, free: int) -> Filesystem:
    return Filesystem(
        kind,
        uuid=str(uuid.UUID(bytes=identity)) if any(identity) else None,
        label=printable(label.split(b"\0")[0].decode("utf-8", "replace")) or None,
        size=size or None,
        free=free if size else None,
    )


_PARSERS: dict[str, Callable[[bytes], Filesystem]] = {
    "xfs": parse_xfs,
    "btrfs": parse_btrfs,
    "swap": parse_swap,
    "vfat": parse_fat,
}


def refuse_container(found: Filesystem | None, where: str, partition: int | None = None) -> None:
    """Refuse what holds filesystems in a way that cannot be worked on here.

    Raises:
        InputError: LVM, LUKS, MD, or one of several devices of a btrfs or ext filesystem, each by name.
    """
    if found is None:
        return
    what, hint = _CONTAINERS.get(found.type, ("", ""))
    if found.type == "btrfs" and found.devices > 1:
        what = f"one of the {found.devices} devices of a btrfs filesystem"
        hint = "mount them together elsewhere, move all to one with btrfs device remove, and give that"
    if found.is_ext and found.devices > 1:
        # e2fsck and the kernel would look for it among the builder's own devices, by its number and UUID.
        what, hint = (
            "a filesystem whose journal is on another device",
            "remove its journal with tune2fs -O ^has_journal",
        )
    if what:
        it = "it" if partition is None else f"partition {partition}"
        raise InputError(f"{it} is {what}, which is not supported", where=where, hint=hint)


def require_sectors(found: Filesystem | None, sector_size: int, where: str, partition: int | None = None) -> None:
    """Refuse a filesystem for a disk whose sectors are larger than what it reads at once: Linux cannot mount it there.

    Args:
        sector_size: of the disk, in bytes; every filesystem is fit for 512.

    Raises:
        InputError: with what to do about a filesystem of its kind.
    """
    if sector_size == 512 or found is None or found.block_size is None or found.block_size >= sector_size:
        return
    it = "it" if partition is None else f"partition {partition}"
    advice = _FOR_SECTORS.get(found.type, "make it anew with mke2fs -b {0}").format(sector_size)
    raise InputError(
        f"{it} holds {found.type} with blocks of {found.block_size} bytes, too small for sectors of {sector_size}",
        where=where,
        hint=f"{advice}, or let the disk have sectors of 512 bytes",
    )


def require(volume: Volume, kinds: Sequence[str], *, where: str | None = None) -> Filesystem:
    """Return the filesystem of a region, which must be one of `kinds`.

    Raises:
        InputError: there is another one, or none that is known.
    """
    found = identify(volume)
    if found is None:
        raise InputError(
            "it holds neither a known filesystem nor a partition table",
            where=where or volume.path,
            hint="give a disk or partition image",
        )
    refuse_container(found, where or volume.path)
    if found.type not in kinds:
        raise InputError(
            f"it holds {found.type}, which is not supported here",
            where=where or volume.path,
            hint=f"give an image with an {', '.join(kinds[:-1])} or {kinds[-1]} filesystem",
        )
    return found


def require_ext(volume: Volume, *, where: str | None = None) -> Filesystem:
    """Return the ext filesystem of a region; see `require`."""
    return require(volume, EXT, where=where)


def check(runner: Runner, volume: Volume, *, where: str | None = None) -> None:
    """Check an ext filesystem and repair what can be repaired without losing data.

    Raises:
        DamagedImageError: it has errors that need somebody's decision.
    """
    _repair(runner, volume, where, "-f")


def check_grown(runner: Runner, volume: Volume, *, where: str | None = None) -> None:
    """Check what resize2fs has written of an ext filesystem that was whole before.

    e2fsck looks at the superblock and at each group's descriptor and its checksum, and at
    all else only if they ask for it: that would take longer the larger the filesystem is.

    Raises:
        DamagedImageError: it has errors that need somebody's decision.
    """
    _repair(runner, volume, where)


def _repair(runner: Runner, volume: Volume, where: str | None, *options: str) -> None:
    with located(where or volume.path):
        done = runner.run(["e2fsck", *options, "-p", volume.e2fs_name], limits=TRANSFORM, accept=range(256))
    if done.status not in _FSCK_CORRECTED:
        raise DamagedImageError(
            f"the filesystem has errors that e2fsck cannot repair safely ({done.complaint})",
            where=where or volume.path,
            hint="repair a copy of the image with e2fsck -f and use that, or fetch the image again",
        )


def verify(runner: Runner, volume: Volume) -> None:
    """Check an ext filesystem and change nothing.

    Raises:
        DamagedImageError: it has errors, or was not left as a whole.
    """
    if not require_ext(volume).clean:
        raise DamagedImageError(
            "the filesystem was not unmounted cleanly, or a run was killed while it changed it",
            where=volume.path,
            hint="run that again, or repair a copy of the image with e2fsck -f",
        )
    with located(volume.path):
        done = runner.run(["e2fsck", "-f", "-n", volume.e2fs_name], limits=TRANSFORM, accept=range(256))
    if done.status != 0:
        raise DamagedImageError(f"the filesystem has errors ({done.complaint})", where=volume.path)


def resize(runner: Runner, volume: Volume) -> None:
    """Make an ext filesystem that has just been checked as large as its region.

    If it does not begin its file, it must now lie in the first `size` bytes of it: resize2fs
    cuts a regular file that is longer than the filesystem will be to that size, wherever the
    filesystem begins. One that is not longer is left alone and written to behind its end
    (e2fsprogs 1.47, resize/main.c).

    New inode tables stay holes, where the filesystem's descriptors can say that the guest has yet to
    zero them. resize2fs would go by whether the builder's kernel could, and write them
    out where that has no ext4: a sixty-fourth of what is new (resize/resize2fs.c).
    """
    if volume.offset:
        block = require_ext(volume).block_size or 1
        os.truncate(volume.path, volume.size // block * block)
    sectors = volume.size // 512
    command = ["resize2fs", volume.e2fs_name, f"{sectors}s"]
    runner.run(command, limits=TRANSFORM, settings={"RESIZE2FS_FORCE_LAZY_ITABLE_INIT": "1"})
    if volume.offset:
        os.truncate(volume.path, volume.offset + volume.size)


def make_fat(runner: Runner, volume: Volume, label: str, sector_size: int) -> None:
    """Make an empty FAT32 filesystem in a region, as UEFI wants it for an EFI system partition.

    Its sectors are those of the disk, in bytes.

    mkfs.vfat would choose the size of clusters by that of the whole file. Too large ones
    make fewer than 65525 of them, and then readers that count take it for a FAT16.
    """
    start = volume.offset // sector_size
    per_cluster = 1 if volume.size <= _SMALL_FAT else max(4096 // sector_size, 1)
    runner.run(
        [
            *("mkfs.vfat", "-F", "32", "-S", str(sector_size), "-s", str(per_cluster), "-n", label),
            *("-h", str(start), f"--offset={start}"),
            *("--", os.path.abspath(volume.path), str(volume.size // 1024)),
        ]
    )


def set_uuid(runner: Runner, volume: Volume) -> None:
    """Give an ext filesystem that has no UUID a random one."""
    runner.run(["tune2fs", "-U", "random", volume.e2fs_name], limits=TRANSFORM)


def require_uuid(found: Filesystem, volume: Volume) -> str:
    """Return a filesystem's UUID.

    Raises:
        GuestError: it has none.
    """
    if not found.uuid:
        raise GuestError("the root filesystem has no UUID", where=volume.path, hint="give it one with tune2fs -U")
    return found.uuid


__all__ = [
    "EXT",
    "Filesystem",
    "Volume",
    "check",
    "check_grown",
    "identify",
    "make_fat",
    "make_swap",
    "parse_btrfs",
    "parse_ext",
    "parse_fat",
    "parse_swap",
    "parse_xfs",
    "refuse_container",
    "require",
    "require_ext",
    "require_sectors",
    "require_uuid",
    "resize",
    "set_uuid",
    "verify",
]
