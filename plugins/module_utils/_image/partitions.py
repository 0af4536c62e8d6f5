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
import typing as t
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, SpaceError

MEBIBYTE = 1 << 20
_PROTECTIVE = "ee"
_LINUX = "83"
_DOS_LIMIT = 1 << 32  # sectors: a DOS table's fields have 32 bits


@dataclass(frozen=True)
class Partition:
    """One partition; start and size in sectors of its table."""

    number: int
    start: int
    size: int
    type: str
    bootable: bool = False


@dataclass(frozen=True)
class Table:
    """A partition table; sector size in bytes."""

    label: str
    partitions: tuple[Partition, ...]
    sector_size: int = 512

    def offset(self, partition: Partition) -> int:
        """Where a partition begins, in bytes."""
        return partition.start * self.sector_size

    def length(self, partition: Partition) -> int:
        """How long a partition is, in bytes."""
        return partition.size * self.sector_size


def plan_single(disk_size: int) -> Table:
    """Plan a DOS table with one bootable Linux partition on a disk of `disk_size` bytes.

    It starts at 1 MiB, the convention that leaves room for a boot loader, and
    ends on a whole MiB.

    Raises:
        InputError: a DOS table cannot describe a disk this large.
    """
    start = MEBIBYTE // 512
    size = (disk_size // MEBIBYTE) * (MEBIBYTE // 512) - start
    if start + size > _DOS_LIMIT:
        raise InputError(f"a DOS partition table cannot describe {disk_size} bytes", hint="stay below 2 TiB")
    return Table("dos", (Partition(1, start, size, _LINUX, bootable=True),))


def disk_size_for(content: int, wanted: int | None) -> int:
    """Return the size in bytes of a disk that holds `content` bytes in one partition.

    Args:
        content: size of the partition image in bytes.
        wanted: the size the user asked for in bytes; None for the smallest.

    Raises:
        SpaceError: what the user asked for is too small.
    """
    smallest = MEBIBYTE + -(-content // MEBIBYTE) * MEBIBYTE
    if wanted is None:
        return smallest
    if wanted < smallest:
        raise SpaceError(
            f"a disk of {wanted} bytes is too small for a partition of {content} bytes",
            hint=f"ask for at least {smallest} bytes ({smallest // MEBIBYTE} MiB)",
        )
    return wanted // MEBIBYTE * MEBIBYTE


def script(table: Table) -> bytes:
    """Return a table as sfdisk(8) reads it on standard input."""
    lines = [f"label: {table.label}", "unit: sectors", ""]
    for part in table.partitions:
        flag = ", bootable" if part.bootable else ""
        lines.append(f"{part.number} : start={part.start}, size={part.size}, type={part.type}{flag}")
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
        table = Table(str(raw["label"]), partitions, sector_size)
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
    )


def validate(table: Table, disk_size: int, path: str) -> None:
    """Refuse a table whose partitions overlap, are empty, or lie outside the disk.

    Extended partitions of a DOS table hold their logical ones, so only those
    two kinds may overlap.

    Raises:
        DamagedImageError: with the partition's number.
    """
    if table.label not in ("dos", "gpt"):
        raise InputError(f"partition tables of type {table.label} are not supported", where=path)
    if table.sector_size not in (512, 1024, 2048, 4096):
        raise DamagedImageError(f"its sectors cannot have {table.sector_size} bytes", where=path)
    sectors = disk_size // table.sector_size
    plain = [part for part in table.partitions if part.type not in ("5", "f", "85")]
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
    "MEBIBYTE",
    "Partition",
    "Table",
    "disk_size_for",
    "parse",
    "plan_single",
    "read",
    "script",
    "validate",
    "write",
]
