# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""DOS partition tables: the four entries of the boot sector, and the chain of logical partitions.

Nothing in them says how long a sector is, and 512 bytes are what everybody takes it for.

Source of the format: UEFI 2.10, 5.2.1; of the chain: Linux, block/partitions/msdos.c.
"""

from __future__ import annotations

import secrets
import struct
import typing as t
from collections.abc import Iterator, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._image.table import CONTAINERS, SECTOR, Partition, Table

_BOOTABLE = 0x80
_PROTECTIVE = 0xEE
_IDENTITY = 440  # in the boot sector, behind the boot code
_ENTRIES = 446
_SIGNATURE = b"\x55\xaa"
_ENTRY = struct.Struct("<B3sB3sII")
_CHAIN_LIMIT = 100  # logical partitions, as in Linux
_HEADS, _TRACK = 255, 63  # the geometry that BIOSes give large disks


class Entry(t.NamedTuple):
    """One of the four entries of a boot sector; start and size in sectors."""

    status: int
    first_chs: bytes
    type: int
    last_chs: bytes
    start: int
    size: int

    @property
    def is_used(self) -> bool:
        """Whether it speaks of a partition at all."""
        return self.type != 0 and self.size != 0

    @property
    def is_container(self) -> bool:
        """Whether it is an extended partition, or the link to the next sector of a chain."""
        return self.is_used and f"{self.type:x}" in CONTAINERS


EMPTY = Entry(0, bytes(3), 0, bytes(3), 0, 0)


def is_protective(sector: bytes) -> bool:
    """Say whether a disk's first sector tells that its table is a GPT (UEFI 2.10, 5.2.3).

    Other entries beside that one make it a "hybrid", whose GPT still counts.
    """
    return any(entry.type == _PROTECTIVE and entry.start == 1 for entry in _entries(sector))


def protective(sectors: int) -> Entry:
    """Return the entry that keeps others off a disk with a GPT and so many sectors."""
    return Entry(0, b"\x00\x02\x00", _PROTECTIVE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))


def read(file: t.BinaryIO, path: str) -> Table:
    """Read a DOS table as it is written; where its partitions lie is not checked.

    Raises:
        DamagedImageError: there is none, or the chain of logical partitions is broken.
    """
    sector = _sector(file, 0)
    if not sector.endswith(_SIGNATURE):
        raise DamagedImageError("it has no partition table", where=path)
    primary = _entries(sector)
    numbered = [(number, entry) for number, entry in enumerate(primary, start=1) if entry.is_used]
    logical = [entry for each in primary if each.is_container for entry in _logical(file, each, path)]
    numbered += enumerate(logical, start=5)
    (identity,) = struct.unpack_from("<I", sector, _IDENTITY)
    partitions = (
        Partition(number, entry.start, entry.size, f"{entry.type:x}", entry.status == _BOOTABLE)
        for number, entry in numbered
    )
    return Table("dos", tuple(partitions), id=f"{identity:#010x}")


def _logical(file: t.BinaryIO, container: Entry, path: str) -> Iterator[Entry]:
    """Yield the logical partitions of an extended one, their starts counted from the disk's.

    Each has a sector of its own with two entries: itself, and the next such sector.
    """
    place = container.start
    seen: set[int] = set()
    while True:
        if place in seen or len(seen) == _CHAIN_LIMIT:
            raise DamagedImageError("the chain of its logical partitions does not end", where=path)
        seen.add(place)
        sector = _sector(file, place)
        if not sector.endswith(_SIGNATURE):
            if len(seen) == 1:  # an extended partition that nobody has written to yet
                return
            raise DamagedImageError("the chain of its logical partitions is broken", where=path)
        # The other two can be anything.
        entries = [entry for entry in _entries(sector)[:2] if entry.is_used]
        yield from [each._replace(start=place + each.start) for each in entries if not each.is_container][:1]
        link = next((entry for entry in entries if entry.is_container), None)
        if link is None:
            return
        if link.start >= container.size:
            raise DamagedImageError("the chain of its logical partitions leaves the extended partition", where=path)
        place = container.start + link.start


def _sector(file: t.BinaryIO, place: int) -> bytes:
    file.seek(place * SECTOR)
    return file.read(SECTOR)


def _entries(sector: bytes) -> list[Entry]:
    table = sector[_ENTRIES : _ENTRIES + 4 * _ENTRY.size]
    return [Entry(*fields) for fields in _ENTRY.iter_unpack(table.ljust(4 * _ENTRY.size, b"\0"))]


def write(file: t.BinaryIO, table: Table) -> None:
    """Write a table of primary partitions; boot code stays."""
    entries = [EMPTY] * 4
    for part in table.partitions:
        entries[part.number - 1] = Entry(
            status=_BOOTABLE if part.bootable else 0,
            first_chs=_chs(part.start),
            type=int(part.type, 16),
            last_chs=_chs(part.start + part.size - 1),
            start=part.start,
            size=part.size,
        )
    write_sector(file, entries, int(table.id, 16) if table.id else secrets.randbits(32))


def write_sector(file: t.BinaryIO, entries: Sequence[Entry], identity: int = 0) -> None:
    """Write the disk's identifier and the four entries to its first sector."""
    file.seek(_IDENTITY)
    file.write(struct.pack("<IH", identity, 0) + b"".join(_ENTRY.pack(*entry) for entry in entries) + _SIGNATURE)


def _chs(sector: int) -> bytes:
    """Return a sector as cylinder, head and number on its track; far ones as the last that can be said."""
    cylinder, rest = divmod(sector, _HEADS * _TRACK)
    head, number = divmod(rest, _TRACK)
    if cylinder > 1023:
        cylinder, head, number = 1023, _HEADS - 1, _TRACK - 1
    return bytes((head, (number + 1) | (cylinder >> 2 & 0xC0), cylinder & 0xFF))


__all__ = ["EMPTY", "Entry", "is_protective", "protective", "read", "write", "write_sector"]
