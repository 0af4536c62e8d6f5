# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Partition tables: read and written by sfdisk, their geometry checked by us.

sfdisk reports overlapping, endless and negative partitions with status 0, so
nothing is believed before `validate` has seen it.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, SpaceError

MEBIBYTE = 1 << 20
_PROTECTIVE = "ee"
_CONTAINERS = ("5", "f", "85")  # extended partitions, which hold logical ones
_DOS_LIMIT = 1 << 32  # sectors: a DOS table's fields have 32 bits
_LIMITS = {"dos": 4, "gpt": 128}  # partitions: logical ones are not made
_SECTOR = 512

# What a partition is for, and how each table says so. GPT: the types' GUIDs of the
# Discoverable Partitions Specification, UEFI and GRUB; DOS: sfdisk --list-types.
# A DOS disk has no place of its own for GRUB: it lies before the first partition.
TYPES = {
    "dos": {"root": "83", "boot": "83", "data": "83", "swap": "82", "esp": "ef"},
    "gpt": {
        "root": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "boot": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "data": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
        "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "bios": "21686148-6449-6E6F-744E-656564454649",
    },
}
LABELS = tuple(TYPES)

# Bytes that no partition may have: the first MiB, by convention, leaves room for a boot
# loader; a GPT has a second copy at the end of the disk.
_HEAD = MEBIBYTE
_TAIL = {"dos": 0, "gpt": MEBIBYTE}


@dataclass(frozen=True)
class Partition:
    """One partition; start and size in sectors of its table.

    Attributes:
        uuid, name: what a GPT says beside that; None where it is not known or there is none.
    """

    number: int
    start: int
    size: int
    type: str
    bootable: bool = False
    uuid: str | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)

    def is_for(self, role: str) -> bool:
        """Whether its type says that it is for this, under either table."""
        return self.type.upper() in (types[role].upper() for types in TYPES.values() if role in types)

    @property
    def is_container(self) -> bool:
        """Whether it is a DOS table's extended partition: a place for others, nothing by itself."""
        return self.type in _CONTAINERS


@dataclass(frozen=True)
class Table:
    """A partition table; sector size in bytes.

    Attributes:
        id: the disk's identifier as sfdisk writes it; None where it is not known.
    """

    label: str
    partitions: tuple[Partition, ...]
    sector_size: int = _SECTOR
    id: str | None = field(default=None, compare=False)

    def offset(self, partition: Partition) -> int:
        """Where a partition begins, in bytes."""
        return partition.start * self.sector_size

    def length(self, partition: Partition) -> int:
        """How long a partition is, in bytes."""
        return partition.size * self.sector_size


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


def arrange(label: str, wishes: Sequence[Wish], disk_size: int, like: Table | None = None) -> Table:
    """Lay partitions out one after the other, on whole MiB; the last one gets the rest of the disk.

    Args:
        wishes: in the order of the disk.
        disk_size: in bytes, at least what `disk_size_for` says.
        like: the table that this one continues; where it has the same label, types and identifiers stay.

    Raises:
        InputError: the table cannot describe such a disk.
    """
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
                start=offset // _SECTOR,
                size=(end - offset) // _SECTOR,
                type=old.type if old else TYPES[label][wish.role],
                bootable=label == "dos" and wish.role == "root",
                uuid=old.uuid if old and label == "gpt" else None,
                name=old.name if old else None,
            )
        )
        offset = end
    if label == "dos" and offset // _SECTOR > _DOS_LIMIT:
        raise InputError(
            f"a DOS partition table cannot describe {disk_size} bytes", hint="stay below 2 TiB, or use a GPT"
        )
    return Table(label, tuple(partitions), id=like.id if like and kept else None)


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


def script(table: Table) -> bytes:
    """Return a table as sfdisk(8) reads it on standard input."""
    lines = [f"label: {table.label}", "unit: sectors", *([f"label-id: {table.id}"] if table.id else []), ""]
    for part in table.partitions:
        fields = [f"start={part.start}", f"size={part.size}", f"type={part.type}"]
        fields += [f"uuid={part.uuid}"] if part.uuid else []
        fields += [f'name="{part.name}"'] if part.name else []
        fields += ["bootable"] if part.bootable else []
        lines.append(f"{part.number} : {', '.join(fields)}")
    return ("\n".join(lines) + "\n").encode()


def parse(document: str, disk_size: int, path: str) -> Table:
    """Read what ``sfdisk --json`` printed about a disk of `disk_size` bytes.

    Raises:
        DamagedImageError: the geometry is impossible, or it is not what sfdisk prints.
    """
    try:
        raw = json.loads(document)["partitiontable"]
        sector_size = int(raw.get("sectorsize", 512))
        partitions = tuple(_partition(entry) for entry in raw.get("partitions", ()))
        table = Table(str(raw["label"]), partitions, sector_size, _plain(raw.get("id")))
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise DamagedImageError("its partition table cannot be read", where=path) from error
    validate(table, disk_size, path)
    return table


def _partition(entry: dict[str, t.Any]) -> Partition:
    digits = str(entry["node"])[::-1]
    number = ""
    for char in digits:
        if not char.isdigit():
            break
        number = char + number
    return Partition(
        number=int(number),
        start=int(entry["start"]),
        size=int(entry["size"]),
        type=str(entry.get("type", "")),
        bootable=bool(entry.get("bootable", False)),
        uuid=_plain(entry.get("uuid")),
        name=_plain(entry.get("name")),
    )


def _plain(text: object) -> str | None:
    """Return a name of the table if it can be written to a script as it is, whatever sfdisk makes of it.

    A GPT's names are any UTF-16; others are dropped.
    """
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_. -]{1,36}", text) else None


def validate(table: Table, disk_size: int, path: str) -> None:
    """Refuse a table whose partitions overlap, are empty, or lie outside the disk.

    Extended partitions of a DOS table hold their logical ones, so only those
    two kinds may overlap.

    Raises:
        DamagedImageError: with the partition's number.
    """
    if table.label not in LABELS:
        raise InputError(f"partition tables of type {table.label} are not supported", where=path)
    if table.sector_size not in (512, 1024, 2048, 4096):
        raise DamagedImageError(f"its sectors cannot have {table.sector_size} bytes", where=path)
    sectors = disk_size // table.sector_size
    plain = [part for part in table.partitions if not part.is_container]
    for part in table.partitions:
        if part.start < 1 or part.size < 1 or part.start + part.size > sectors:
            raise DamagedImageError(f"partition {part.number} lies outside the disk", where=path)
        if table.label == "dos" and part.type == _PROTECTIVE:
            raise DamagedImageError("its GPT is damaged or made for another sector size", where=path)
    ordered = sorted(plain, key=lambda part: part.start)
    for left, right in zip(ordered, ordered[1:]):
        if left.start + left.size > right.start:
            raise DamagedImageError(f"partitions {left.number} and {right.number} overlap", where=path)


def read(runner: Runner, path: str, disk_size: int) -> Table:
    """Return the partition table of a raw disk image of `disk_size` bytes."""
    return parse(runner.run(["sfdisk", "--json", "--", path]).text, disk_size, path)


def write(runner: Runner, path: str, table: Table) -> None:
    """Write a partition table to a raw disk image."""
    runner.run(
        ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never", "--wipe-partitions=never", "--", path],
        data=script(table),
    )


__all__ = [
    "LABELS",
    "MEBIBYTE",
    "TYPES",
    "Partition",
    "Table",
    "Wish",
    "arrange",
    "disk_size_for",
    "parse",
    "read",
    "script",
    "validate",
    "write",
]
