# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Changes to a guest as commands of debugfs, which leave what Linux would leave.

debugfs edits inodes and names; what the kernel does besides is said here: times of
directories, lists that files inherit, inodes that lose their last name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import acl, rooms, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import line, quote
from ansible_collections.voc.cluster.plugins.module_utils._guest.inodes import Inode
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem

_KINDS = {"directory": 0o040000, "file": 0o100000}
_CAPABILITY = "security.capability"


@dataclass(frozen=True)
class Standing:
    """What stands at a path before a batch.

    Attributes:
        names: how many, if it is a directory.
        xattrs: its extended attributes, where they were asked for.
    """

    number: int
    entry: Entry
    inode: Inode
    names: int
    xattrs: Mapping[str, bytes]


class Script:
    """Turns changes into commands; file contents wait in a folder of the builder.

    Attributes:
        rooms: the files among them that get their content afterwards.
        block_size: of the filesystem, in bytes.
    """

    def __init__(
        self, filesystem: Filesystem, standing: Mapping[str, Standing], folder: str, falling: frozenset[str]
    ) -> None:
        """Take what stands at all paths that the changes touch.

        Args:
            folder: of the builder, for this script alone.
            falling: the directories that the changes delete.
        """
        self.lines: list[str] = []
        self.rooms: list[rooms.Room] = []
        self.block_size = filesystem.block_size or 0
        self._has_extents = filesystem.has_extents
        self._standing = standing
        self._folder = folder
        self._falling = falling
        self._count = 0
        self._made: set[str] = set()  # directories
        self._here = ""  # where the commands so far have led
        self._gone: Counter[int] = Counter()  # names, by inode
        self._names: Counter[str] = Counter()  # how many more a directory has than before
        self._links: dict[str, int] = {}  # of directories that lost or got one below
        self._defaults: dict[str, bytes | None] = {}  # lists that new directories hand on
        self._stamped: dict[str, None] = {}  # directories whose names have changed

    def add(self, change: tree.Change) -> None:
        """Append the commands for one change."""
        above, _slash, name = change.path.rpartition("/")
        above = above or "/"
        if tree.changes_directory(change):
            self._stamped[above] = None
        if isinstance(change, tree.Delete):
            self._delete(change, above, name)
            return
        if change.path not in self._standing:
            self._require_directory(above, change.path)
        self._enter(above, change.path)
        new, there = quote(name, change.path), _there(name, change.path)
        if isinstance(change, tree.PutFile):
            self._put_file(change, above, name, _write(self._new_file(change.content), new))
        elif isinstance(change, tree.PutHostFile):
            self._put_file(change, above, name, self._content_of(change, new))
        elif isinstance(change, tree.PutDirectory):
            self._put_directory(change, above, new, there)
        elif isinstance(change, tree.PutSymlink):
            self._names[above] += 1
            self._do(change.path, "symlink", new, quote(change.target, change.path))
        elif isinstance(change, tree.SetXattr):
            self._set_xattr(change, there)
        else:
            self._set_attributes(change, there)

    def finish(self) -> None:
        """Append what is done once: directories in which names came or went tell when."""
        for path in self._stamped:
            standing = self._kept_directory(path)
            if standing:
                self.lines += [f"set_inode_field <{standing.number}> {field} now" for field in ("mtime", "ctime")]

    def _do(self, path: str, *words: str) -> None:
        self.lines.append(line(path, *words))

    def _existing(self, path: str) -> Standing:
        found = self._standing.get(path)
        if found is None:
            raise GuestError("there is no such file in the guest", where=path)
        return found

    def _kept_directory(self, path: str) -> Standing | None:
        """Return a directory that is there before and after; one made anew has nothing of what stood in its place."""
        return None if path in self._made or path in self._falling else self._standing.get(path)

    def _require_directory(self, path: str, inside: str) -> None:
        """Refuse a path that leads through something else: debugfs would follow a link."""
        standing = self._standing.get(path)
        if path not in self._made and (standing is None or standing.entry.kind != "directory"):
            raise GuestError(f"{path} is not a directory in the guest", where=inside)

    def _enter(self, folder: str, path: str) -> None:
        if folder != self._here:
            self._do(path, "cd", quote(folder, path))
            self._here = folder

    # Names that go.

    def _delete(self, change: tree.Delete, above: str, name: str) -> None:
        found = self._existing(change.path)
        self._gone[found.number] += 1
        self._names[above] -= 1
        is_directory = found.entry.kind == "directory"
        if is_directory and found.names + self._names[change.path] > 0:
            raise GuestError("the directory is not empty", where=change.path)
        left = 0 if is_directory else found.inode.links - self._gone[found.number]
        if above not in self._falling:
            self._enter(above, change.path)
            self._do(change.path, "unlink", _there(name, change.path))
        if is_directory:
            self._count_links(above, -1)
        self._release(found, max(left, 0))

    def _release(self, found: Standing, left: int) -> None:
        """Free an inode that has lost its last name, or say how many names it has left."""
        inode = f"<{found.number}>"
        if left == 0 and found.inode.attribute_block:
            # A block that other inodes share has one user less then.
            self.lines += [f"ea_rm {inode} {quote(name, name)}" for name in found.inode.attributes]
        self.lines.append(f"set_inode_field {inode} links_count {left}")
        self.lines.append(f"set_inode_field {inode} ctime now" if left else f"kill_file {inode}")

    def _count_links(self, path: str, more: int) -> None:
        """Write the number of a directory's links, of which each directory in it is one."""
        standing = self._kept_directory(path)
        if standing is None:
            return
        links = self._links.get(path, standing.inode.links)
        if links < 2:  # there were too many to count once (ext4, dir_nlink)
            return
        self._links[path] = links + more
        if more < 0:
            self.lines.append(f"set_inode_field <{standing.number}> links_count {links + more}")

    # What is made.

    def _put_file(self, change: tree.PutFile | tree.PutHostFile, above: str, name: str, write: Sequence[str]) -> None:
        there = _there(name, change.path)
        if change.replaces:
            found = self._existing(change.path)
            if found.entry.kind != "file":
                raise GuestError("it is not a regular file", where=change.path)
            kept = dict(found.xattrs)
            self._delete(tree.Delete(change.path, "file"), above, name)
            if acl.ACCESS in kept:
                kept[acl.ACCESS] = acl.fit(kept[acl.ACCESS], change.attributes.mode)
        else:
            kept = self._inherited(above, change.attributes.mode)
        self._names[above] += 1
        self.lines += [line(change.path, command) for command in write]
        self._attributes(there, "file", change.attributes, new=True)
        self._set_extended(change.path, there, kept)

    def _content_of(self, change: tree.PutHostFile, new: str) -> list[str]:
        source = change.source
        if self._has_extents:
            self.rooms.append(rooms.Room(quote(change.path, change.path), source))
            return rooms.make(new, source.size, self.block_size)
        copy = self._new_file(b"")
        with open(copy, "wb") as file:
            blocks.copy_out(source.path, source.offset, source.size, file.fileno())
        return _write(copy, new)

    def _put_directory(self, change: tree.PutDirectory, above: str, new: str, there: str) -> None:
        self._names[above] += 1
        self._made.add(change.path)
        self._do(change.path, "mkdir", new)
        self._count_links(above, 1)
        self._attributes(there, "directory", change.attributes, new=True)
        kept = self._inherited(above, change.attributes.mode)
        default = self._default(above)
        if default is not None:
            kept[acl.DEFAULT] = self._defaults[change.path] = default
        self._set_extended(change.path, there, kept)

    def _inherited(self, above: str, mode: int) -> dict[str, bytes]:
        default = self._default(above)
        own = None if default is None else acl.inherited(default, mode)
        return {} if own is None else {acl.ACCESS: own}

    def _default(self, folder: str) -> bytes | None:
        if folder in self._defaults:
            return self._defaults[folder]
        standing = self._kept_directory(folder)
        return standing.xattrs.get(acl.DEFAULT) if standing else None

    # What is changed.

    def _set_attributes(self, change: tree.SetAttributes, there: str) -> None:
        found = self._standing.get(change.path)
        if found is None or found.entry.kind not in _KINDS:
            raise GuestError("it is neither a file nor a directory", where=change.path)
        self._attributes(there, found.entry.kind, change.attributes)
        self._do(change.path, "set_inode_field", there, "ctime now")
        before = found.entry.attributes
        same_owner = (before.uid, before.gid) == (change.attributes.uid, change.attributes.gid)
        if not same_owner and found.entry.kind == "file" and _CAPABILITY in found.xattrs:
            # Linux takes them from a program that is given to somebody else.
            self._do(change.path, "ea_rm", there, _CAPABILITY)
        if acl.ACCESS in found.xattrs:
            self._set_extended(
                change.path, there, {acl.ACCESS: acl.fit(found.xattrs[acl.ACCESS], change.attributes.mode)}
            )

    def _set_xattr(self, change: tree.SetXattr, there: str) -> None:
        tree.require_settable(change.path, change.name)
        if change.value is None:
            if change.name not in self._existing(change.path).xattrs:
                raise GuestError(f"it has no attribute {change.name}", where=change.path)
            self._do(change.path, "ea_rm", there, quote(change.name, change.path))
        else:
            self._set_extended(change.path, there, {change.name: change.value})
        self._do(change.path, "set_inode_field", there, "ctime now")

    def _set_extended(self, path: str, there: str, values: Mapping[str, bytes]) -> None:
        for name, value in values.items():
            saved = self._new_file(value)
            self._do(path, "ea_set", "-f", quote(saved, saved), there, quote(name, path))

    def _attributes(self, there: str, kind: str, attributes: Attributes, *, new: bool = False) -> None:
        self.lines.append(f"set_inode_field {there} mode 0{_KINDS[kind] | attributes.mode:o}")
        for field, owner in (("uid", attributes.uid), ("gid", attributes.gid)):
            if owner or not new:  # what debugfs makes belongs to root
                self.lines.append(f"set_inode_field {there} {field} {owner}")

    def _new_file(self, content: bytes) -> str:
        self._count += 1
        path = os.path.join(self._folder, str(self._count))
        with open(path, "wb") as file:
            file.write(content)
        return path


def _write(content: str, new: str) -> list[str]:
    """Return the command that makes a file with the content of one on the builder."""
    return [f"write {quote(content, content)} {new}"]


def _there(name: str, path: str) -> str:
    """Return a name as commands read it that look for what is there: no dash is an option, no ``<1>`` an inode."""
    return quote(f"./{name}", path)


__all__ = ["Script", "Standing"]
