# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GUID partition tables, for sectors of 512 and of 4096 bytes.

The header is in the second sector: where that lies tells how long sectors are. A copy
is at the end of the disk. It is written, but never read in place of the first one:
Linux does not do so either, and it may be older.

Source of the format: UEFI 2.10, 5.3.
"""

from __future__ import annotations

import struct
import typing as t
import uuid
from zlib import crc32

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import dos
from ansible_collections.voc.cluster.plugins.module_utils._image.table import (
    SECTOR,
    SECTOR_SIZES,
    Partition,
    Table,
    plain_name,
)

COUNT = 128  # entries, in what is written

_MAGIC = b"EFI PART"
_REVISION = 0x00010000
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_ENTRIES_LIMIT = 1 << 20  # bytes that are read; usual are 16 KiB
_UNUSED = bytes(16)


class Header(t.NamedTuple):
    """A header as it is on the disk; places in sectors."""

    magic: bytes
    revision: int
    length: int
    checksum: int
    reserved: int
    place: int
    other_place: int
    first_usable: int
    last_usable: int
    identity: bytes
    entries_place: int
    entry_count: int
    entry_size: int
    entries_checksum: int

    @property
    def entries_length(self) -> int:
        """How long all entries are, in bytes."""
        return self.entry_count * self.entry_size


class Entry(t.NamedTuple):
    """An entry as it is on the disk; first and last sector."""

    type: bytes
    identity: bytes
    first: int
    last: int
    attributes: int
    name: bytes


def read(file: t.BinaryIO, disk_size: int, path: str) -> Table:
    """Read the GPT of a disk of `disk_size` bytes; where its partitions lie is not checked.

    Raises:
        DamagedImageError: it is not whole, or there are two for different sectors.
    """
    tables = [table for size in SECTOR_SIZES if (table := _read_at(file, 1, size, disk_size))]
    if len(tables) == 1:
        return tables[0]
    if tables:
        raise DamagedImageError(
            "it has one GPT for sectors of 512 bytes and one for sectors of 4096",
            where=path,
            hint="write its partition table anew",
        )
    if any(_read_at(file, disk_size // size - 1, size, disk_size) for size in SECTOR_SIZES):
        raise DamagedImageError(
            "its GPT is damaged, but the copy at the end of the disk is whole",
            where=path,
            hint="repair a copy of the image (fdisk reads that copy, and its command w writes both) and give that",
        )
    raise DamagedImageError(
        "its GPT is damaged or cut short, or made for sectors that are neither of 512 nor of 4096 bytes",
        where=path,
        hint="fetch the image again",
    )


def _read_at(file: t.BinaryIO, place: int, sector_size: int, disk_size: int) -> Table | None:
    """Return the table whose header is in this sector, if both are whole and fit the disk."""
    file.seek(max(place, 0) * sector_size)
    header = _header(file.read(sector_size), place, disk_size // sector_size)
    if header is None:
        return None
    file.seek(header.entries_place * sector_size)
    raw = file.read(header.entries_length)
    if len(raw) < header.entries_length or crc32(raw) != header.entries_checksum:
        return None
    # What entries have beyond their first 128 bytes is for the future.
    entries = (Entry(*_ENTRY.unpack_from(raw, index * header.entry_size)) for index in range(header.entry_count))
    partitions = (_partition(number, entry) for number, entry in enumerate(entries, start=1) if entry.type != _UNUSED)
    return Table("gpt", tuple(partitions), sector_size, _guid(header.identity))


def _header(sector: bytes, place: int, sectors: int) -> Header | None:
    """Return a header that is whole, in its own place, and of a disk with so many sectors."""
    if len(sector) < _HEADER.size:
        return None
    header = Header(*_HEADER.unpack_from(sector))
    whole = (
        header.magic == _MAGIC
        and _HEADER.size <= header.length <= len(sector)
        and header.checksum == _checksum(sector[: header.length])
    )
    fits = header.place == place and header.entries_place < sectors and header.last_usable < sectors
    bounded = header.entry_size >= _ENTRY.size and header.entries_length <= _ENTRIES_LIMIT
    return header if whole and fits and bounded else None


def _checksum(header: bytes) -> int:
    """Return a header's CRC, for which its own field counts as zero."""
    return crc32(header[:16] + bytes(4) + header[20:])


def _partition(number: int, entry: Entry) -> Partition:
    return Partition(
        number=number,
        start=entry.first,
        size=entry.last - entry.first + 1,
        type=_guid(entry.type),
        uuid=_guid(entry.identity),
        name=plain_name(entry.name.decode("utf-16-le", "replace").partition("\0")[0]),
        attributes=entry.attributes,
    )


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)).upper()


def write(file: t.BinaryIO, table: Table, disk_size: int) -> None:
    """Write a table, its copy, and the DOS table that protects both; boot code stays.

    What has no identifier gets a random one.
    """
    size, sectors = table.sector_size, disk_size // table.sector_size
    entries = bytearray(COUNT * _ENTRY.size)
    for part in table.partitions:
        _ENTRY.pack_into(entries, (part.number - 1) * _ENTRY.size, *_entry(part))
    room = len(entries) // size
    header = Header(
        magic=_MAGIC,
        revision=_REVISION,
        length=_HEADER.size,
        checksum=0,
        reserved=0,
        place=1,
        other_place=sectors - 1,
        first_usable=2 + room,
        last_usable=sectors - 2 - room,
        identity=_identity(table.id),
        entries_place=2,
        entry_count=COUNT,
        entry_size=_ENTRY.size,
        entries_checksum=crc32(entries),
    )
    copy = header._replace(place=sectors - 1, other_place=1, entries_place=sectors - 1 - room)
    for each in (copy, header):
        file.seek(each.entries_place * size)
        file.write(entries)
        file.seek(each.place * size)
        file.write(_sealed(each).ljust(size, b"\0"))
    dos.write_sector(file, [dos.protective(sectors), dos.EMPTY, dos.EMPTY, dos.EMPTY])
    file.write(bytes(size - SECTOR))  # where a GPT for smaller sectors would be


def _entry(part: Partition) -> Entry:
    return Entry(
        type=_identity(part.type),
        identity=_identity(part.uuid),
        first=part.start,
        last=part.start + part.size - 1,
        attributes=part.attributes,
        name=(part.name or "").encode("utf-16-le"),
    )


def _identity(guid: str | None) -> bytes:
    return (uuid.UUID(guid) if guid else uuid.uuid4()).bytes_le


def _sealed(header: Header) -> bytes:
    """Return a header's bytes with their checksum."""
    return _HEADER.pack(*header._replace(checksum=_checksum(_HEADER.pack(*header))))


__all__ = ["COUNT", "read", "write"]
