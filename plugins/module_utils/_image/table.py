# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a partition table says, whichever kind it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

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
CONTAINERS = ("5", "f", "85")  # a DOS table's extended partitions, which hold logical ones
SECTOR = 512
SECTOR_SIZES = (SECTOR, 4096)  # those that disks have


@dataclass(frozen=True)
class Partition:
    """One partition; start and size in sectors of its table.

    Attributes:
        type: a number of two hexadecimal digits at most, or a GUID in capitals.
        uuid, name: what a GPT says beside that; None where it is not known or there is none.
        attributes: the bits of a GPT's entry (UEFI 2.10, table 5.8).
    """

    number: int
    start: int
    size: int
    type: str
    bootable: bool = False
    uuid: str | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)
    attributes: int = 0

    def is_for(self, role: str) -> bool:
        """Whether its type says that it is for this, under either table."""
        return self.type.upper() in (types[role].upper() for types in TYPES.values() if role in types)

    @property
    def is_container(self) -> bool:
        """Whether it is a DOS table's extended partition: a place for others, nothing by itself."""
        return self.type in CONTAINERS


@dataclass(frozen=True)
class Table:
    """A partition table; sector size in bytes.

    Attributes:
        id: the disk's identifier, ``0x`` and eight digits or a GUID; None where it is not known.
    """

    label: str
    partitions: tuple[Partition, ...]
    sector_size: int = SECTOR
    id: str | None = field(default=None, compare=False)

    def offset(self, partition: Partition) -> int:
        """Where a partition begins, in bytes."""
        return partition.start * self.sector_size

    def length(self, partition: Partition) -> int:
        """How long a partition is, in bytes."""
        return partition.size * self.sector_size


def plain_name(text: str) -> str | None:
    """Return a partition's name if an fstab and a message can hold it as it is; others are dropped."""
    return text if re.fullmatch(r"[A-Za-z0-9_. -]{1,36}", text) else None


__all__ = ["CONTAINERS", "LABELS", "SECTOR", "SECTOR_SIZES", "TYPES", "Partition", "Table", "plain_name"]
