# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Partition tables of disk images: planned, read and written, and their geometry checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._image import dos, gpt
from ansible_collections.voc.cluster.plugins.module_utils._image.table import (
    LABELS,
    SECTOR,
    SECTOR_SIZES,
    TYPES,
    Partition,
    Table,
)

MEBIBYTE = 1 << 20
_PROTECTIVE = "ee"
_DOS_LIMIT = 1 << 32  # sectors: a DOS table's fields have 32 bits
_LIMITS = {"dos": 4, "gpt": gpt.COUNT}  # partitions: logical ones are not made

# Bytes that no partition may have: the first MiB, by convention, leaves room for a boot
# loader; a GPT has a second copy at the end of the disk.
_HEAD = MEBIBYTE
_TAIL = {"dos": 0, "gpt": MEBIBYTE}


@dataclass(frozen=True)
class Wish:
    """A partition that a disk is to have.

    Attributes:
        role: what it is for, see `TYPES`.
        size: what it must hold, in bytes.
        number: which it should be, if that is free.
        like: the partition it continues, whose identity it gets as far as the table allows.
    """

    role: str
    size: int
    number: int | None = None
    like: Partition | None = None


def arrange(
    label: str, wishes: Sequence[Wish], disk_size: int, like: Table | None = None, sector_size: int = SECTOR
) -> Table:
    """Lay partitions out one after the other, on whole MiB; the last one gets the rest of the disk.

    Args:
        wishes: in the order of the disk.
        disk_size: in bytes, at least what `disk_size_for` says.
        like: the table that this one continues; where it has the same label, types, identifiers and attributes stay.
        sector_size: of the disk, in bytes.

    Raises:
        InputError: the table cannot describe such a disk.
    """
    if label == "dos" and sector_size != SECTOR:
        raise InputError(
            f"a DOS partition table cannot say that sectors have {sector_size} bytes",
            hint="use a GPT, or sectors of 512 bytes",
        )
    kept = like is not None and like.label == label
    last = disk_size // MEBIBYTE * MEBIBYTE - _TAIL[label]
    numbers = _numbers(label, wishes)
    offset = _HEAD
    partitions = []
    for number, wish in zip(numbers, wishes):
        end = last if wish is wishes[-1] else offset + _rounded(wish.size)
        old = wish.like if kept else None
        partitions.append(
            Partition(
                number=number,
                start=offset // sector_size,
                size=(end - offset) // sector_size,
                type=old.type if old else TYPES[label][wish.role],
                bootable=label == "dos" and wish.role == "root",
                uuid=old.uuid if old and label == "gpt" else None,
                name=old.name if old else None,
                attributes=old.attributes if old else 0,
            )
        )
        offset = end
    if label == "dos" and offset // sector_size > _DOS_LIMIT:
        raise InputError(
            f"a DOS partition table cannot describe {disk_size} bytes", hint="stay below 2 TiB, or use a GPT"
        )
    return Table(label, tuple(partitions), sector_size, id=like.id if like and kept else None)


def _numbers(label: str, wishes: Sequence[Wish]) -> list[int]:
    """Give every partition the number it wishes where that can be, and a free one elsewhere."""
    limit = _LIMITS[label]
    if len(wishes) > limit:
        raise InputError(
            f"a partition table of type {label} has room for {limit} partitions, not for {len(wishes)}",
            hint="use a GPT" if label == "dos" else "leave some out",
        )
    taken: set[int] = set()
    given: list[int | None] = []
    for wish in wishes:
        fits = wish.number is not None and 0 < wish.number <= limit and wish.number not in taken
        given.append(wish.number if fits else None)
        taken |= {wish.number} if fits and wish.number else set()
    free = (number for number in range(1, limit + 1) if number not in taken)
    return [number or next(free) for number in given]


def disk_size_for(label: str, wishes: Sequence[Wish], wanted: int | None) -> int:
    """Return the size in bytes of a disk that holds these partitions.

    Args:
        wanted: the size the user asked for in bytes; None for the smallest.

    Raises:
        SpaceError: what the user asked for is too small.
    """
    smallest = _HEAD + sum(_rounded(wish.size) for wish in wishes) + _TAIL[label]
    if wanted is None:
        return smallest
    if wanted < smallest:
        content = " and ".join(f"{wish.size} bytes" for wish in wishes)
        what = f"a partition of {content}" if len(wishes) == 1 else f"partitions of {content}"
        raise SpaceError(
            f"a disk of {wanted} bytes is too small for {what}",
            hint=f"ask for at least {smallest} bytes ({smallest // MEBIBYTE} MiB)",
        )
    return wanted // MEBIBYTE * MEBIBYTE


def _rounded(size: int) -> int:
    return -(-size // MEBIBYTE) * MEBIBYTE


def validate(table: Table, disk_size: int, path: str) -> None:
    """Refuse a table whose partitions overlap, are empty, or lie outside the disk.

    Extended partitions of a DOS table hold their logical ones, so only those
    two kinds may overlap.

    Raises:
        DamagedImageError: with the partition's number.
    """
    sectors = disk_size // table.sector_size
    plain = [part for part in table.partitions if not part.is_container]
    for part in table.partitions:
        if part.start < 1 or part.size < 1 or part.start + part.size > sectors:
            raise DamagedImageError(
                f"partition {part.number} lies outside the disk",
                where=path,
                hint="fetch the image again, if it is cut short",
            )
        if table.label == "dos" and part.type == _PROTECTIVE:
            raise DamagedImageError("its GPT is damaged", where=path)
    ordered = sorted(plain, key=lambda part: part.start)
    for left, right in zip(ordered, ordered[1:]):
        if left.start + left.size > right.start:
            raise DamagedImageError(f"partitions {left.number} and {right.number} overlap", where=path)


def read(path: str, disk_size: int) -> Table:
    """Return the partition table of a raw disk image of `disk_size` bytes.

    Raises:
        DamagedImageError: it is not whole, or its geometry is impossible.
    """
    with open(path, "rb") as file:
        is_gpt = dos.is_protective(file.read(SECTOR))
        table = gpt.read(file, disk_size, path) if is_gpt else dos.read(file, path)
    validate(table, disk_size, path)
    return table


def write(path: str, table: Table) -> None:
    """Write a partition table to a raw disk image."""
    with open(path, "r+b") as file:
        if table.label == "gpt":
            gpt.write(file, table, os.fstat(file.fileno()).st_size)
        else:
            dos.write(file, table)


__all__ = [
    "LABELS",
    "MEBIBYTE",
    "SECTOR",
    "SECTOR_SIZES",
    "TYPES",
    "Partition",
    "Table",
    "Wish",
    "arrange",
    "disk_size_for",
    "read",
    "validate",
    "write",
]
