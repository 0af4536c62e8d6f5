# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Files that a guest's programs see in place of the guest's own, mounted over them in the sandbox alone.

A mount needs something to stand on. Where the guest has no such file a placeholder stands
there meanwhile: it says nothing to whoever reads it, and is no program, so that a guest in
which a killed run left it behaves as if it were not there. The next run removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, GuestTree

PLACEHOLDER = b"# Nothing: a place for a mount while voc.cluster runs this guest's programs.\n"

# The sandbox's own folders, whatever the guest has there.
_NEVER_SEEN = ("/dev/", "/proc/")


@dataclass(frozen=True)
class StandIn:
    """What is to be seen at a guest path; in the end `path` is a real one."""

    path: str
    content: bytes
    mode: int = 0o644


@contextmanager
def places(files: GuestTree, wanted: Sequence[StandIn], private: Sequence[str]) -> Iterator[list[StandIn]]:
    """Give the stand-ins that have a place, at their real paths.

    Args:
        private: real paths of folders that the sandbox covers: whatever is below needs no place in the guest.

    Raises:
        GuestError: something other than a file stands at such a path.
    """
    with ExitStack() as stack:
        found = []
        for one in wanted:
            real = tree.resolve(files, one.path)
            if real.startswith(_NEVER_SEEN):
                continue
            below = any(real.startswith(f"{folder}/") for folder in private)
            if below or stack.enter_context(_place(files, real)):
                found.append(StandIn(real, one.content, one.mode))
        yield found


def forget(files: GuestTree, paths: Sequence[str]) -> None:
    """Remove the placeholders that killed runs left at guest paths."""
    for path in paths:
        _remove_placeholder(files, tree.resolve(files, path))


@contextmanager
def _place(files: GuestTree, real: str) -> Iterator[bool]:
    """Say whether a file stands at a real path; where there could be one, make it for a while."""
    entry = files.lstat(real)
    if entry and entry.kind != "file":
        raise GuestError(f"a {entry.kind} stands where a file should be", where=real)
    above = files.lstat(tree.parent(real))
    if entry is None and (above is None or above.kind != "directory"):
        yield False
        return
    if entry is None:
        plan = Plan(files)
        plan.write(real, PLACEHOLDER, Attributes(0o644))
        plan.apply()
    try:
        yield True
    finally:
        _remove_placeholder(files, real)


def _remove_placeholder(files: GuestTree, real: str) -> None:
    entry = files.lstat(real)
    if entry and entry.kind == "file" and entry.size == len(PLACEHOLDER) and files.read(real) == PLACEHOLDER:
        plan = Plan(files)
        plan.remove(real)
        plan.apply()


__all__ = ["PLACEHOLDER", "StandIn", "forget", "places"]
