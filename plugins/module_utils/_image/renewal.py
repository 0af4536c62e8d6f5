# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""New identifiers for a disk, its partitions and what is in them, and the references to them, which follow.

All get some so that copies of one image can be told apart; a few because another table cannot keep theirs.
"""

from __future__ import annotations

import os
import secrets
import struct
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp
from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import references
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.references import Renaming
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Partition, Table

# Their tools read a file from its beginning only, and only the kernel reads their files.
_BY_MOUNT = {"xfs": ("xfs_admin", "-f", "-U"), "btrfs": ("btrfstune", "-f", "-U")}
_SWAP_UUID = 1036  # Linux, include/linux/swap.h, union swap_header
_FAT_SERIAL, _FAT32_SERIAL = 39, 67  # Microsoft, FAT32 File System Specification, 3.2 and 3.3
_FAT_BACKUP = 50  # where a FAT32 says in which sector the copy of its first one is


@dataclass(frozen=True)
class Kept:
    """What a partition of the new disk continues.

    Attributes:
        partition: the one of the source; None where that had no table.
        filesystem: what is copied into it; None where nothing is that is known.
    """

    role: str
    partition: Partition | None
    filesystem: Filesystem | None


def plan(
    old: Table | None, table: Table, kept: Sequence[Kept], *, new_uuids: bool
) -> tuple[Table, tuple[Renaming, ...]]:
    """Return a table with its identifiers, and what was renamed on the disk.

    Args:
        old: the source's table, if it has one.
        table: the new one, its partitions in the order of `kept`.
        new_uuids: whether all gets new identifiers, or only what cannot keep its own.

    Raises:
        InputError: only root can let the references in one of the filesystems follow.
    """
    new = _renewed(table) if new_uuids else _completed(table)
    renamings = tuple(_renamings(old, new, kept, new_uuids=new_uuids))
    if renamings or are_renumbered(kept, new.partitions):
        _require_followable(kept, "new_uuids" if new_uuids else "table")
    return new, renamings


def are_renumbered(kept: Sequence[Kept], parts: Sequence[Partition]) -> bool:
    """Say whether a partition got another number than the one that it continues."""
    return any(item.partition and item.partition.number != part.number for item, part in zip(kept, parts))


def _require_followable(kept: Sequence[Kept], option: str) -> None:
    for item in kept:
        if item.filesystem and item.filesystem.type in _BY_MOUNT and os.geteuid() != 0:
            raise InputError(
                f"the references in an {item.filesystem.type} filesystem can only follow in a mount, which needs root",
                where=option,
                hint="run the builder as root, or let the image keep its UUIDs and its table",
            )


def _renewed(table: Table) -> Table:
    if table.label == "dos":
        return replace(table, id=f"0x{secrets.randbelow((1 << 32) - 1) + 1:08x}")
    return _completed(replace(table, id=None, partitions=tuple(replace(part, uuid=None) for part in table.partitions)))


def _completed(table: Table) -> Table:
    """Return a table all of whose identifiers are known."""
    if table.label == "dos":
        return table if table.id else _renewed(table)
    parts = tuple(replace(part, uuid=part.uuid or _guid()) for part in table.partitions)
    return replace(table, id=table.id or _guid(), partitions=parts)


def _guid() -> str:
    return str(uuid.uuid4()).upper()


def _renamings(old: Table | None, new: Table, kept: Sequence[Kept], *, new_uuids: bool) -> Iterator[Renaming]:
    if old and old.id and new.id and _plain(old.id) != _plain(new.id):
        yield Renaming("PTUUID", "disk", None, _plain(old.id), _plain(new.id))
    for item, part in zip(kept, new.partitions):
        before = _partition_uuid(old, item.partition) if old and item.partition else None
        after = _partition_uuid(new, part)
        if before and after and before != after:
            yield Renaming("PARTUUID", item.role, part.number, before, after)
        fresh = _fresh(item.filesystem) if new_uuids else None
        if item.filesystem and item.filesystem.uuid and fresh:
            yield Renaming("UUID", item.role, part.number, item.filesystem.uuid, fresh)


def _partition_uuid(table: Table, part: Partition) -> str | None:
    """Return a partition's PARTUUID as the kernel writes it (block/partitions/msdos.c and efi.c)."""
    if table.label == "gpt":
        return part.uuid.lower() if part.uuid else None
    return f"{_plain(table.id)}-{part.number:02x}" if table.id else None


def _plain(identity: str) -> str:
    return identity.lower().removeprefix("0x")


def _fresh(found: Filesystem | None) -> str | None:
    if found is None:
        return None
    if found.type == "vfat":
        return f"{secrets.randbits(16):04X}-{secrets.randbelow((1 << 16) - 1) + 1:04X}"
    return str(uuid.uuid4()) if found.is_ext or found.type in (*_BY_MOUNT, "swap") else None


def renew(runner: Runner, volume: Volume, found: Filesystem | None, number: int, renamings: Iterable[Renaming]) -> None:
    """Give what is in a partition its new UUID, if it is to have one; an ext must have been checked just before."""
    new = next((item.new for item in renamings if item.kind == "UUID" and item.number == number), None)
    if new is None or found is None:
        return
    if found.is_ext:
        runner.run(["tune2fs", "-U", new, volume.e2fs_name], limits=TRANSFORM)
    elif found.type in _BY_MOUNT:
        with _beginning_its_file(volume) as path:
            runner.run([*_BY_MOUNT[found.type], new, path], limits=TRANSFORM)
    elif found.type == "swap":
        _write(volume, _SWAP_UUID, uuid.UUID(new).bytes)
    else:
        _renew_fat(volume, struct.pack("<I", int(new.replace("-", ""), 16)))


@contextmanager
def _beginning_its_file(volume: Volume) -> Iterator[str]:
    """Give a file in which the filesystem begins at 0, and take over what becomes of it."""
    if volume.offset == 0:
        yield os.path.abspath(volume.path)
        return
    folder = os.path.dirname(os.path.abspath(volume.path))
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".voc-renewal-") as copy, open(volume.path, "r+b") as disk:
        copy.truncate(volume.size)
        ends = (disk.fileno(), copy.fileno())
        blocks.copy_range(*ends, source_offset=volume.offset, target_offset=0, length=volume.size)
        yield copy.name
        # What was a hole and still is one was one in the disk too.
        blocks.copy_range(*reversed(ends), source_offset=0, target_offset=volume.offset, length=volume.size)


def _renew_fat(volume: Volume, serial: bytes) -> None:
    with open(volume.path, "rb") as file:
        file.seek(volume.offset)
        sector = file.read(512)
    (size,) = struct.unpack_from("<H", sector, 11)
    if sector[82:90] != b"FAT32   ":
        _write(volume, _FAT_SERIAL, serial)
        return
    (backup,) = struct.unpack_from("<H", sector, _FAT_BACKUP)
    copies = (0, backup) if 0 < backup < 32 and backup * size + 512 <= volume.size else (0,)
    for copy in copies:
        _write(volume, copy * size + _FAT32_SERIAL, serial)


def _write(volume: Volume, place: int, content: bytes) -> None:
    with open(volume.path, "r+b") as file:
        file.seek(volume.offset + place)
        file.write(content)


def follow(runner: Runner, volume: Volume, found: Filesystem | None, role: str, renamings: Sequence[Renaming]) -> None:
    """Let the references in the files of a partition follow."""
    if found is None:
        return
    if found.is_ext or found.type in _BY_MOUNT:
        with opened(runner, volume, found) as files:
            references.follow_tree(files, renamings, subvolumes=found.type == "btrfs")
    elif found.type == "vfat" and role == "esp" and _is_sound_fat(volume):
        _follow_in_fat(runner, volume, renamings)


@contextmanager
def opened(runner: Runner, volume: Volume, found: Filesystem) -> Iterator[GuestTree]:
    """Give the files of one filesystem; those of xfs and btrfs need root."""
    if found.is_ext:
        with ExtTree(runner, volume) as files:
            yield files
    else:
        with mounted(runner, volume, found.type) as folder:
            yield MountedTree(folder)


def _is_sound_fat(volume: Volume) -> bool:
    with open(volume.path, "rb") as file:
        file.seek(volume.offset)
        sector = file.read(512)
    try:
        esp.require_fat(sector, volume.size)
    except (DamagedImageError, InputError):  # no firmware could read it either
        return False
    return True


def _follow_in_fat(runner: Runner, volume: Volume, renamings: Sequence[Renaming]) -> None:
    patterns = [f"/{pattern}" for pattern in references.BOOT_FILES]
    for path in references.matching(patterns, lambda folder: esp.names(runner, volume, folder)):
        content = esp.read(runner, volume, path)
        followed = None if content is None else references.follow_file(path, content, renamings)
        if followed is not None and followed != content:
            esp.write(runner, volume, path, followed)


__all__ = ["Kept", "are_renumbered", "follow", "opened", "plan", "renew"]
