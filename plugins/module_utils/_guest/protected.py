# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What the guest protects against change: immutable and append-only files and directories (man 1 chattr).

Linux refuses such a change to root, too; a driver without the kernel refuses the same, and
both before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree

# linux/fs.h, FS_*_FL
IMMUTABLE, APPEND_ONLY = 0x10, 0x20


def require_unprotected(changes: Sequence[tree.Change], flags: Callable[[str], int]) -> None:
    """Refuse changes to what is protected.

    Args:
        flags: tells the flags of what stands at a path; 0 for nothing.

    Raises:
        GuestError: with the path that is protected.
    """
    for change in changes:
        above = tree.parent(change.path)
        if tree.changes_directory(change):
            # A new name may be added to what is append-only; none may go.
            _require(above, flags(above), IMMUTABLE | (APPEND_ONLY if tree.needs_existing(change) else 0))
        if tree.needs_existing(change):
            _require(change.path, flags(change.path), IMMUTABLE | APPEND_ONLY)


def _require(path: str, found: int, refused: int) -> None:
    if found & refused:
        kind, letter = ("immutable", "i") if found & IMMUTABLE else ("append-only", "a")
        raise GuestError(
            f"it is {kind} in the guest", where=path, hint=f"take that away in the guest with chattr -{letter}"
        )


__all__ = ["APPEND_ONLY", "IMMUTABLE", "require_unprotected"]
