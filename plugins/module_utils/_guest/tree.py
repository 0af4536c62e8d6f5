# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GuestTree: the files inside an image, whatever lies beneath.

Paths are those of the guest. A *real* path is absolute, normal, and has no
symbolic link on the way to its last component; drivers take only real paths,
and `resolve` makes them. As every link is read here and interpreted inside the
guest's root, no link can lead out of it.
"""

from __future__ import annotations

import hashlib
import posixpath
import stat
import typing as t
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError

MAX_LINKS = 40  # as in the kernel
READ_LIMIT = 16 << 20
_PIECE = 1 << 20
_NAMESPACES = ("security", "trusted", "user")


@dataclass(frozen=True)
class Attributes:
    """Permission bits and numeric owner of a file."""

    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Entry:
    """What stands at a path: ``file``, ``directory``, ``symlink`` or ``other``; size in bytes."""

    kind: str
    attributes: Attributes
    size: int = 0

    @classmethod
    def from_mode(cls, mode: int, uid: int, gid: int, size: int) -> Entry:
        """Make an entry of a full st_mode."""
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
        return cls(kinds.get(stat.S_IFMT(mode), "other"), Attributes(stat.S_IMODE(mode), uid, gid), size)


@dataclass(frozen=True)
class PutFile:
    """Make or replace a file; a replaced file's extended attributes are kept."""

    path: str
    content: bytes
    attributes: Attributes
    replaces: bool


@dataclass(frozen=True)
class HostFile:
    """A file on the builder, or a part of one, whose content goes into the guest; it stays as it is until then.

    Attributes:
        size: in bytes.
        sha256: of its content, in hexadecimal.
        offset: where the content begins in the file at `path`, in bytes.
    """

    path: str
    size: int
    sha256: str
    offset: int = 0


@dataclass(frozen=True)
class PutHostFile:
    """Make or replace a file as `PutFile` does, with the content of a file on the builder."""

    path: str
    source: HostFile
    attributes: Attributes
    replaces: bool


@dataclass(frozen=True)
class PutDirectory:
    """Make a directory; its parent exists by then."""

    path: str
    attributes: Attributes


@dataclass(frozen=True)
class PutSymlink:
    """Make a symbolic link where nothing stands."""

    path: str
    target: str


@dataclass(frozen=True)
class SetAttributes:
    """Change permission bits and owner of a file or directory."""

    path: str
    attributes: Attributes


@dataclass(frozen=True)
class SetXattr:
    """Give what stands at a path, a link itself, an extended attribute, or take it away with None.

    Access control lists are none of these: they come with a directory's default, and follow the mode.
    """

    path: str
    name: str
    value: bytes | None


@dataclass(frozen=True)
class Delete:
    """Remove a file, a link, or a directory that is empty by then."""

    path: str
    kind: str


Change = t.Union[PutFile, PutHostFile, PutDirectory, PutSymlink, SetAttributes, SetXattr, Delete]


class View(t.Protocol):
    """What can be asked of a tree; all paths are real."""

    def lstat(self, path: str) -> Entry | None:
        """Return what stands at `path`, not following a link, or None."""

    def readlink(self, path: str) -> str:
        """Return where the link at `path` points."""

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory at `path`."""

    def read(self, path: str) -> bytes:
        """Return the content of the regular file at `path`.

        Raises:
            GuestError: it is no regular file, or larger than READ_LIMIT bytes.
        """

    def xattrs(self, path: str) -> dict[str, bytes]:
        """Return the extended attributes of what stands at `path`, of a link its own, by their names."""


@dataclass(frozen=True)
class Below:
    """A view of what lies below a real path, as if that were the root."""

    view: View
    path: str

    def lstat(self, path: str) -> Entry | None:
        """See `View`."""
        return self.view.lstat(self._outer(path))

    def readlink(self, path: str) -> str:
        """See `View`."""
        return self.view.readlink(self._outer(path))

    def listdir(self, path: str) -> list[str]:
        """See `View`."""
        return self.view.listdir(self._outer(path))

    def read(self, path: str) -> bytes:
        """See `View`."""
        return self.view.read(self._outer(path))

    def xattrs(self, path: str) -> dict[str, bytes]:
        """See `View`."""
        return self.view.xattrs(self._outer(path))

    def _outer(self, path: str) -> str:
        return self.path if path == "/" else f"{self.path.rstrip('/')}{path}"


class GuestTree(ABC):
    """A driver: reads one thing at a time, changes many things at once."""

    @abstractmethod
    def lstat(self, path: str) -> Entry | None:
        """See `View`."""

    @abstractmethod
    def readlink(self, path: str) -> str:
        """See `View`."""

    @abstractmethod
    def listdir(self, path: str) -> list[str]:
        """See `View`."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """See `View`."""

    @abstractmethod
    def xattrs(self, path: str) -> dict[str, bytes]:
        """See `View`."""

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of some small regular files, in one go where the driver can."""
        return {path: self.read(path) for path in paths}

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        """Copy the regular file at the real path `path` to a new file `target` on the builder.

        Raises:
            GuestError: it is no regular file, or larger than `maximum` bytes.
        """
        content = self.read(path)
        if len(content) > maximum:
            raise too_large(path, len(content))
        with open(target, "wb") as file:
            file.write(content)

    @abstractmethod
    def digests(self, paths: Collection[str]) -> dict[str, str]:
        """Return the sha256, in hexadecimal, of each of some regular files, however large."""

    def expect(self, folders: Collection[str]) -> None:  # noqa: B027 - a driver need not care
        """Hear which directories (real paths, maybe absent) will be looked at, to read them in one go."""

    def expresses(self, path: str) -> bool:
        """Say whether what stands at a real path can be changed: it has a name, and a directory none in it,
        that this driver cannot express.
        """
        del path
        return True

    def foresee(self, changes: Sequence[Change]) -> None:  # noqa: B027 - a driver need not know
        """Refuse `changes` of which it can be told that they cannot be done; nothing is done yet.

        Raises:
            ImageError: one of them cannot.
        """

    @abstractmethod
    def apply(self, changes: Sequence[Change]) -> None:
        """Do `changes` in their order.

        Raises:
            GuestError: a name cannot be expressed by this driver; nothing was done.
            SpaceError: the image is full.
            ImageError: some may have been done then; the error says so.
        """


def changes_directory(change: Change) -> bool:
    """Say whether a change adds or removes a name, also if another of the same kind takes its place."""
    return not isinstance(change, (SetAttributes, SetXattr))


def needs_existing(change: Change) -> bool:
    """Say whether a change is about what stands at its path, and not only about the path."""
    if isinstance(change, (PutFile, PutHostFile)):
        return change.replaces
    return isinstance(change, (Delete, SetAttributes, SetXattr))


def too_large(path: str, size: int) -> GuestError:
    """Return the error about a guest file of `size` bytes that is not read for its size."""
    return GuestError(f"the file has {size} bytes, too many to read", where=path)


def require_settable(path: str, name: str) -> None:
    """Refuse the name of an extended attribute that `SetXattr` does not take.

    Raises:
        GuestError: it is in none of the namespaces whose attributes are plain values (man 7 xattr).
    """
    namespace, _dot, rest = name.partition(".")
    if namespace not in _NAMESPACES or not rest or not name.isprintable():
        raise GuestError(f"{name!r} is not an extended attribute that can be set", where=path)


def resolve(view: View, path: str, *, follow: bool = True) -> str:
    """Return the real path of a guest path; its last component need not exist.

    Args:
        follow: whether a link in the last component is followed.

    Raises:
        GuestError: too many links, or a file stands where a directory must.
    """
    done: list[str] = []
    ahead = _names(path)
    links = 0
    while ahead:
        name = ahead.pop(0)
        if name == "..":
            if done:
                done.pop()
            continue
        here = "/" + "/".join([*done, name])
        entry = view.lstat(here)
        if entry and entry.kind == "symlink" and (ahead or follow):
            links += 1
            if links > MAX_LINKS:
                raise GuestError("too many symbolic links", where=path)
            target = view.readlink(here)
            if target.startswith("/"):
                done.clear()
            ahead[:0] = _names(target)
            continue
        if entry and ahead and entry.kind != "directory":
            raise GuestError(f"{here} is not a directory in the guest", where=path)
        done.append(name)
    return "/" + "/".join(done)


def _names(path: str) -> list[str]:
    if "\0" in path:
        raise GuestError("a path contains a NUL character", where=path)
    return [name for name in path.split("/") if name not in ("", ".")]


def lookup(view: View, path: str) -> tuple[str, Entry | None]:
    """Return a path's real path and what stands there, links followed."""
    real = resolve(view, path)
    return real, view.lstat(real)


def exists(view: View, path: str) -> bool:
    """Say whether something stands at a guest path, links followed; a loop of links leads to nothing."""
    try:
        return lookup(view, path)[1] is not None
    except GuestError:
        return False


def read_text(view: View, path: str) -> str | None:
    """Return the text of a guest file, or None when no regular file is there."""
    real, entry = lookup(view, path)
    if entry is None or entry.kind != "file":
        return None
    return view.read(real).decode("utf-8", "surrogateescape")


def names_in(view: View, path: str) -> list[str]:
    """Return the sorted names in a guest directory; none when it is no directory."""
    real, entry = lookup(view, path)
    return sorted(view.listdir(real)) if entry and entry.kind == "directory" else []


def sha256(file: t.BinaryIO) -> str:
    """Return the digest of the rest of an open file, in hexadecimal, a piece at a time."""
    digest = hashlib.sha256()
    while True:
        piece = file.read(_PIECE)
        if not piece:
            return digest.hexdigest()
        digest.update(piece)


def join(folder: str, name: str) -> str:
    """Return the real path of a name in a directory."""
    return f"{folder.rstrip('/')}/{name}"


def parent(path: str) -> str:
    """Return the directory that holds a real path."""
    return posixpath.dirname(path)


__all__ = [
    "MAX_LINKS",
    "READ_LIMIT",
    "Attributes",
    "Below",
    "Change",
    "Delete",
    "Entry",
    "GuestTree",
    "HostFile",
    "PutDirectory",
    "PutFile",
    "PutHostFile",
    "PutSymlink",
    "SetAttributes",
    "SetXattr",
    "View",
    "changes_directory",
    "exists",
    "join",
    "lookup",
    "names_in",
    "needs_existing",
    "parent",
    "read_text",
    "require_settable",
    "resolve",
    "sha256",
    "too_large",
]
