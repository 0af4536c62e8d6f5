# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GuestTree for ext2/3/4 through debugfs: no root, no loop device, no mount.

One debugfs process answers all questions until something changes; changes go
through one more. debugfs reads its commands as lines and reports failure only as
text on standard error, so a name that a line cannot hold is refused before
anything is done, and any unexpected word on standard error is a failure.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Conversation, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    InputError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry, GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume, check, identify

_ROOT_INODE = 2

# ls -p prints /inode/mode/uid/gid/name/size/, and no size for directories.
_LISTED = re.compile(rb"^/(\d+)/(\d+)/(-?\d+)/(-?\d+)/([^/]*)/(\d*)/$")
_ACL = "system.posix_acl_access"
_ACLS = (_ACL, "system.posix_acl_default")
_FAST_LINK = b'Fast link dest: "'

# What debugfs prints of an inode.
_LINKS = re.compile(rb"^Links: (\d+)", re.MULTILINE)
_ATTRIBUTE_BLOCK = re.compile(rb"^File ACL: (\d+)", re.MULTILINE)
_ATTRIBUTES = re.compile(rb"^Extended attributes:\n((?:  .*\n)*)", re.MULTILINE)
_ATTRIBUTE = re.compile(rb"  (.+?) \(\d+\)(?: = .*)?")
_INLINE = "system.data"  # where the content of small files and directories lies (ext4, inline_data)

_UNSAYABLE = re.compile(r"[\0-\x1f\x7f]")  # what no line of commands can hold
_PATH_LIMIT = 4096  # bytes: debugfs reads lines of less than 8192
_AT_ONCE = 1000  # requests, so that their answers stay below the limit of a program's output

# How much of the guest lies on the builder at any moment while files are compared, in bytes.
_BATCH = 64 << 20

_ACL_OWNER, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 0x01, 0x04, 0x10, 0x20
_ACL_NAMED = (0x02, 0x08)  # a user, a group

_MOUNT = "use access: mounted as root, or choose another name"


@dataclass(frozen=True)
class Inode:
    """What a directory does not tell of a file.

    Attributes:
        attributes: the names of its extended attributes.
        attribute_block: whether they need a block outside the inode, which other inodes may share.
    """

    links: int
    attributes: tuple[str, ...]
    attribute_block: bool


class ExtTree(GuestTree):
    """The files of an ext filesystem in a region of an image file."""

    def __init__(self, runner: Runner, volume: Volume) -> None:
        self._runner = runner
        self._volume = volume
        self._open = ExitStack()
        self._talking: Conversation | None = None
        self._token = b""
        # What was read stays true until `apply`.
        self._listings: dict[str, dict[str, tuple[int, Entry]]] = {}
        self._targets: dict[str, str] = {}
        self._unlisted: set[str] = set()  # folders with names that a listing cannot tell

    def lstat(self, path: str) -> Entry | None:
        found = self._find(path)
        return found[1] if found else None

    def listdir(self, path: str) -> list[str]:
        return [name for name in self._list(path) if name not in (".", "..")]

    def readlink(self, path: str) -> str:
        # Every path below a merged /lib is resolved through one link.
        if path not in self._targets:
            self._targets[path] = self._readlink(path)
        return self._targets[path]

    def _readlink(self, path: str) -> str:
        inode, entry = self._require(path)
        if entry.size >= 60:  # shorter ones are kept in the inode itself
            target = self._ask(f"cat <{inode}>")
        else:
            shown = self._ask(f"stat <{inode}>")
            start = shown.find(_FAST_LINK)
            if start < 0:
                target = self._ask(f"cat <{inode}>")
            else:
                start += len(_FAST_LINK)
                target = shown[start : start + entry.size]
        return os.fsdecode(target)

    def read(self, path: str) -> bytes:
        inode, size = self._require_file(path, tree.READ_LIMIT)
        content = self._ask(f"cat <{inode}>")
        if len(content) != size:
            raise GuestError("the file cannot be read", where=path, hint="check the filesystem with e2fsck")
        return content

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        found = [(path, *self._require_file(path, tree.READ_LIMIT)) for path in paths]
        contents = dict(zip(paths, self._ask_all([f"cat <{inode}>" for _path, inode, _size in found])))
        for path, _inode, size in found:
            if len(contents[path]) != size:
                raise GuestError("the file cannot be read", where=path, hint="check the filesystem with e2fsck")
        return contents

    def xattrs(self, path: str) -> dict[str, bytes]:
        inode = self.number(path)
        names = parse_stat(inode, self._ask(f"stat <{inode}>")).attributes
        shown = self._ask_all([f"ea_get -xV <{inode}> {_quote(name, path)}" for name in names])
        values = {name: bytes.fromhex(value.decode()) for name, value in zip(names, shown)}
        return {name: as_kernel_shows(value) if name in _ACLS else value for name, value in values.items()}

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        inode, size = self._require_file(path, maximum)
        self._ask(f"dump <{inode}> {_quote(target, target)}")
        if os.stat(target).st_size != size:
            raise GuestError("the file cannot be read", where=path, hint="check the filesystem with e2fsck")

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for some in self._batches(paths):
            with tempfile.TemporaryDirectory(prefix="voc-ext-") as folder:
                copies = {path: os.path.join(folder, str(number)) for number, path in enumerate(some)}
                self._ask_all([f"dump <{self.number(path)}> {_quote(copy, copy)}" for path, copy in copies.items()])
                for path, copy in copies.items():
                    with open(copy, "rb") as file:
                        found[path] = tree.sha256(file)
        return found

    def _batches(self, paths: Collection[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for path in paths:
            _inode, entry = self._require(path)
            if entry.kind != "file":
                raise GuestError("it is not a regular file", where=path)
            if batch and size + entry.size > _BATCH:
                yield batch
                batch, size = [], 0
            batch.append(path)
            size += entry.size
        if batch:
            yield batch

    def expect(self, folders: Collection[str]) -> None:
        wanted = {"/"}
        for folder in folders:
            above = folder
            while above not in wanted:
                wanted.add(above)
                above = tree.parent(above)
        for depth in sorted({_depth(folder) for folder in wanted}):
            # What was found on one level says which directories of the next are there.
            self._list_all([folder for folder in wanted if _depth(folder) == depth])

    def _list_all(self, folders: Collection[str]) -> None:
        """Read those of some directories that are there and not known yet."""
        numbers: dict[int, str] = {}
        for folder in folders:
            found = None if folder in self._listings else self._find(folder)
            if found and found[1].kind == "directory":
                numbers[found[0]] = folder
        for folder, shown in zip(numbers.values(), self._ask_all([f"ls -p <{number}>" for number in numbers])):
            self._learn(folder, shown)

    def apply(self, changes: Sequence[tree.Change]) -> None:
        found = identify(self._volume)
        if found and not found.clean:
            raise InputError(
                "the filesystem was not unmounted cleanly",
                where=self._volume.path,
                hint="let image_layout or e2fsck -f repair it first",
            )
        with tempfile.TemporaryDirectory(prefix="voc-ext-") as folder:
            going = self._inodes(changes)
            commands = _Script(self, folder, going)
            for change in changes:
                commands.add(change)
            self.close()
            # debugfs 1.47 removes an inode but not its block of attributes; e2fsck frees that.
            to_check = any(inode.attribute_block for inode in going.values())
            last = [] if to_check else [batch.MARK_CLEAN]
            batch.run(self._runner, self._volume, _write_lines(folder, [*commands.lines, *last]))
        self._listings.clear()
        self._targets.clear()
        self._unlisted.clear()
        if to_check:
            check(self._runner, self._volume)

    def number(self, path: str) -> int:
        """Return the number of the inode at `path`."""
        return self._require(path)[0]

    def save_attribute(self, path: str, name: str, target: str) -> None:
        """Write the value of an extended attribute to a file on the builder."""
        self._ask(f'ea_get -f "{target}" <{self.number(path)}> {name}')

    def _inodes(self, changes: Sequence[tree.Change]) -> dict[int, Inode]:
        """Look at all that `changes` remove, replace or give other attributes, in one go."""
        going = {
            self.number(change.path)
            for change in changes
            if isinstance(change, (tree.Delete, tree.SetAttributes))
            or (isinstance(change, (tree.PutFile, tree.PutHostFile)) and change.replaces)
        }
        shown = self._ask_all([f"stat <{number}>" for number in going])
        return {number: parse_stat(number, answer) for number, answer in zip(going, shown)}

    def _find(self, path: str) -> tuple[int, Entry] | None:
        # No recursion: a link in the image can name a path of thousands of directories.
        found = self._list("/").get(".")
        if found is None:
            raise DamagedImageError("the filesystem has no root directory", where=self._volume.path)
        here = "/"
        for name in path.split("/")[1:] if path != "/" else ():
            if found is None or found[1].kind != "directory":
                return None
            found = self._list(here).get(name)
            here = f"{here.rstrip('/')}/{name}"
        return found

    def _require(self, path: str) -> tuple[int, Entry]:
        found = self._find(path)
        if found is None:
            raise GuestError("there is no such file in the guest", where=path)
        return found

    def _require_file(self, path: str, maximum: int) -> tuple[int, int]:
        """Return the inode and the size of a regular file of at most `maximum` bytes."""
        inode, entry = self._require(path)
        if entry.kind != "file":
            raise GuestError("it is not a regular file", where=path)
        if entry.size > maximum:
            raise tree.too_large(path, entry.size)
        return inode, entry.size

    def _list(self, path: str) -> dict[str, tuple[int, Entry]]:
        if path not in self._listings:
            inode = _ROOT_INODE if path == "/" else self._require(path)[0]
            self._learn(path, self._ask(f"ls -p <{inode}>"))
        return self._listings[path]

    def _learn(self, folder: str, shown: bytes) -> None:
        self._listings[folder] = parse_listing(shown)
        if any(line and not _LISTED.match(line) for line in shown.split(b"\n")):
            self._unlisted.add(folder)

    def expresses(self, path: str) -> bool:
        found = self._find(path)
        if found and found[1].kind == "directory":
            self._list(path)
        sayable = _UNSAYABLE.search(path) is None and len(os.fsencode(path)) < _PATH_LIMIT
        return sayable and path not in self._unlisted and not path.rpartition("/")[2].startswith("<")

    def _ask(self, request: str) -> bytes:
        """Let debugfs answer one request that changes nothing."""
        (answer,) = self._ask_all([request])
        return answer

    def _ask_all(self, requests: Sequence[str]) -> list[bytes]:
        """Let debugfs answer requests that change nothing.

        It repeats each request, and lines that begin with ``#``. No file of
        the guest can foresee the ones that are made here.
        """
        answers: list[bytes] = []
        for first in range(0, len(requests), _AT_ONCE):
            answers += self._ask_some(requests[first : first + _AT_ONCE])
        return answers

    def _ask_some(self, requests: Sequence[str]) -> list[bytes]:
        talking = self._debugfs()  # which also makes the token
        marks = [b"#%s %d\n" % (self._token, number) for number in range(len(requests))]
        lines = [os.fsencode(f"{request}\n") + mark for request, mark in zip(requests, marks)]
        output, errors = talking.ask(b"".join(lines), marks[-1])
        self._require_silence(errors)
        answers = []
        start = 0
        for request, mark in zip(requests, marks):
            end = output.find(mark, start)
            end = len(output) if end < 0 else end
            answers.append(output[start + len(os.fsencode(f"debugfs: {request}\n")) : end])
            start = end + len(mark)
        return answers

    def _debugfs(self) -> Conversation:
        """Return the debugfs that answers requests; it is started when it is needed first."""
        if self._talking is None:
            self._token = secrets.token_hex(16).encode()
            self._talking = self._open.enter_context(
                self._runner.converse(["debugfs", "-f", "-", self._volume.e2fs_name])
            )
        return self._talking

    def close(self) -> None:
        """End the debugfs that answers requests; what it holds of the image in memory is forgotten."""
        self._talking = None
        self._open.close()

    def __enter__(self) -> ExtTree:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _require_silence(self, errors: bytes) -> None:
        trouble = batch.complaints(errors)
        if trouble:
            raise DamagedImageError(
                f"the filesystem cannot be read (debugfs: {trouble})",
                where=self._volume.path,
                hint="repair a copy of the image with e2fsck -f, or fetch it again",
            )


class _Script:
    """Turns changes into debugfs commands; file contents wait in a folder of the builder."""

    def __init__(self, source: ExtTree, folder: str, going: dict[int, Inode]) -> None:
        self.lines: list[str] = []
        self._source = source
        self._going = going
        self._removed: Counter[int] = Counter()
        self._folder = folder
        self._count = 0
        self._here = ""  # where the commands so far have led

    def add(self, change: tree.Change) -> None:
        """Append the commands for one change."""
        above, _slash, name = change.path.rpartition("/")
        self._enter(above or "/", change.path)
        word = _quote(name or ".", change.path)
        if isinstance(change, tree.PutFile):
            self._put_file(change, word, self._new_file(change.content))
        elif isinstance(change, tree.PutHostFile):
            self._put_file(change, word, os.path.abspath(change.source.path))
        elif isinstance(change, tree.PutDirectory):
            self.lines.append(f"mkdir {word}")
            self._attributes(word, 0o040000, change.attributes)
        elif isinstance(change, tree.PutSymlink):
            self.lines.append(f"symlink {word} {_quote(change.target, change.path)}")
        elif isinstance(change, tree.SetXattr):
            self._set_xattr(change, word)
        elif isinstance(change, tree.Delete):
            self._remove(change.path, word, "rmdir" if change.kind == "directory" else "rm")
        else:
            self._set_attributes(change, word)

    def _enter(self, folder: str, path: str) -> None:
        if folder != self._here:
            self.lines.append(f"cd {_quote(folder, path)}")
            self._here = folder

    def _set_attributes(self, change: tree.SetAttributes, word: str) -> None:
        kinds = {"directory": 0o040000, "file": 0o100000}
        entry = self._source.lstat(change.path)
        if entry is None or entry.kind not in kinds:
            raise GuestError("it is neither a file nor a directory", where=change.path)
        self._attributes(word, kinds[entry.kind], change.attributes)
        if _ACL in self._going[self._source.number(change.path)].attributes:
            self._set_extended(word, _ACL, self._save(change.path, _ACL, change.attributes))

    def _save(self, path: str, name: str, attributes: Attributes) -> str:
        """Save an extended attribute, as it must be for the new permission bits; return the file's path."""
        saved = self._new_file(b"")
        self._source.save_attribute(path, name, saved)
        if name == _ACL:
            with open(saved, "r+b") as file:
                fitted = fit_acl(file.read(), attributes.mode)
                file.seek(0)
                file.write(fitted)
        return saved

    def _set_xattr(self, change: tree.SetXattr, word: str) -> None:
        tree.require_settable(change.path, change.name)
        if change.value is None:
            self.lines.append(f"ea_rm {word} {_quote(change.name, change.path)}")
        else:
            self._set_extended(word, change.name, self._new_file(change.value))

    def _set_extended(self, word: str, name: str, saved: str) -> None:
        # Unlike the others, ea_set would take a leading dash for an option.
        self.lines.append(f'ea_set -f {_quote(saved, saved)} "./{word[1:]} {_quote(name, name)}')

    def _remove(self, path: str, word: str, command: str) -> None:
        """Remove a name; before an inode's last one its attributes, so that a shared block has one user less."""
        number = self._source.number(path)
        inode = self._going[number]
        self._removed[number] += 1
        if inode.attribute_block and (command == "rmdir" or self._removed[number] == inode.links):
            self.lines += [f"ea_rm {word} {name}" for name in inode.attributes]
        self.lines.append(f"{command} {word}")

    def _put_file(self, change: tree.PutFile | tree.PutHostFile, word: str, content: str) -> None:
        kept: list[tuple[str, str]] = []
        if change.replaces:
            names = self._going[self._source.number(change.path)].attributes
            kept = [(attribute, self._save(change.path, attribute, change.attributes)) for attribute in names]
            self._remove(change.path, word, "rm")
        self.lines.append(f"write {_quote(content, content)} {word}")
        self._attributes(word, 0o100000, change.attributes)
        for attribute, saved in kept:
            self._set_extended(word, attribute, saved)

    def _attributes(self, word: str, kind: int, attributes: Attributes) -> None:
        self.lines.append(f"set_inode_field {word} mode 0{kind | attributes.mode:o}")
        self.lines.append(f"set_inode_field {word} uid {attributes.uid}")
        self.lines.append(f"set_inode_field {word} gid {attributes.gid}")

    def _new_file(self, content: bytes) -> str:
        self._count += 1
        path = os.path.join(self._folder, str(self._count))
        with open(path, "wb") as file:
            file.write(content)
        return path


def _depth(folder: str) -> int:
    return 0 if folder == "/" else folder.count("/")


def parse_listing(output: bytes) -> dict[str, tuple[int, Entry]]:
    """Read what ``ls -p`` printed: name -> (inode, entry).

    A name with a newline would take two lines, neither of which is an entry;
    it cannot be expressed here and is left out. So is what is no entry any more, or never
    was one, as the nodes of an index in a large directory: it has no inode.
    """
    names: dict[str, tuple[int, Entry]] = {}
    for line in output.split(b"\n"):
        match = _LISTED.match(line)
        if match:
            inode, mode, uid, gid, name, size = match.groups()
            # debugfs prints owners as signed numbers.
            owner, group = int(uid) & 0xFFFFFFFF, int(gid) & 0xFFFFFFFF
            entry = Entry.from_mode(int(mode, 8), owner, group, int(size or 0))
            if int(inode):
                names[os.fsdecode(name)] = (int(inode), entry)
    return names


def parse_stat(number: int, shown: bytes) -> Inode:
    """Read what ``stat`` printed of an inode.

    Raises:
        DamagedImageError: it is not what debugfs prints.
    """
    links, block = _LINKS.search(shown), _ATTRIBUTE_BLOCK.search(shown)
    if links is None or block is None:
        raise DamagedImageError(f"the inode {number} cannot be read", hint="check the filesystem with e2fsck")
    return Inode(int(links.group(1)), _attribute_names(number, shown), int(block.group(1)) != 0)


def _attribute_names(number: int, shown: bytes) -> tuple[str, ...]:
    section = _ATTRIBUTES.search(shown)
    matches = [_ATTRIBUTE.fullmatch(line) for line in section.group(1).splitlines()] if section else []
    names = [os.fsdecode(match.group(1)) for match in matches if match]
    if len(names) != len(matches):  # it would be lost when the file is replaced
        raise GuestError(f"debugfs cannot express the name of an extended attribute of inode {number}", hint=_MOUNT)
    return tuple(name for name in names if name != _INLINE)


def as_kernel_shows(acl: bytes) -> bytes:
    """Return an access control list as Linux gives it: entries that name nobody have -1 there, and not 0 (debugfs)."""
    entries = [
        (tag, permissions, identity if tag in _ACL_NAMED else 0xFFFFFFFF)
        for tag, permissions, identity in _acl_entries(acl)
    ]
    return acl[:4] + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def fit_acl(acl: bytes, mode: int) -> bytes:
    """Return an access control list with a mode's permissions, as chmod would make it.

    Without that, whom the list names would keep an access that the mode denies.
    """
    entries = _acl_entries(acl)
    has_mask = any(tag == _ACL_MASK for tag, _permissions, _id in entries)
    shifts = {_ACL_OWNER: 6, _ACL_MASK if has_mask else _ACL_GROUP: 3, _ACL_OTHER: 0}
    fitted = [
        (tag, mode >> shifts[tag] & 7 if tag in shifts else permissions, identity)
        for tag, permissions, identity in entries
    ]
    return acl[:4] + b"".join(struct.pack("<HHI", *entry) for entry in fitted)


def _acl_entries(acl: bytes) -> list[tuple[int, int, int]]:
    """Return tag, permissions and user or group of each entry (linux/posix_acl_xattr.h).

    Raises:
        GuestError: the list is malformed.
    """
    if len(acl) % 8 != 4:
        raise GuestError("an access control list in the guest is damaged", hint="check the filesystem with e2fsck")
    return list(struct.iter_unpack("<HHI", acl[4:]))


def _write_lines(folder: str, lines: Sequence[str]) -> str:
    """Write a file of debugfs commands and return its path."""
    path = os.path.join(folder, "commands")
    with open(path, "wb") as file:
        file.write(os.fsencode("".join(f"{line}\n" for line in lines)))
    return path


def _quote(word: str, path: str) -> str:
    """Return a word as debugfs reads it: in double quotes, inner ones doubled.

    Raises:
        GuestError: no line of commands can hold it.
    """
    if _UNSAYABLE.search(word) or word.startswith("<"):
        raise GuestError(
            "debugfs cannot express this name",
            where=path,
            hint=_MOUNT,
        )
    escaped = word.replace('"', '""')
    return f'"{escaped}"'


__all__ = ["ExtTree", "parse_listing"]
