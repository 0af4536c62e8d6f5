# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Whether a batch of changes can fit, told before the first of them; and what is said when one ends in the middle.

Only one ext filesystem can be put back as it was (see `batch`). Elsewhere what is likely to fail,
a lack of room, has to be seen ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry

_AGAIN = "make the working image from its source again, for some of the changes were made"


@dataclass(frozen=True)
class Room:
    """What is free in a filesystem.

    Attributes:
        free: bytes.
        block: bytes in which files take them.
        inodes: None where they are made when they are needed.
    """

    free: int
    block: int
    inodes: int | None = None


def require_room(changes: Collection[tree.Change], room: Room, before: Callable[[str], Entry | None]) -> None:
    """Refuse changes of one filesystem that cannot fit, whatever it does with them.

    What is counted is the least that they can need: what fits barely may still turn out not to.

    Args:
        before: what stands at a path now.

    Raises:
        SpaceError: they do not fit.
    """
    sizes = {change.path: _blocks(_least(change), room.block) for change in changes if not _removes(change)}
    new = sum(_makes(change) for change in changes)
    size, files = sum(sizes.values()), new
    if size > room.free or (room.inodes is not None and files > room.inodes):
        gone = [change for change in changes if _removes(change) or getattr(change, "replaces", False)]
        freed = [entry.size for change in gone for entry in [before(change.path)] if entry]
        size -= sum(_blocks(old, room.block) + room.block for old in freed)  # one more may hold attributes
        files -= sum(map(_removes, changes))
    largest = max(sizes, key=lambda path: sizes[path], default=None)
    if size > room.free:
        raise _full(f"at least {size} bytes are needed, and {room.free} are free", largest)
    if room.inodes is not None and files > room.inodes:
        raise _full(f"{files} more files are needed, and it can have {room.inodes}", largest)


@contextmanager
def in_the_middle(begun: bool) -> Iterator[None]:
    """Let errors say that a batch ended in the middle, where it had begun."""
    try:
        yield
    except ImageError as error:
        if begun:
            error.hint = f"{error.hint}; {_AGAIN}" if error.hint else _AGAIN
        raise


def _full(reason: str, where: str | None) -> SpaceError:
    return SpaceError(f"the image is full ({reason})", where=where, hint="give it a larger disk")


def _removes(change: tree.Change) -> bool:
    return isinstance(change, tree.Delete)


def _makes(change: tree.Change) -> bool:
    """Say whether a change needs an inode more than there are."""
    if isinstance(change, (tree.PutFile, tree.PutHostFile)):
        return not change.replaces
    return isinstance(change, (tree.PutDirectory, tree.PutSymlink))


def _least(change: tree.Change) -> int:
    """Return the fewest bytes that a change writes: zeros may become holes."""
    if isinstance(change, tree.PutFile):
        return len(change.content) - change.content.count(0)
    if isinstance(change, tree.PutHostFile):
        return min(change.source.size, os.stat(change.source.path).st_blocks * 512)
    return 0


def _blocks(size: int, block: int) -> int:
    return -(-size // block) * block


__all__ = ["Room", "in_the_middle", "require_room"]
