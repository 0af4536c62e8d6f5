# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Filesystems inside image files: recognised by their bytes, checked and grown in place."""

from __future__ import annotations

import os
import struct
import uuid
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    InputError,
    printable,
)

# Where each signature lies, from the filesystems' own documentation.
_SIGNATURES = (
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("squashfs", 0, b"hsqs"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM2_member", 512 + 24, b"LVM2 001"),
    ("linux_raid_member", 4096, b"\xfc\x4e\x2b\xa9"),
    ("iso9660", 32769, b"CD001"),
    ("vfat", 82, b"FAT32   "),
    ("vfat", 54, b"FAT16   "),
)
_EXT_SUPERBLOCK = 1024
_EXT_MAGIC = 0xEF53
_EXT_64BIT = 0x80
_EXT_EXTENTS = 0x40
_EXT_HAS_JOURNAL = 0x4

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
        incompatible: ext's incompatible feature bits; 0 elsewhere.
    """

    type: str
    uuid: str | None = None
    label: str | None = None
    size: int | None = None
    free: int | None = None
    incompatible: int = 0

    @property
    def is_ext(self) -> bool:
        """Whether e2fsprogs can work on it."""
        return self.type in ("ext2", "ext3", "ext4")


def identify(volume: Volume) -> Filesystem | None:
    """Return the filesystem in a region, or None when no signature is known."""
    with open(volume.path, "rb") as file:
        file.seek(volume.offset)
        head = file.read(min(volume.size, 0x10040 + 64))
    found = parse_ext(head[_EXT_SUPERBLOCK : _EXT_SUPERBLOCK + 1024])
    if found:
        return found
    for name, offset, magic in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return Filesystem(name)
    return None


def parse_ext(superblock: bytes) -> Filesystem | None:
    """Read an ext2/3/4 superblock (1024 bytes), or return None when it is none.

    Source: Linux, Documentation/filesystems/ext4/super.rst.
    """
    if len(superblock) < 1024 or struct.unpack_from("<H", superblock, 0x38)[0] != _EXT_MAGIC:
        return None
    blocks, free = struct.unpack_from("<I4xI", superblock, 0x4)
    (block_shift,) = struct.unpack_from("<I", superblock, 0x18)
    compatible, incompatible = struct.unpack_from("<II", superblock, 0x5C)
    if block_shift > 6:  # 64 KiB is the largest block there is
        return None
    if incompatible & _EXT_64BIT:
        blocks |= struct.unpack_from("<I", superblock, 0x150)[0] << 32
        free |= struct.unpack_from("<I", superblock, 0x158)[0] << 32
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
    )


def require_ext(volume: Volume, *, where: str | None = None) -> Filesystem:
    """Return the ext filesystem of a region.

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
    if not found.is_ext:
        raise InputError(
            f"it holds {found.type}, which is not supported here",
            where=where or volume.path,
            hint="give an image with an ext2, ext3 or ext4 filesystem",
        )
    return found


def check(runner: Runner, volume: Volume, *, where: str | None = None) -> None:
    """Check an ext filesystem and repair what can be repaired without losing data.

    Raises:
        DamagedImageError: it has errors that need somebody's decision.
    """
    done = runner.run(["e2fsck", "-f", "-p", volume.e2fs_name], limits=TRANSFORM, accept=range(256))
    if done.status not in _FSCK_CORRECTED:
        raise DamagedImageError(
            f"the filesystem has errors that e2fsck cannot repair safely ({done.complaint})",
            where=where or volume.path,
            hint="repair a copy of the image with e2fsck -f and use that, or fetch the image again",
        )


def verify(runner: Runner, volume: Volume) -> None:
    """Check an ext filesystem and change nothing.

    Raises:
        DamagedImageError: it has errors.
    """
    done = runner.run(["e2fsck", "-f", "-n", volume.e2fs_name], limits=TRANSFORM, accept=range(256))
    if done.status != 0:
        raise DamagedImageError(f"the filesystem has errors ({done.complaint})", where=volume.path)


def grow(runner: Runner, volume: Volume) -> None:
    """Make an ext filesystem that has just been checked fill its region."""
    sectors = volume.size // 512
    runner.run(["resize2fs", volume.e2fs_name, f"{sectors}s"], limits=TRANSFORM)


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
    "Filesystem",
    "Volume",
    "check",
    "grow",
    "identify",
    "parse_ext",
    "require_ext",
    "require_uuid",
    "set_uuid",
    "verify",
]
