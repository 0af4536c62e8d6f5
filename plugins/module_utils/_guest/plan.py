# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A plan: the guest as it will be, worked out before anything is touched.

Edits read and write a `Plan` as if it were the guest. What differs from the
guest in the end are the changes: check mode and diff show them, `apply` does
them in one batch. Edits that cancel out, or were already true, leave nothing.
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ToolError, printable
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry, GuestTree, HostFile

_SHOWN_LIMIT = 64 << 10
_NAME_LIMIT = 255  # linux/limits.h: NAME_MAX and PATH_MAX
_PATH_LIMIT = 4096

_ACTIONS: dict[type[tree.Change], str] = {
    tree.Delete: "remove",
    tree.PutFile: "write",
    tree.PutHostFile: "write",
    tree.PutDirectory: "make directory",
    tree.PutSymlink: "link",
    tree.SetAttributes: "set attributes",
    tree.SetXattr: "set extended attribute",
}


@dataclass(frozen=True)
class _Node:
    """What a path will be; a file with neither `content` nor `source` is as it is in the guest."""

    entry: Entry
    content: bytes | None = None
    target: str = ""
    source: HostFile | None = None


class Plan:
    """A view of the guest with changes laid over it."""

    def __init__(self, base: GuestTree) -> None:
        self._base = base
        self._nodes: dict[str, _Node | None] = {}
        self._planned: dict[str, set[str]] = {}  # the names among them, by their directory
        self._xattrs: dict[str, dict[str, bytes]] = {}
        self._known: list[tree.Change] | None = None  # the changes, until something is planned or done
        self._edit: int | None = None
        self._edits: dict[str, list[int]] = {}
        self._notes: dict[str, None] = {}
        self._hidden: set[str] = set()

    # What is there: the questions of tree.View.

    def lstat(self, path: str) -> Entry | None:
        """See `tree.View`."""
        if path in self._nodes:
            node = self._nodes[path]
            return node.entry if node else None
        above = tree.parent(path)
        if path != "/" and above in self._nodes:
            node = self._nodes[above]
            if node is None or node.entry.kind != "directory":
                return None
        return self._base.lstat(path)

    def readlink(self, path: str) -> str:
        """See `tree.View`."""
        node = self._nodes.get(path)
        return node.target if node else self._base.readlink(path)

    def listdir(self, path: str) -> list[str]:
        """See `tree.View`."""
        before = self._base.lstat(path)
        names = set(self._base.listdir(path)) if before and before.kind == "directory" else set()
        for name in self._planned.get(path, ()):
            if name:  # not the root itself
                (names.add if self._nodes[tree.join(path, name)] else names.discard)(name)
        return sorted(names)

    def read(self, path: str) -> bytes:
        """See `tree.View`."""
        node = self._nodes.get(path)
        if node and node.content is not None:
            return node.content
        if node and node.source:
            return _read_host_file(node.source, path)
        return self._base.read(path)

    def read_many(self, paths: Collection[str]) -> dict[str, bytes]:
        """See `GuestTree`."""
        planned = {path: self.read(path) for path in paths if path in self._nodes}
        return {**planned, **self._base.read_many([path for path in paths if path not in planned])}

    def xattrs(self, path: str) -> dict[str, bytes]:
        """See `tree.View`."""
        return {**self._kept_xattrs(path), **self._xattrs.get(path, {})}

    def expect(self, folders: Collection[str]) -> None:
        """See `GuestTree`."""
        self._base.expect(folders)

    def expresses(self, path: str) -> bool:
        """See `GuestTree`."""
        return self._base.expresses(path)

    def before(self, path: str) -> Entry | None:
        """Return what stands at a real path in the guest itself, whatever is planned."""
        return self._base.lstat(path)

    @contextmanager
    def on_behalf_of(self, number: int) -> Iterator[None]:
        """Let the summary name an edit, by its number in the list, with what is planned meanwhile."""
        before, self._edit = self._edit, number
        try:
            yield
        finally:
            self._edit = before

    def note(self, text: str) -> None:
        """Tell the user something that the changes do not show; once."""
        self._notes[text] = None

    def hide(self, path: str) -> None:
        """Never show the content of the file at a path, neither the old nor the new one."""
        self._hidden.add(tree.resolve(self, path))

    @property
    def notes(self) -> list[str]:
        """What users were told by `note`."""
        return list(self._notes)

    # What shall be there. These take any guest path.

    def write(self, path: str, content: bytes, attributes: Attributes | None = None) -> None:
        """Make a file, or replace its content; links are followed, parents made.

        Args:
            attributes: None keeps those of an existing file.
        """
        real, kept = self._make_room(path)
        self._put(real, _Node(Entry("file", attributes or kept, len(content)), content))

    def write_text(self, path: str, text: str, attributes: Attributes | None = None) -> None:
        """Write a text as `write` does; a file that holds it already is left alone."""
        if attributes is not None or tree.read_text(self, path) != text:
            self.write(path, text.encode("utf-8", "surrogateescape"), attributes)

    def copy_in(self, path: str, source: HostFile, attributes: Attributes | None = None) -> None:
        """Make a file of one on the builder, as `write` does it; its content is never held in memory."""
        real, kept = self._make_room(path)
        self._put(real, _Node(Entry("file", attributes or kept, source.size), source=source))

    def make_directory(self, path: str, attributes: Attributes | None = None) -> None:
        """Make a directory and its parents; an existing one takes on given attributes."""
        real, entry = tree.lookup(self, path)
        if entry and entry.kind != "directory":
            raise GuestError(f"a {entry.kind} stands where a directory should be", where=path)
        if entry is None:
            self._make_parents(real)
            self._put(real, _Node(Entry("directory", attributes or Attributes(0o755))))
        elif attributes:
            self._change_attributes(real, entry, attributes)

    def set_attributes(self, path: str, attributes: Attributes) -> None:
        """Change permission bits and owner of what stands at a path."""
        real, entry = tree.lookup(self, path)
        if entry is None:
            raise GuestError("there is no such file in the guest", where=path)
        if entry.kind == "other":
            raise GuestError("it is neither a file nor a directory", where=path)
        self._change_attributes(real, entry, attributes)

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """Give what stands at a path, a link itself, an extended attribute, such as ``security.selinux``.

        What is new or replaced by a later edit keeps it, as long as something stands there.

        Raises:
            GuestError: there is nothing, or the attribute is of a kind that cannot be set.
        """
        tree.require_settable(path, name)
        real = tree.resolve(self, path, follow=False)
        entry = self.lstat(real)
        if entry is None:
            raise GuestError("there is no such file in the guest", where=path)
        if name.startswith("user.") and entry.kind not in ("file", "directory"):
            raise GuestError("only files and directories have attributes of users (man 7 xattr)", where=path)
        if self.xattrs(real).get(name) != value:
            self._credit(real)
        self._xattrs.setdefault(real, {})[name] = value
        self._known = None

    def symlink(self, path: str, target: str) -> None:
        """Make a symbolic link; a file or link in its place is replaced."""
        if not 0 < len(os.fsencode(target)) < _PATH_LIMIT:
            raise GuestError(f"a link must point to between 1 and {_PATH_LIMIT - 1} bytes", where=path)
        real = tree.resolve(self, path, follow=False)
        entry = self.lstat(real)
        if entry and entry.kind == "symlink" and self.readlink(real) == target:
            return
        if entry and entry.kind == "directory":
            raise GuestError("a directory stands where a link should be", where=path)
        self._make_parents(real)
        self._put(real, _Node(Entry("symlink", Attributes(0o777), len(os.fsencode(target))), target=target))

    def remove(self, path: str) -> None:
        """Remove a file, a link (not what it points to) or a whole directory; nothing when absent."""
        real = tree.resolve(self, path, follow=False)
        entry = self.lstat(real)
        if entry is None:
            return
        if real == "/":
            raise GuestError("the guest's root cannot be removed", where=path)
        for each in reversed([real, *(self._below(real) if entry.kind == "directory" else ())]):
            self._put(each, None)

    def drop(self, real: str) -> None:
        """Remove what stands at a real path; a directory is empty by then. Cheap, for those who remove very much."""
        self._put(real, None)

    def _below(self, real: str) -> Iterator[str]:
        """Yield all that is in a directory, level by level: a tree may be deeper than a stack."""
        level = [real]
        while level:
            self._base.expect(level)
            inside = [f"{folder}/{name}" for folder in level for name in self.listdir(folder)]
            yield from inside
            level = [path for path in inside for entry in [self.lstat(path)] if entry and entry.kind == "directory"]

    def _make_room(self, path: str) -> tuple[str, Attributes]:
        """Return where a file is to be written, and the attributes that it would keep."""
        real, entry = tree.lookup(self, path)
        if entry and entry.kind != "file":
            raise GuestError(f"a {entry.kind} stands where a file should be", where=path)
        self._make_parents(real)
        return real, entry.attributes if entry else Attributes()

    def _make_parents(self, real: str) -> None:
        if len(os.fsencode(real.rpartition("/")[2])) > _NAME_LIMIT:
            raise GuestError(f"a name is longer than {_NAME_LIMIT} bytes", where=real)
        above = tree.parent(real)
        if above != real and self.lstat(above) is None:
            self._make_parents(above)
            self._put(above, _Node(Entry("directory", Attributes(0o755))))

    def _change_attributes(self, real: str, entry: Entry, attributes: Attributes) -> None:
        node = self._nodes.get(real) or _Node(entry)
        self._put(real, replace(node, entry=replace(entry, attributes=attributes)))

    def _put(self, real: str, node: _Node | None) -> None:
        if not (real in self._nodes and self._nodes[real] == node):
            self._credit(real)
        before = self.lstat(real)
        self._nodes[real] = node
        self._planned.setdefault(tree.parent(real), set()).add(real.rpartition("/")[2])
        self._known = None
        if before is None or node is None or before.kind != node.entry.kind:
            self._xattrs.pop(real, None)

    def _credit(self, real: str) -> None:
        """Note which edit changes a path, if one is being planned."""
        if self._edit is not None:
            numbers = self._edits.setdefault(real, [])
            if self._edit not in numbers:
                numbers.append(self._edit)

    # The outcome.

    def changes(self) -> list[tree.Change]:
        """Return what must be done, removals first and parents before children."""
        if self._known is None:
            self._known = self._work_out()
        return self._known

    def _work_out(self) -> list[tree.Change]:
        removals: list[tree.Change] = []
        additions: list[tree.Change] = []
        self._base.expect({tree.parent(path) for path in self._nodes})
        equal = self._equal_files()
        for path in sorted(self._nodes, key=lambda name: name.count("/")):
            before, node = self._base.lstat(path), self._nodes[path]
            if before and (node is None or self._must_go(path, before, node)):
                removals.append(tree.Delete(path, before.kind))
                before = None
            if node and not (before and self._same(path, before, node, equal)):
                additions.append(self._addition(path, before, node, equal))
        return [*reversed(removals), *additions, *self._new_xattrs()]

    def _new_xattrs(self) -> list[tree.Change]:
        return [
            tree.SetXattr(path, name, value)
            for path, wanted in self._xattrs.items()
            for name, value in wanted.items()
            if self._kept_xattrs(path).get(name) != value
        ]

    def _kept_xattrs(self, path: str) -> dict[str, bytes]:
        """Return those of what is in the guest, if they are there afterwards, too: those of a replaced file are."""
        before = self._base.lstat(path)
        node = self._nodes.get(path, _Node(before) if before else None)
        if before is None or node is None or self._must_go(path, before, node):
            return {}
        return self._base.xattrs(path)

    def _equal_files(self) -> set[str]:
        """Return the paths at which the guest already has the content that is wanted there."""
        wanted = {}
        for path, node in self._nodes.items():
            before = self._base.lstat(path) if node and (node.source or node.content is not None) else None
            if node and before and before.kind == "file" and before.size == node.entry.size:
                wanted[path] = node.source.sha256 if node.source else hashlib.sha256(node.content or b"").hexdigest()
        found = self._base.digests(wanted) if wanted else {}
        return {path for path, sha256 in wanted.items() if found[path] == sha256}

    def _must_go(self, path: str, before: Entry, node: _Node) -> bool:
        """Say whether what stands there cannot become the new thing in its place."""
        if node.entry.kind == before.kind == "symlink":
            return self._base.readlink(path) != node.target
        return node.entry.kind != before.kind

    def _same(self, path: str, before: Entry, node: _Node, equal: set[str]) -> bool:
        if node.entry.kind != before.kind:
            return False
        if node.entry.kind == "symlink":
            return self._base.readlink(path) == node.target
        return node.entry.attributes == before.attributes and self._same_content(path, node, equal)

    def _same_content(self, path: str, node: _Node, equal: set[str]) -> bool:
        return path in equal or (node.source is None and node.content is None)

    def _addition(self, path: str, before: Entry | None, node: _Node, equal: set[str]) -> tree.Change:
        if before and self._same_content(path, node, equal):
            return tree.SetAttributes(path, node.entry.attributes)
        if node.entry.kind == "directory":
            return tree.PutDirectory(path, node.entry.attributes)
        if node.entry.kind == "symlink":
            return tree.PutSymlink(path, node.target)
        if node.source:
            return tree.PutHostFile(path, node.source, node.entry.attributes, replaces=before is not None)
        content = self.read(path) if node.content is None else node.content
        return tree.PutFile(path, content, node.entry.attributes, replaces=before is not None)

    def apply(self) -> None:
        """Do all changes in one batch, and look whether they took, as far as directories tell.

        Raises:
            ToolError: the guest is not as it was planned.
        """
        changes = self.changes()
        if not changes:
            return
        self._base.apply(changes)
        self._known = None
        self._base.expect({tree.parent(path) for path in self._nodes})
        for path, node in self._nodes.items():
            if not _is_there(self._base.lstat(path), node):
                raise ToolError("a change to the guest did not take", where=path)

    def summary(self) -> list[dict[str, t.Any]]:
        """Return the changes as data: what is done to which path, and for which edits of a list."""
        return [
            {
                "path": printable(change.path),
                "action": _ACTIONS[type(change)],
                **({"edits": self._edits[change.path]} if change.path in self._edits else {}),
            }
            for change in self.changes()
        ]

    def diff(self) -> list[dict[str, str]]:
        """Return the changes as Ansible shows them with ``--diff``."""
        return [
            {
                "before_header": printable(change.path),
                "after_header": printable(change.path),
                "before": self._show_base(change),
                "after": self._show_change(change),
            }
            for change in self.changes()
        ]

    def _show_base(self, change: tree.Change) -> str:
        path = change.path
        if isinstance(change, tree.SetXattr):
            return _show_xattr(change.name, self._kept_xattrs(path).get(change.name))
        entry = self._base.lstat(path)
        if entry is None:
            return ""
        if entry.kind == "symlink":
            return f"link to {printable(self._base.readlink(path))}\n"
        if entry.kind == "file":
            return self._show_file(path, self._base, entry)
        return f"{entry.kind}, {_show(entry.attributes)}\n"

    def _show_change(self, change: tree.Change) -> str:
        if isinstance(change, tree.PutFile):
            return _show_file(None if change.path in self._hidden else change.content, change.attributes)
        if isinstance(change, tree.PutHostFile):
            return f"file, {_show(change.attributes)}\n(not shown: {change.source.size} bytes)\n"
        if isinstance(change, tree.PutSymlink):
            return f"link to {printable(change.target)}\n"
        if isinstance(change, tree.SetXattr):
            return _show_xattr(change.name, change.value)
        if isinstance(change, tree.Delete):
            return ""
        entry = self.lstat(change.path)
        if entry and entry.kind == "file":
            return self._show_file(change.path, self, entry)
        return f"directory, {_show(change.attributes)}\n"

    def _show_file(self, path: str, view: tree.View, entry: Entry) -> str:
        # A file may be large; nobody reads a long one in a diff.
        content = view.read(path) if entry.size <= _SHOWN_LIMIT else b"\0"
        return _show_file(None if path in self._hidden else content, entry.attributes)


def _is_there(found: Entry | None, node: _Node | None) -> bool:
    if found is None or node is None:
        return found is None and node is None
    same_size = found.kind == "directory" or found.size == node.entry.size
    return (found.kind, found.attributes) == (node.entry.kind, node.entry.attributes) and same_size


def _read_host_file(source: HostFile, path: str) -> bytes:
    if source.size > tree.READ_LIMIT:
        raise GuestError(f"the file has {source.size} bytes, too many to read", where=path)
    with open(source.path, "rb") as file:
        file.seek(source.offset)
        return file.read(source.size)


def _show(attributes: Attributes) -> str:
    return f"mode {attributes.mode:04o}, owner {attributes.uid}:{attributes.gid}"


def _show_xattr(name: str, value: bytes | None) -> str:
    if value is None:
        return ""
    return f"{name}={printable(value.rstrip(bytes(1)).decode('utf-8', 'replace'))}\n"


def _show_file(content: bytes | None, attributes: Attributes) -> str:
    """Return a file for the eye; what is hidden (None), or not everybody may read, is not shown."""
    head = f"file, {_show(attributes)}\n"
    if content is None or not attributes.mode & 0o004:
        return f"{head}(content not shown)\n"
    if b"\0" in content or len(content) > _SHOWN_LIMIT:
        return f"{head}(not shown: binary, or larger than {_SHOWN_LIMIT} bytes)\n"
    lines = content.decode("utf-8", "replace").splitlines()
    return head + "".join(f"{printable(line)}\n" for line in lines)


def result(plan: Plan) -> dict[str, t.Any]:
    """Return a plan as the common part of a module's result."""
    changes = plan.summary()
    return {"changed": bool(changes), "changes": changes, "notes": plan.notes, "diff": plan.diff()}


__all__ = ["Plan", "result"]
