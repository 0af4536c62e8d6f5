# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What makes an image unacceptable, before any other program sees it.

An image may name other files of the builder and so read them into itself
(CVE-2015-5163, CVE-2024-32498), or claim a size that fills the builder. Each
check here is on the bytes of the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import Probe

QCOW2_HEADER = 104

# QEMU, docs/interop/qcow2.txt: incompatible feature bits.
_QCOW2_DIRTY = 1 << 0
_QCOW2_CORRUPT = 1 << 1
_QCOW2_DATA_FILE = 1 << 2
_QCOW2_COMPRESSION = 1 << 3
_QCOW2_EXTENDED_L2 = 1 << 4
_QCOW2_KNOWN = _QCOW2_DIRTY | _QCOW2_CORRUPT | _QCOW2_DATA_FILE | _QCOW2_COMPRESSION | _QCOW2_EXTENDED_L2

_FLATTEN = "flatten it where its parts are: qemu-img convert -O qcow2 IMAGE FLAT.qcow2"


@dataclass(frozen=True)
class Qcow2Header:
    """The fields of a qcow2 header that decide whether it is acceptable.

    Attributes:
        version: 2 or 3.
        virtual_size: the size the guest sees, in bytes.
        has_backing_file: it is an overlay of another file.
        encrypted: its clusters are encrypted.
        incompatible: feature bits that a reader must know.
    """

    version: int
    virtual_size: int
    has_backing_file: bool
    encrypted: bool
    incompatible: int


def parse_qcow2(header: bytes, path: str) -> Qcow2Header:
    """Read a qcow2 header (the first 104 bytes of the file).

    Raises:
        DamagedImageError: it is cut short or of a version that nobody defined.
    """
    if len(header) < 72:
        raise DamagedImageError("the qcow2 header is cut short", where=path, hint="fetch the image again")
    version, backing = struct.unpack_from(">IQ", header, 4)
    virtual_size, crypt = struct.unpack_from(">QI", header, 24)
    if version == 1:
        raise InputError("qcow version 1 is not supported", where=path, hint=_FLATTEN)
    if version not in (2, 3):
        raise DamagedImageError(f"qcow2 has no version {version}", where=path, hint="fetch the image again")
    incompatible = 0
    if version == 3:
        if len(header) < QCOW2_HEADER:
            raise DamagedImageError("the qcow2 header is cut short", where=path, hint="fetch the image again")
        (incompatible,) = struct.unpack_from(">Q", header, 72)
    return Qcow2Header(version, virtual_size, backing != 0, crypt != 0, incompatible)


def check_qcow2(header: Qcow2Header, path: str) -> None:
    """Refuse a qcow2 image that is more, or less, than one self-contained disk.

    Raises:
        UnsafeImageError: it refers to other files.
        DamagedImageError: it is marked corrupt.
        InputError: it uses something that is not supported.
    """
    if header.has_backing_file:
        raise UnsafeImageError("the qcow2 image has a backing file", where=path, hint=_FLATTEN)
    if header.incompatible & _QCOW2_DATA_FILE:
        raise UnsafeImageError("the qcow2 image keeps its data in another file", where=path, hint=_FLATTEN)
    if header.incompatible & ~_QCOW2_KNOWN:
        unknown = header.incompatible & ~_QCOW2_KNOWN
        raise UnsafeImageError(f"the qcow2 image has unknown features {unknown:#x}", where=path, hint=_FLATTEN)
    if header.incompatible & _QCOW2_CORRUPT:
        raise DamagedImageError("the qcow2 image is marked corrupt", where=path, hint="fetch the image again")
    if header.encrypted:
        raise InputError("the qcow2 image is encrypted", where=path, hint="decrypt it first")


def check_virtual_size(size: int, path: str, maximum: int) -> None:
    """Refuse a virtual size (bytes) of nothing, or above `maximum`.

    Raises:
        UnsafeImageError: it is too large.
        DamagedImageError: it is zero.
    """
    if size == 0:
        raise DamagedImageError("its virtual size is 0", where=path, hint="fetch the image again")
    if size > maximum:
        raise UnsafeImageError(
            f"its virtual size is {size} bytes, more than the maximum of {maximum}",
            where=path,
            hint="raise max_virtual_size if this is right",
        )


def check_declared(seen: Probe, declared: str | None, path: str) -> None:
    """Refuse a file that is not of the format its owner declared.

    Raises:
        UnsafeImageError: the bytes say something else.
    """
    if declared is None or seen.container is None or declared == seen.container:
        return
    raise UnsafeImageError(
        f"it was declared to be {declared} but its bytes are those of {seen.container}",
        where=path,
        hint="declare the format it really has, or fetch the image again",
    )


__all__ = [
    "QCOW2_HEADER",
    "Qcow2Header",
    "check_declared",
    "check_qcow2",
    "check_virtual_size",
    "parse_qcow2",
]
