# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a ustar archive holds, read without trust and without following anything.

The format is POSIX.1-1988's (man 5 tar, "POSIX ustar Archives"), and nothing
later: the extensions of pax and GNU have headers of any length that speak of
the next one, which a reader must hold in memory. Names are plain text. A
member's content is left where it is in the archive.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, UnsafeImageError

BLOCK = 512

_KINDS = {b"0": "file", b"\0": "file", b"2": "symlink", b"5": "directory"}
_MAGIC = b"ustar\x0000"
_NUMBER = re.compile(rb" *([0-7]+)[ \0]*")
_CHECKSUM = slice(148, 156)


@dataclass(frozen=True)
class Member:
    """A file, directory or symbolic link in an archive.

    Attributes:
        name: as the archive has it; it may be anything printable.
        target: of a symbolic link.
        offset, size: where the content of a file lies in the archive, in bytes.
    """

    name: str
    kind: str
    target: str
    offset: int
    size: int


def members(file: t.BinaryIO, where: str) -> Iterator[Member]:
    """Yield the members of an open archive, which may be moved in meanwhile.

    Args:
        where: what messages call the archive.

    Raises:
        DamagedImageError: it is no such archive, or cut short.
        UnsafeImageError: it holds something other than files, directories and symbolic links.
    """
    end = os.fstat(file.fileno()).st_size
    offset = 0
    while True:
        file.seek(offset)
        header = file.read(BLOCK)
        if len(header) < BLOCK:
            raise _damaged("the archive ends too early", where)
        if not any(header):
            return
        member = _parse(header, offset + BLOCK, where)
        offset += BLOCK + -(-member.size // BLOCK) * BLOCK
        if offset > end:
            raise _damaged("the archive ends too early", where)
        yield member


def _parse(header: bytes, offset: int, where: str) -> Member:
    if header[257:265] != _MAGIC:
        raise _damaged("it is not a ustar archive", where)
    unsigned = sum(header[: _CHECKSUM.start]) + 8 * ord(" ") + sum(header[_CHECKSUM.stop :])
    if _number(header[_CHECKSUM], where) != unsigned:
        raise _damaged("a header of the archive has a wrong checksum", where)
    name, target, prefix = (_text(header[start:stop], where) for start, stop in ((0, 100), (157, 257), (345, 500)))
    kind = _KINDS.get(header[156:157])
    name = f"{prefix}/{name}" if prefix else name
    if kind is None:
        raise UnsafeImageError(
            f"the archive holds {name}, which is neither a file, a directory nor a symbolic link",
            where=where,
            hint="make the archive with tar --format=ustar --hard-dereference",
        )
    size = _number(header[124:136], where) if kind == "file" else 0
    return Member(name, kind, target if kind == "symlink" else "", offset, size)


def _number(field: bytes, where: str) -> int:
    match = _NUMBER.fullmatch(field)
    if not match:
        raise _damaged("a header of the archive has no proper number", where)
    return int(match.group(1), 8)


def _text(field: bytes, where: str) -> str:
    text = field.split(b"\0", 1)[0].decode("ascii", "replace")
    if not text.isprintable() or not text.isascii():
        raise UnsafeImageError("a name in the archive is not plain text", where=where, hint="make the archive again")
    return text


def _damaged(found: str, where: str) -> DamagedImageError:
    return DamagedImageError(found, where=where, hint="make it with tar --format=ustar, or fetch it again")


__all__ = ["BLOCK", "Member", "members"]
