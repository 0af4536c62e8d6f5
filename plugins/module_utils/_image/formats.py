# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The image formats: how large an image of each is, and whether it is one self-contained disk.

Headers are read by us before any other program sees the file. What an image
may refer to (a parent, an extent in another file) is refused here, by the
bytes that qemu-img would go by.
"""

from __future__ import annotations

import os
import re
import struct
import typing as t
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import safety

_FLATTEN = "flatten it where its parts are, with qemu-img convert"
_FETCH = "fetch the image again"


@dataclass(frozen=True)
class Format:
    """An image format.

    Attributes:
        driver: what QEMU calls it.
        virtual_size: returns what the guest sees, in bytes, or refuses the image.
        subformats: the kinds of output, the default one first.
        checked: whether qemu-img can check its consistency.
        reading: options with which QEMU reads it as we do.
    """

    driver: str
    virtual_size: Callable[[t.BinaryIO, str], int]
    subformats: tuple[str, ...] = ()
    checked: bool = False
    reading: tuple[str, ...] = ()


def read_at(file: t.BinaryIO, offset: int, length: int, path: str) -> bytes:
    """Return `length` bytes at `offset` (from the end when negative).

    Raises:
        DamagedImageError: the file does not reach that far.
    """
    size = file.seek(0, os.SEEK_END)
    start = offset if offset >= 0 else size + offset
    if start < 0 or start + length > size:
        raise DamagedImageError("the image's header is cut short", where=path, hint=_FETCH)
    file.seek(start)
    return file.read(length)


def _raw_size(file: t.BinaryIO, path: str) -> int:
    del path
    return file.seek(0, os.SEEK_END)


def _qcow2_size(file: t.BinaryIO, path: str) -> int:
    file.seek(0)
    header = safety.parse_qcow2(file.read(safety.QCOW2_HEADER), path)
    safety.check_qcow2(header, path)
    return header.virtual_size


# VMDK: VMware, "Virtual Disk Format 5.0"; QEMU, block/vmdk.c.

_VMDK_SPARSE = b"KDMV"
_VMDK_AT_END = 0xFFFFFFFFFFFFFFFF
_VMDK_FOOTER = -1024  # a copy of the header, before the end-of-stream marker
_VMDK_DESCRIPTOR = 20 * 512  # as much of it as QEMU reads
_VMDK_TYPES = ("monolithicSparse", "streamOptimized")


def vmdk_header(file: t.BinaryIO, path: str) -> bytes:
    """Return the header of a VMDK image that QEMU believes: the copy at the end where there is one.

    Raises:
        UnsafeImageError: it is only a descriptor.
        DamagedImageError: the copy says something else.
    """
    if read_at(file, 0, 4, path) != _VMDK_SPARSE:
        raise UnsafeImageError("the VMDK image only describes other files", where=path, hint=_FLATTEN)
    header = read_at(file, 0, 512, path)
    if _vmdk_fields(header)[3] != _VMDK_AT_END:
        return header
    footer = read_at(file, _VMDK_FOOTER, 512, path)
    if not footer.startswith(_VMDK_SPARSE) or _vmdk_fields(footer)[:3] != _vmdk_fields(header)[:3]:
        raise DamagedImageError("the VMDK image's footer differs from its header", where=path, hint=_FETCH)
    return footer


def _vmdk_size(file: t.BinaryIO, path: str) -> int:
    capacity, _grain, descriptor, _directory = _vmdk_fields(vmdk_header(file, path))
    if capacity == 0 or descriptor == 0:
        raise UnsafeImageError("the VMDK image keeps its data in other files", where=path, hint=_FLATTEN)
    _check_vmdk_descriptor(read_at(file, descriptor * 512, _VMDK_DESCRIPTOR, path), path)
    return capacity * 512


def _vmdk_fields(header: bytes) -> tuple[int, int, int, int]:
    capacity, grain, descriptor = struct.unpack_from("<QQQ", header, 12)
    (directory,) = struct.unpack_from("<Q", header, 56)
    return capacity, grain, descriptor, directory


def _check_vmdk_descriptor(area: bytes, path: str) -> None:
    """Refuse a descriptor of anything but one sparse extent in this very file, without a parent."""
    if b"parentFileNameHint" in area:
        raise UnsafeImageError("the VMDK image has a parent", where=path, hint=_FLATTEN)
    text = area.split(b"\0", 1)[0].decode("utf-8", "replace")
    kinds = re.findall(r'^\s*createType\s*=\s*"?([^"\n]*)"?', text, re.MULTILINE)
    if len(kinds) != 1 or kinds[0] not in _VMDK_TYPES:
        raise UnsafeImageError(
            f"VMDK images of type {', '.join(kinds) or 'none'} are not accepted", where=path, hint=_FLATTEN
        )
    extents = re.findall(r"^\s*(?:RW|RDONLY|NOACCESS)\s.*$", text, re.MULTILINE)
    if len(extents) != 1 or not re.fullmatch(r'\s*RW \d+ SPARSE "[^"/]*"\s*', extents[0]):
        raise UnsafeImageError("the VMDK image keeps its data in other files", where=path, hint=_FLATTEN)


# VDI: VirtualBox, VDICore.h; QEMU, block/vdi.c.

_VDI_DYNAMIC, _VDI_STATIC = 1, 2


def _vdi_size(file: t.BinaryIO, path: str) -> int:
    header = read_at(file, 0, 512, path)
    version, _length, kind = struct.unpack_from("<III", header, 0x44)
    (size,) = struct.unpack_from("<Q", header, 0x170)
    if version != 0x00010001:
        raise InputError(f"VDI version {version:#x} is not supported", where=path, hint="convert it to qcow2 or raw")
    links = header[0x1A8:0x1C8]  # of the image that this one continues, and of its parent
    if kind not in (_VDI_DYNAMIC, _VDI_STATIC) or any(links):
        raise UnsafeImageError("the VDI image is a difference to another one", where=path, hint=_FLATTEN)
    (data,) = struct.unpack_from("<I", header, 0x158)
    block, _extra, _blocks, allocated = struct.unpack_from("<IIII", header, 0x178)
    if data + block * allocated > file.seek(0, os.SEEK_END):
        # QEMU would read what is not there as zeros, and its check does not notice.
        raise DamagedImageError("the VDI image is cut short", where=path, hint=_FETCH)
    return int(size)


# VHD: Microsoft, "Virtual Hard Disk Image Format Specification".

_VHD_COOKIE = b"conectix"
_VHD_KINDS = {2: "fixed", 3: "dynamic"}


def _vhd_size(file: t.BinaryIO, path: str) -> int:
    footer = read_at(file, -512, 512, path)
    if not footer.startswith(_VHD_COOKIE):
        # A dynamic image begins with a copy; QEMU goes by that one.
        raise DamagedImageError("the VHD image is cut short: its footer is missing", where=path, hint=_FETCH)
    head = read_at(file, 0, 512, path)
    if head.startswith(_VHD_COOKIE) and head != footer:
        raise DamagedImageError("the VHD image's footer differs from its header", where=path, hint=_FETCH)
    (size,) = struct.unpack_from(">Q", footer, 48)
    kind, checksum = struct.unpack_from(">II", footer, 60)
    if kind not in _VHD_KINDS:
        raise UnsafeImageError("the VHD image is a difference to another one", where=path, hint=_FLATTEN)
    if checksum != ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF:
        raise DamagedImageError("the VHD image's footer has a wrong checksum", where=path, hint=_FETCH)
    if _VHD_KINDS[kind] == "dynamic" and not head.startswith(_VHD_COOKIE):
        raise DamagedImageError("the VHD image's header is missing", where=path, hint=_FETCH)
    if _VHD_KINDS[kind] == "fixed" and size + len(footer) > file.seek(0, os.SEEK_END):
        raise DamagedImageError("the VHD image is cut short", where=path, hint=_FETCH)
    return int(size)


# VHDX: Microsoft, [MS-VHDX].

_VHDX_REGIONS = (192 << 10, 256 << 10)
_VHDX_HEADERS = (64 << 10, 128 << 10)
_VHDX_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_VHDX_FILE = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_VHDX_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_VHDX_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_VHDX_HAS_PARENT = 1 << 1
_VHDX_BLOCKS = tuple(1 << shift for shift in range(20, 29))
_VHDX_ENTRIES = 2047


@dataclass(frozen=True)
class VhdxDisk:
    """What a VHDX image says of its disk: its size, and that of its blocks and sectors, in bytes."""

    size: int
    block: int
    sector: int


def vhdx_disk(file: t.BinaryIO, path: str) -> VhdxDisk:
    """Read the metadata of a VHDX image.

    Raises:
        DamagedImageError: they are not all there, or cannot be.
        UnsafeImageError: it has a parent.
    """
    place = vhdx_region(file, path, _VHDX_METADATA)
    table = read_at(file, place, 64 << 10, path)
    if table[:8] != b"metadata":
        raise DamagedImageError("the VHDX image has no metadata", where=path, hint=_FETCH)
    (count,) = struct.unpack_from("<H", table, 10)
    items = {}
    for index in range(min(count, _VHDX_ENTRIES)):
        name, offset = uuid.UUID(bytes_le=table[32 + 32 * index : 48 + 32 * index]), 48 + 32 * index
        items[name] = place + struct.unpack_from("<I", table, offset)[0]
    if not items.keys() >= {_VHDX_FILE, _VHDX_SIZE, _VHDX_SECTOR}:
        raise DamagedImageError("the VHDX image does not say how large it is", where=path, hint=_FETCH)
    block, flags = struct.unpack("<II", read_at(file, items[_VHDX_FILE], 8, path))
    if flags & _VHDX_HAS_PARENT:
        raise UnsafeImageError("the VHDX image is a difference to another one", where=path, hint=_FLATTEN)
    (size,) = struct.unpack("<Q", read_at(file, items[_VHDX_SIZE], 8, path))
    (sector,) = struct.unpack("<I", read_at(file, items[_VHDX_SECTOR], 4, path))
    if block not in _VHDX_BLOCKS or sector not in (512, 4096):
        raise DamagedImageError("the VHDX image has blocks or sectors of an unknown size", where=path, hint=_FETCH)
    return VhdxDisk(size, block, sector)


def _vhdx_size(file: t.BinaryIO, path: str) -> int:
    _require_clean_vhdx_log(file, path)
    return vhdx_disk(file, path).size


def vhdx_region(file: t.BinaryIO, path: str, name: uuid.UUID) -> int:
    """Return where a region of a VHDX image begins, in bytes.

    Raises:
        DamagedImageError: the region table does not tell.
    """
    for place in _VHDX_REGIONS:
        table = read_at(file, place, 64 << 10, path)
        signature, _checksum, count = struct.unpack_from("<4sII", table)
        if signature != b"regi":
            continue
        for index in range(min(count, _VHDX_ENTRIES)):
            entry = 16 + 32 * index
            if uuid.UUID(bytes_le=table[entry : entry + 16]) == name:
                return int(struct.unpack_from("<Q", table, entry + 16)[0])
    raise DamagedImageError("the VHDX image's region table is damaged", where=path, hint=_FETCH)


def _require_clean_vhdx_log(file: t.BinaryIO, path: str) -> None:
    """Refuse an image whose log was not replayed: that would write to the source."""
    headers = [read_at(file, place, 4096, path) for place in _VHDX_HEADERS]
    valid = [header for header in headers if header[:4] == b"head"]
    if not valid:
        raise DamagedImageError("the VHDX image's headers are damaged", where=path, hint=_FETCH)
    newest = max(valid, key=lambda header: struct.unpack_from("<Q", header, 8)[0])
    if any(newest[48:64]):
        raise DamagedImageError(
            "the VHDX image was not closed cleanly", where=path, hint="let qemu-img check -r all mend a copy of it"
        )


FORMATS = {
    "raw": Format("raw", _raw_size),
    "qcow2": Format("qcow2", _qcow2_size, checked=True),
    "vmdk": Format("vmdk", _vmdk_size, _VMDK_TYPES, checked=True),
    "vdi": Format("vdi", _vdi_size, checked=True),
    # QEMU would take the size from the footer's geometry, which is rounded down, unless it knows the creator.
    "vhd": Format("vpc", _vhd_size, ("dynamic", "fixed"), reading=("force_size_calc=current_size",)),
    "vhdx": Format("vhdx", _vhdx_size, ("dynamic", "fixed"), checked=True),
}


def virtual_size(container: str, path: str) -> int:
    """Return what the guest sees of an image, in bytes.

    Raises:
        InputError: the format is not supported.
        UnsafeImageError, DamagedImageError: the image is refused.
    """
    known = FORMATS.get(container)
    if known is None:
        raise InputError(f"the format {container} is not supported", where=path, hint="convert it to qcow2 or raw")
    with open(path, "rb") as file:
        return known.virtual_size(file, path)


__all__ = [
    "FORMATS",
    "Format",
    "VhdxDisk",
    "read_at",
    "vhdx_disk",
    "vhdx_region",
    "virtual_size",
    "vmdk_header",
]
