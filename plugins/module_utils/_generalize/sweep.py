# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A sweep through a guest: removes and empties on a plan, and keeps account of it.

An image is a stranger's: a folder that is to be emptied can be a link to another one, hold
very many files, go very deep, or have names that a driver cannot express. What is not safe
to remove stays, and is told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, printable
from ansible_collections.voc.cluster.plugins.module_utils._generalize import homes
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry

_SHOWN = 200  # paths of one operation
_DEEPEST = 100  # levels below a folder that is emptied

# Why something stays.
_INEXPRESSIBLE = "debugfs cannot express its name; access: mounted can"
_MOUNT = "it is a mount point"
_DEEP = "it is too deep"

# A link that leads here from elsewhere is not followed to a folder to be emptied.
_SYSTEM = frozenset(
    ("", "bin", "boot", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "sbin", "sys", "usr")
)


@dataclass
class Account:
    """What one operation did, or in check mode would do.

    Attributes:
        paths: the first that were removed, emptied or changed; a folder stands for all in it.
        count: of all files, links and folders.
        bytes: of the contents of files that were removed or emptied.
        left: what was not removed, and why.
    """

    paths: list[str] = field(default_factory=list)
    count: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)

    def add(self, path: str, size: int = 0, count: int = 1) -> None:
        """Write down what happened at a path."""
        self.count += count
        self.bytes += size
        if len(self.paths) < _SHOWN:
            self.paths.append(printable(path))

    def leave(self, path: str, why: str) -> None:
        """Write down what stays."""
        if len(self.left) < _SHOWN:
            self.left.append(f"{printable(path)}: {why}")


class Sweep:
    """Cleans on a plan. Paths are the guest's; links on the way to the last name of one are followed inside it.

    Args:
        machine_id: what the machine id becomes: ``empty``, ``uninitialized`` or ``keep``.
        mounts: mount points of the guest's filesystems, which stay.
    """

    def __init__(self, plan: Plan, *, machine_id: str = "empty", mounts: Iterable[str] = ()) -> None:
        self.plan = plan
        self.machine_id = machine_id
        self.account = Account()
        self._mounts = frozenset(mounts)

    def homes(self) -> list[str]:
        """Return the real paths of the home directories that are there, root's first."""
        return homes.find(self.plan)

    def entry(self, path: str) -> tuple[str, Entry | None]:
        """Return the real path, a link in its last name not followed, and what stands there."""
        try:
            real = tree.resolve(self.plan, path, follow=False)
        except GuestError:
            return path, None
        return real, self.plan.lstat(real)

    def is_there(self, path: str) -> bool:
        """Say whether something stands there; a link is something."""
        return self.entry(path)[1] is not None

    def text(self, path: str) -> str | None:
        """Return the text of a file, links followed; None where there is none that can be read."""
        try:
            return tree.read_text(self.plan, path)
        except GuestError:
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, links to it followed; none where there is no folder."""
        try:
            return tree.names_in(self.plan, folder)
        except GuestError:
            return []

    def remove(self, *paths: str) -> None:
        """Remove files and links, and what is neither; folders stay."""
        for path in paths:
            real, entry = self.entry(path)
            if entry and entry.kind != "directory":
                self._drop(real, entry)

    def _drop(self, real: str, entry: Entry) -> None:
        """Remove a file or link at a real path."""
        if self.plan.expresses(real):
            self.plan.drop(real)
            self.account.add(real, _length(entry))
        else:
            self.account.leave(real, _INEXPRESSIBLE)

    def remove_matching(self, folder: str, pattern: str) -> None:
        """Remove what `remove` would, of the names in a folder that match a pattern as a whole."""
        for path in self.inside(folder):
            if re.fullmatch(pattern, path.rpartition("/")[2], re.DOTALL):
                self.remove(path)

    def clear(self, folder: str, *, keep: Iterable[str] = ()) -> None:
        """Remove all that is in a folder, but for the names of `keep`; it stays, with its mode and owner."""
        kept = {"lost+found", *keep}
        for path in self.inside(folder):
            entry = self.plan.lstat(path)
            if entry and path.rpartition("/")[2] not in kept:
                self._drop_tree(path, entry)

    def inside(self, folder: str) -> list[str]:
        """Return the real paths of what is in a folder; none where it is not one whose content may go."""
        real = self._folder(folder)
        return [f"{real}/{name}" for name in self.plan.listdir(real)] if real else []

    def remove_tree(self, path: str) -> None:
        """Remove a file, a link, or a folder with all in it that can be removed."""
        real, entry = self.entry(path)
        if entry:
            self._drop_tree(real, entry)

    def _drop_tree(self, real: str, entry: Entry) -> None:
        """Remove what stands at a real path, and all below it."""
        if entry.kind != "directory":
            self._drop(real, entry)
            return
        if real in self._mounts:
            self.account.leave(real, _MOUNT)
            return
        found, stuck = self._below(real, entry)
        for place, why in stuck.items():
            self.account.leave(place, why)
        staying = {above for place in stuck for above in _up(place, real)}
        gone = [(place, below) for place, below in reversed(list(found.items())) if place not in staying]
        for place, _below in gone:
            self.plan.drop(place)
        if gone:
            self.account.add(real, sum(_length(below) for _place, below in gone), len(gone))

    def walk(self, folder: str) -> dict[str, Entry]:
        """Return all that is below a folder, by real path, parents first; links are not followed."""
        real = self._folder(folder)
        entry = self.plan.lstat(real) if real else None
        found = self._below(real, entry)[0] if real and entry else {}
        return {place: below for place, below in found.items() if place != real}

    def _below(self, real: str, entry: Entry) -> tuple[dict[str, Entry], dict[str, str]]:
        """Return a directory and all below it, level by level, and what in there cannot be removed, with the reason."""
        found: dict[str, Entry] = {}
        stuck: dict[str, str] = {}
        level = {real: entry}
        for depth in range(_DEEPEST + 1):
            found.update(level)
            stuck.update((place, _INEXPRESSIBLE) for place in level if not self.plan.expresses(place))
            stuck.update((place, _MOUNT) for place in level if place in self._mounts and place != real)
            folders = [place for place, below in level.items() if below.kind == "directory" and place not in stuck]
            if depth == _DEEPEST:
                stuck.update((place, _DEEP) for place in folders)
                break
            self.plan.expect(folders)
            places = (f"{folder}/{name}" for folder in folders for name in self.plan.listdir(folder))
            level = {place: below for place in places for below in [self.plan.lstat(place)] if below}
            if not level:
                break
        return found, stuck

    def empty(self, *paths: str) -> None:
        """Take the content of files; other names of the same file keep it. Links are not followed."""
        for path in paths:
            real, entry = self.entry(path)
            if entry and entry.kind == "file" and entry.size:
                self.plan.write(real, b"")
                self.account.add(real, entry.size)

    def rewrite(self, path: str, change: Callable[[str], str]) -> None:
        """Change the text of a file, which keeps its mode and owner; a link is not followed."""
        real, entry = self.entry(path)
        text = self.text(real) if entry and entry.kind == "file" else None
        changed = change(text) if text is not None else None
        if changed is not None and changed != text:
            self.write(real, changed)

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        """Write a file that an instance needs, or that no longer tells of this machine."""
        attributes = None if mode is None else Attributes(mode)
        self.plan.write(path, text.encode("utf-8", "surrogateescape"), attributes)
        self.account.add(path)

    def link(self, path: str, target: str) -> None:
        """Make a link, if it is not there."""
        before = self.entry(path)
        self.plan.symlink(path, target)
        if self.entry(path) != before:
            self.account.add(path)

    def _folder(self, path: str) -> str | None:
        """Return the real path of a folder whose content may go; None where there is none.

        A link may lead to a folder of the same name, as /var/tmp to /tmp, but not into the system.
        """
        try:
            real, entry = tree.lookup(self.plan, path)
        except GuestError:
            return None
        if entry is None or entry.kind != "directory":
            return None
        top, declared = real.split("/")[1], path.split("/")[1]
        moved = declared != top and not (top == "usr" and declared in ("lib", "bin", "sbin", "lib64"))
        if (moved and top in _SYSTEM) or posixpath.basename(real) != posixpath.basename(path):
            self.account.leave(path, f"it leads to {printable(real)}")
            return None
        return real


def _length(entry: Entry) -> int:
    return entry.size if entry.kind == "file" else 0


def _up(place: str, top: str) -> list[str]:
    """Return a path and those above it, up to `top`."""
    found = [place]
    while found[-1] != top:
        found.append(tree.parent(found[-1]))
    return found


__all__ = ["Account", "Sweep"]
