# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a file is, told by its bytes and never by its name."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import open_regular

SECTOR = 512

# Magic numbers at the start of a file, from the formats' own specifications.
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_CONTAINERS = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"COWD": "vmdk",
    b"# Disk DescriptorFile": "vmdk",
    b"vhdxfile": "vhdx",
    b"conectix": "vhd",
    b"QED\x00": "qed",
    b"LUKS\xba\xbe": "luks",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"Bochs Virtual HD Image": "bochs",
}
_VDI_MAGIC = (64, b"\x7f\x10\xda\xbe")
_VHD_FOOTER = b"conectix"

_HEAD = 4096


@dataclass(frozen=True)
class Probe:
    """What a file's outermost bytes say.

    Attributes:
        compression: ``gzip``, ``bzip2``, ``xz`` or ``zstd``; None when there is none.
        container: the image format, ``raw`` when no other is recognised; None
            when the file is compressed, for what is inside is not known yet.
        size: the file's length in bytes.
        allocated: what it occupies on its filesystem, in bytes.
    """

    compression: str | None
    container: str | None
    size: int
    allocated: int

    @property
    def name(self) -> str:
        """The word a user would call this file by."""
        return self.compression or self.container or "raw"


def compression_of(head: bytes) -> str | None:
    """Return the compression whose magic number `head` starts with."""
    for magic, name in _COMPRESSIONS.items():
        if head.startswith(magic):
            return name
    return None


def container_of(head: bytes, tail: bytes = b"") -> str:
    """Return the image format of a file's first bytes and last 512 bytes."""
    for magic, name in _CONTAINERS.items():
        if head.startswith(magic):
            return name
    offset, magic = _VDI_MAGIC
    if head[offset : offset + len(magic)] == magic:
        return "vdi"
    if tail.startswith(_VHD_FOOTER):
        return "vhd"
    return "raw"


def probe(path: str) -> Probe:
    """Look at a file's first and last bytes.

    Raises:
        InputError: there is no such file, it is empty, or not a regular file.
    """
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size == 0:
            raise InputError("the file is empty", where=path, hint="fetch the image again")
        head = file.read(_HEAD)
        file.seek(max(0, status.st_size - SECTOR))
        tail = file.read(SECTOR)
    compression = compression_of(head)
    container = None if compression else container_of(head, tail)
    return Probe(compression, container, status.st_size, status.st_blocks * 512)


def has_partition_table(sector: bytes, sectors: int) -> bool:
    """Say whether the first sector of a raw image holds a partition table.

    The signature alone proves nothing: boot code inside a filesystem carries
    it too. So the four entries must make sense as well, which machine code in
    their place practically never does. One partition at least begins in the
    image; of one that was cut short, others may begin behind its end.

    Args:
        sector: the first 512 bytes.
        sectors: the size of the image in sectors of 512 bytes.
    """
    if len(sector) < SECTOR or sector[510:512] != b"\x55\xaa":
        return False
    inside = 0
    for index in range(4):
        status, kind, start, length = struct.unpack_from("<B3xB3xII", sector, 446 + 16 * index)
        if status not in (0x00, 0x80):
            return False
        if kind == 0:
            continue
        if start == 0 or length == 0:
            return False
        inside += start < sectors
    return inside > 0


__all__ = ["SECTOR", "Probe", "compression_of", "container_of", "has_partition_table", "probe"]
