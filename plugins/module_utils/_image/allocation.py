# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What an image's own tables say of its data: all of it in the file, and no more than the file has.

A small file whose table entries all point to one place reads as a huge disk
full of data. ``qemu-img check`` knows no VHD, lets that pass in VMDK and VHDX,
and in a qcow2 whose reference counts agree (QEMU 7.2); it takes its time, too. So the lengths of
everything that the tables point to are added up. Where the sum is not more than
the file, such an image writes no more than an honest one of its length could.

Each walk reads the tables one after the other, and as they count too, it ends
when as much was read as the file is long.
"""

from __future__ import annotations

import os
import struct
import typing as t
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, UnsafeImageError
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import (
    read_at,
    vhdx_disk,
    vhdx_region,
    vmdk_header,
)

_FETCH = "fetch the image again"
_SECTOR = 512
_PIECE = 64 << 10  # of a table, in bytes


@dataclass(frozen=True)
class Claim:
    """What a piece of a table points to; in bytes.

    Attributes:
        reach: the last place that must be in the file, counted from its beginning.
        length: of all together.
        unit: of each.
    """

    reach: int
    length: int
    unit: int = 0


def require_held(container: str, path: str) -> None:
    """Refuse an image whose tables point outside its file, or to more than is in it.

    Raises:
        DamagedImageError: the file ends before what they point to, or they make no sense.
        UnsafeImageError: several places of the disk share the file's data.
    """
    walk = _WALKS.get(container)
    if walk is None:
        return
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        total = 0
        for claim in walk(file, path):
            if claim.reach >= size:
                raise DamagedImageError(f"the {container} image is cut short", where=path, hint=_FETCH)
            total += claim.length
            if total > size + claim.unit:  # of the last one only the beginning may have been written
                raise UnsafeImageError(
                    f"the {container} image uses the same data for several places of its disk",
                    where=path,
                    hint="convert it to raw where it comes from, and give that",
                )


def _entries(file: t.BinaryIO, path: str, offset: int, count: int, code: str) -> Iterator[tuple[int, ...]]:
    """Yield `count` numbers from `offset` on, a piece of the table at a time; `code` is struct's for one."""
    width = struct.calcsize(code)
    for first in range(0, count, _PIECE // width):
        number = min(count - first, _PIECE // width)
        data = read_at(file, offset + first * width, number * width, path)
        yield struct.unpack(f"{code[0]}{number}{code[1:]}", data)


# qcow2: QEMU, docs/interop/qcow2.txt.

_QCOW2_OFFSET = 0x00FFFFFFFFFFFE00
_QCOW2_COMPRESSED = 1 << 62
_QCOW2_EXTENDED_L2 = 1 << 4
_QCOW2_LARGEST_L1 = 32 << 20  # bytes: QEMU opens no larger one


def _qcow2(file: t.BinaryIO, path: str) -> Iterator[Claim]:
    header = read_at(file, 0, 72, path)
    (version,) = struct.unpack_from(">I", header, 4)
    (bits, virtual_size) = struct.unpack_from(">IQ", header, 20)
    l1_size, l1_offset, counts, count_clusters = struct.unpack_from(">IQQI", header, 36)
    (features,) = struct.unpack(">Q", read_at(file, 72, 8, path)) if version > 2 else (0,)
    if not 9 <= bits <= 21:
        raise DamagedImageError("the qcow2 image's clusters are of no size", where=path, hint=_FETCH)
    width = 16 if features & _QCOW2_EXTENDED_L2 else 8
    needed = -(-virtual_size // ((1 << bits) // width << bits))
    if l1_size < needed or needed * 8 > _QCOW2_LARGEST_L1:
        raise DamagedImageError("the qcow2 image's tables do not fit its size", where=path, hint=_FETCH)
    yield Claim(counts + (max(count_clusters, 1) << bits) - 1, 0)
    for tables in _entries(file, path, l1_offset, needed, ">Q"):
        for place in (entry & _QCOW2_OFFSET for entry in tables if entry & _QCOW2_OFFSET):
            yield Claim(place + (1 << bits) - 1, 1 << bits, 1 << bits)
            for entries in _entries(file, path, place, (1 << bits) // 8, ">Q"):
                yield _qcow2_clusters(entries[:: width // 8], bits)


def _qcow2_clusters(entries: Sequence[int], bits: int) -> Claim:
    """Add up what entries of an L2 table point to.

    Compressed clusters may begin and end anywhere in a sector, so only whole sectors count.
    """
    whole = [entry & _QCOW2_OFFSET for entry in entries if not entry & _QCOW2_COMPRESSED and entry & _QCOW2_OFFSET]
    packed = [entry for entry in entries if entry & _QCOW2_COMPRESSED]
    shift = 62 - (bits - 8)
    places = [entry & ((1 << shift) - 1) for entry in packed]
    sectors = sum((entry & (_QCOW2_COMPRESSED - 1)) >> shift for entry in packed)
    return Claim(max([*whole, *places], default=0), (len(whole) << bits) + sectors * _SECTOR + len(packed), 1 << bits)


# VMDK: VMware, "Virtual Disk Format 5.0"; QEMU, block/vmdk.c.

_VMDK_ZERO_GRAINS = 1 << 2
_VMDK_MARKERS = 1 << 17
_VMDK_DEFLATE = 1
_VMDK_LARGEST = (512, 0x200000, 32 << 20)  # entries of a table, sectors of a grain, tables: QEMU opens no larger ones


def _vmdk(file: t.BinaryIO, path: str) -> Iterator[Claim]:
    header = vmdk_header(file, path)
    flags, capacity, grain = struct.unpack_from("<IQQ", header, 8)
    (count,) = struct.unpack_from("<I", header, 44)
    (directory,) = struct.unpack_from("<Q", header, 56)
    (method,) = struct.unpack_from("<H", header, 77)
    tables = -(-capacity // (grain * count)) if grain and count else 0
    if not tables or any(value > limit for value, limit in zip((count, grain, tables), _VMDK_LARGEST)):
        raise DamagedImageError("the VMDK image's tables do not fit its size", where=path, hint=_FETCH)
    none = (0, 1) if flags & _VMDK_ZERO_GRAINS else (0,)  # one is a grain of zeros
    packed = method == _VMDK_DEFLATE and flags & _VMDK_MARKERS
    for places in _entries(file, path, directory * _SECTOR, tables, "<I"):
        for place in filter(None, places):
            yield Claim(place * _SECTOR + count * 4 - 1, count * 4)
            for entries in _entries(file, path, place * _SECTOR, count, "<I"):
                used = [entry for entry in entries if entry not in none]
                length = sum(_vmdk_packed(file, entry) for entry in used) if packed else len(used) * grain * _SECTOR
                yield Claim(max(used, default=0) * _SECTOR, length, grain * _SECTOR)


def _vmdk_packed(file: t.BinaryIO, sector: int) -> int:
    """Return the length in bytes of a compressed grain, which begins with its place and its length."""
    marker = os.pread(file.fileno(), 12, sector * _SECTOR).ljust(12, b"\0")
    return -(-(12 + int(struct.unpack_from("<I", marker, 8)[0])) // _SECTOR) * _SECTOR


# VDI: VirtualBox, VDICore.h; QEMU, block/vdi.c.

_VDI_UNUSED = 0xFFFFFFFE  # that, and one more: a block of zeros, and none


def _vdi(file: t.BinaryIO, path: str) -> Iterator[Claim]:
    header = read_at(file, 0, 512, path)
    table, data = struct.unpack_from("<II", header, 0x154)
    block, _extra, count = struct.unpack_from("<III", header, 0x178)
    if not block or block % _SECTOR:
        raise DamagedImageError("the VDI image's blocks are of no size", where=path, hint=_FETCH)
    for entries in _entries(file, path, table, count, "<I"):
        used = [entry for entry in entries if entry < _VDI_UNUSED]
        yield Claim(data + max(used) * block if used else 0, len(used) * block, block)


# VHD: Microsoft, "Virtual Hard Disk Image Format Specification".

_VHD_FIXED = 2
_VHD_UNUSED = 0xFFFFFFFF


def _vhd(file: t.BinaryIO, path: str) -> Iterator[Claim]:
    footer = read_at(file, -512, 512, path)
    if struct.unpack_from(">I", footer, 60)[0] == _VHD_FIXED:
        return
    (place,) = struct.unpack_from(">Q", footer, 16)
    header = read_at(file, place, 1024, path)
    (table,) = struct.unpack_from(">Q", header, 16)
    count, block = struct.unpack_from(">II", header, 28)
    if not header.startswith(b"cxsparse") or block < _SECTOR or block & (block - 1):
        raise DamagedImageError("the VHD image's dynamic header is damaged", where=path, hint=_FETCH)
    bitmap = -(-block // _SECTOR // 8 // _SECTOR) * _SECTOR
    for entries in _entries(file, path, table, count, ">I"):
        used = [entry for entry in entries if entry != _VHD_UNUSED]
        yield Claim(max(used, default=0) * _SECTOR, len(used) * (bitmap + block), bitmap + block)


# VHDX: Microsoft, [MS-VHDX], 2.5.

_VHDX_BAT = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
_VHDX_PRESENT = (6, 7)  # fully, partially
_VHDX_OFFSET = ~0xFFFFF  # in whole MiB


def _vhdx(file: t.BinaryIO, path: str) -> Iterator[Claim]:
    disk = vhdx_disk(file, path)
    blocks = -(-disk.size // disk.block)
    # After so many blocks comes one entry for the bitmap of a difference.
    ratio = (disk.sector << 23) // disk.block
    for entries in _entries(file, path, vhdx_region(file, path, _VHDX_BAT), blocks + (blocks - 1) // ratio, "<Q"):
        used = [entry & _VHDX_OFFSET for entry in entries if entry & 7 in _VHDX_PRESENT]
        yield Claim(max(used, default=0), len(used) * disk.block, disk.block)


_WALKS: dict[str, Callable[[t.BinaryIO, str], Iterator[Claim]]] = {
    "qcow2": _qcow2,
    "vdi": _vdi,
    "vmdk": _vmdk,
    "vhd": _vhd,
    "vhdx": _vhdx,
}

__all__ = ["Claim", "require_held"]
