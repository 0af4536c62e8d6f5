# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GuestTree of several trees, each at its mount point, as the guest would see them.

Links are read here but never followed: `tree.resolve` works above this, so a link in one
tree leads to whatever tree holds its target.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, InputError, called
from ansible_collections.voc.cluster.plugins.module_utils._guest import foresight, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry, GuestTree


def holder(path: str, points: Collection[str]) -> str:
    """Return the mount point, one of `points`, whose filesystem holds a real path; ``/`` is always one."""
    inside = [point for point in points if point == "/" or path == point or path.startswith(f"{point}/")]
    return max(inside, key=len, default="/")


def below(path: str, point: str) -> str:
    """Return the path that a real path has in the filesystem mounted at `point`."""
    return path if point == "/" else path[len(point) :] or "/"


class ComposedTree(GuestTree):
    """Trees by their mount points, which are real paths; ``/`` is one of them."""

    def __init__(self, trees: Mapping[str, GuestTree]) -> None:
        self._trees = dict(trees)

    def lstat(self, path: str) -> Entry | None:
        with self._holder(path) as (files, inner):
            return files.lstat(inner)

    def readlink(self, path: str) -> str:
        with self._holder(path) as (files, inner):
            return files.readlink(inner)

    def listdir(self, path: str) -> list[str]:
        with self._holder(path) as (files, inner):
            names = set(files.listdir(inner))
        points = (point for point in self._trees if point != "/" and posixpath.dirname(point) == path)
        return sorted(names.union(map(posixpath.basename, points)))

    def read(self, path: str) -> bytes:
        with self._holder(path) as (files, inner):
            return files.read(inner)

    def xattrs(self, path: str) -> dict[str, bytes]:
        with self._holder(path) as (files, inner):
            return files.xattrs(inner)

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for point, own in self._by_holder(paths):
            inner = {below(path, point): path for path in own}
            found.update({inner[path]: data for path, data in self._trees[point].read_many(list(inner)).items()})
        return found

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        with self._holder(path) as (files, inner):
            files.copy_out(inner, target, maximum)

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        found = {}
        for point, own in self._by_holder(paths):
            inner = {below(path, point): path for path in own}
            found.update({inner[path]: digest for path, digest in self._trees[point].digests(inner).items()})
        return found

    def expect(self, folders: Collection[str]) -> None:
        for point, own in self._by_holder(folders):
            self._trees[point].expect([below(path, point) for path in own])

    def expresses(self, path: str) -> bool:
        with self._holder(path) as (files, inner):
            return files.expresses(inner)

    def apply(self, changes: Sequence[tree.Change]) -> None:
        """Do `changes`, those of one tree after those of another, in each in their order.

        A tree that fails takes back at most what it did itself, so all are asked before.
        """
        for change in changes:
            if isinstance(change, tree.Delete) and change.path in self._trees:
                raise GuestError("a filesystem is mounted there", where=change.path, hint="leave its mount point")
        parts = [
            (point, [replace(change, path=below(change.path, point)) for change in changes if change.path in own])
            for point, own in self._by_holder([change.path for change in changes])
        ]
        for point, mine in parts:
            self._trees[point].foresee(mine)
        for number, (point, mine) in enumerate(parts):
            with foresight.in_the_middle(begun=number > 0):
                self._trees[point].apply(mine)

    @contextmanager
    def _holder(self, path: str) -> Iterator[tuple[GuestTree, str]]:
        """Give the tree that holds a path, and its path in there; errors name the guest's."""
        point = holder(path, self._trees)
        inner = below(path, point)
        with called(inner, path):
            yield self._trees[point], inner

    def _by_holder(self, paths: Collection[str]) -> Iterator[tuple[str, set[str]]]:
        for point in self._trees:
            own = {path for path in paths if holder(path, self._trees) == point}
            if own:
                yield point, own


class UnreachableTree(GuestTree):
    """Stands where a filesystem is mounted that cannot be reached; whoever looks into it is told why."""

    def __init__(self, reason: InputError) -> None:
        self._reason = reason

    def lstat(self, path: str) -> Entry | None:
        if path == "/":
            return Entry("directory", Attributes(0o755))
        raise self._again()

    def readlink(self, path: str) -> str:
        raise self._again()

    def listdir(self, path: str) -> list[str]:
        raise self._again()

    def read(self, path: str) -> bytes:
        raise self._again()

    def xattrs(self, path: str) -> dict[str, bytes]:
        raise self._again()

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        raise self._again()

    def foresee(self, changes: Sequence[tree.Change]) -> None:
        raise self._again()

    def apply(self, changes: Sequence[tree.Change]) -> None:
        raise self._again()

    def _again(self) -> ImageError:
        return InputError(self._reason.found, where=self._reason.where, hint=self._reason.hint)


__all__ = ["ComposedTree", "UnreachableTree", "below", "holder"]
