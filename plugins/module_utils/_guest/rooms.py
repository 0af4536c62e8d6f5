# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Puts files of the builder into an ext filesystem without a copy on the way.

``debugfs write`` copies a file block by block, and an undo file keeps what each of these
blocks held before, though they were free. So debugfs only makes room for the file:
extents that count as unwritten (``fallocate``). The content is copied into them in the
image file, by the kernel where it can, and then debugfs declares them written. No journal
and no checksum of ext covers the content of files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import Session
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import HostFile
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

# What ``dump_extents`` prints of each unwritten extent: blocks of the file, then those of the filesystem.
_UNWRITTEN = re.compile(rb" (\d+) - +(\d+) +(\d+) - +\d+ +\d+ Uninit$", re.MULTILINE)


@dataclass(frozen=True)
class Extent:
    """Blocks that follow one another, both in a file and on its filesystem.

    Attributes:
        logical: the first of them in the file.
        physical: the first of them on the filesystem.
    """

    logical: int
    physical: int
    count: int


@dataclass(frozen=True)
class Room:
    """A new file that is to get the content of one on the builder; `word` is its path, quoted for debugfs."""

    word: str
    source: HostFile


def make(word: str, size: int, block_size: int) -> list[str]:
    """Return the commands that make an empty file with room for `size` bytes."""
    last = -(-size // block_size) - 1
    allocation = [f"fallocate {word} 0 {last}"] if size else []
    return [f"write {os.devnull} {word}", *allocation, f"set_inode_field {word} size {size}"]


def fill(session: Session, volume: Volume, block_size: int, rooms: Sequence[Room]) -> None:
    """Give files whose room was made their content.

    Raises:
        ComplaintError: debugfs cannot do its part.
        ToolError: the room is not what was asked for.
    """
    written: list[str] = []
    shown = session.ask([f"dump_extents -l {room.word}" for room in rooms])
    with open(volume.path, "r+b") as image:
        for room, extents in zip(rooms, map(parse_extents, shown)):
            _require_exact(extents, room, volume, block_size)
            with open(room.source.path, "rb") as source:
                for extent in extents:
                    _copy(source.fileno(), image.fileno(), room.source, extent, volume.offset, block_size)
            written += _declare(room.word, extents)
    session.do(written)


def parse_extents(shown: bytes) -> list[Extent]:
    """Read the unwritten extents from what ``dump_extents -l`` printed of a file."""
    found = (map(int, numbers) for numbers in _UNWRITTEN.findall(shown))
    return [Extent(first, physical, last - first + 1) for first, last, physical in found]


def _require_exact(extents: Sequence[Extent], room: Room, volume: Volume, block_size: int) -> None:
    """Refuse extents that are not one after the other what the file needs, or not all in the filesystem."""
    end = 0
    for extent in extents:
        if extent.logical != end or (extent.physical + extent.count) * block_size > volume.size:
            end = -1
            break
        end += extent.count
    if end != -(-room.source.size // block_size):
        raise ToolError(f"debugfs made no proper room for {room.word}", where=volume.path)


def _copy(source: int, image: int, file: HostFile, extent: Extent, offset: int, block_size: int) -> None:
    """Copy what belongs into an extent, and zeros to its end."""
    begin, room = extent.logical * block_size, extent.count * block_size
    length = min(room, file.size - begin)
    target = offset + extent.physical * block_size
    blocks.overwrite(source, image, source_offset=file.offset + begin, target_offset=target, length=length)
    os.pwrite(image, bytes(room - length), target + length)


def _declare(word: str, extents: Sequence[Extent]) -> list[str]:
    """Return the commands after which extents count as written."""
    if not extents:
        return []
    commands = [f"extent_open {word}"]
    for extent in extents:
        commands += [
            f"goto_block {extent.logical}",
            f"replace_node {extent.logical} {extent.count} {extent.physical}",
        ]
    return [*commands, "extent_close"]


__all__ = ["Extent", "Room", "fill", "make", "parse_extents"]
