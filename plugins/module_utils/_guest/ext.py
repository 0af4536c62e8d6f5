# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GuestTree for ext2/3/4 through debugfs: no root, no loop device, no mount.

One debugfs process answers all questions until something changes; changes go through
one more (see `batch`), as `script` words them, and so do files of the builder (see `rooms`).
That one answers what is asked afterwards.
What cannot be expressed to it is refused before anything is done.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import acl, batch, foresight, rooms, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import (
    MOUNT_INSTEAD,
    ComplaintError,
    Session,
    quote,
    sayable,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.inodes import parse_listing, parse_stat
from ansible_collections.voc.cluster.plugins.module_utils._guest.protected import require_unprotected
from ansible_collections.voc.cluster.plugins.module_utils._guest.script import Script, Standing
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry, GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import (
    Filesystem,
    Volume,
    check,
    require_ext,
)

_ROOT_INODE = 2
_FAST_LINK = b'Fast link dest: "'

# Linux, fs/ext4/ext4.h
_GIVES_PROJECT = 0x20000000  # the flag of a directory whose new files belong to its project
_EA_INODE = 0x400  # the feature of large extended attributes, which have inodes of their own
# Features by which names in a directory are not what its bytes say.
_NAMES_DIFFER = {0x10000: "encrypt", 0x20000: "casefold"}

# How much of the guest lies on the builder at any moment while files are compared, in bytes.
_BATCH = 64 << 20


class ExtTree(GuestTree):
    """The files of an ext filesystem in a region of an image file."""

    def __init__(self, runner: Runner, volume: Volume) -> None:
        self._runner = runner
        self._volume = volume
        self._open = ExitStack()
        self._talking: Session | None = None
        # What was read stays true until `apply`.
        self._listings: dict[str, dict[str, tuple[int, Entry]]] = {}
        self._targets: dict[str, str] = {}

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

    def expresses(self, path: str) -> bool:
        return sayable(path)

    def xattrs(self, path: str) -> dict[str, bytes]:
        inode = self._require(path)[0]
        names = parse_stat(inode, self._ask(f"stat <{inode}>")).attributes
        return self._values({path: (inode, names)})[path]

    def _values(self, wanted: Mapping[str, tuple[int, Collection[str]]]) -> dict[str, dict[str, bytes]]:
        """Return the values of extended attributes by path and name; their inodes and names are given."""
        keys = [(path, inode, name) for path, (inode, names) in wanted.items() for name in names]
        shown = self._ask_all([f"ea_get -xV <{inode}> {quote(name, path)}" for path, inode, name in keys])
        values: dict[str, dict[str, bytes]] = {path: {} for path in wanted}
        for (path, _inode, name), digits in zip(keys, shown):
            value = bytes.fromhex(digits.decode())
            values[path][name] = acl.as_kernel_shows(value) if name in (acl.ACCESS, acl.DEFAULT) else value
        return values

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        inode, size = self._require_file(path, maximum)
        self._ask(f"dump <{inode}> {quote(target, target)}")
        if os.stat(target).st_size != size:
            raise GuestError("the file cannot be read", where=path, hint="check the filesystem with e2fsck")

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for some in self._batches(paths):
            with tempfile.TemporaryDirectory(prefix="voc-ext-") as folder:
                copies = {path: os.path.join(folder, str(number)) for number, path in enumerate(some)}
                self._ask_all([f"dump <{self._require(path)[0]}> {quote(copy, copy)}" for path, copy in copies.items()])
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
            self._listings[folder] = parse_listing(shown)

    def foresee(self, changes: Sequence[tree.Change]) -> None:
        found = self._require_clean()
        if found.free is not None and found.block_size:
            room = foresight.Room(found.free, found.block_size, found.inodes)
            foresight.require_room(changes, room, self.lstat)

    def _require_clean(self) -> Filesystem:
        found = require_ext(self._volume)
        if not found.clean:
            raise InputError(
                "the filesystem was not unmounted cleanly",
                where=self._volume.path,
                hint="let image_layout or e2fsck -f repair it first",
            )
        return found

    def apply(self, changes: Sequence[tree.Change]) -> None:
        found = self._require_clean()
        standing = self._look_at(changes)
        require_unprotected(changes, lambda path: standing[path].inode.flags if path in standing else 0)
        # debugfs 1.47 removes an inode but not its block of attributes, nor does it count who uses
        # how much; e2fsck does both.
        to_check = any(
            path in standing and standing[path].inode.attribute_block
            for path in (change.path for change in changes if tree.needs_existing(change))
        ) or bool(found.quota or found.incompatible & _EA_INODE)
        with tempfile.TemporaryDirectory(prefix="voc-ext-") as folder:
            script = _script(found, standing, changes, folder)
            self.close()

            def work(session: Session) -> None:
                session.do(script.lines)
                rooms.fill(session, self._volume, script.block_size, script.rooms)

            self._talking = batch.run(self._runner, self._volume, work, self._open, whole=not to_check)
        self._listings.clear()
        self._targets.clear()
        if to_check:
            self.close()
            check(self._runner, self._volume)

    def _look_at(self, changes: Sequence[tree.Change]) -> dict[str, Standing]:
        """Look at all that `changes` touch and that is there, in one go; tell their values where they will be kept."""
        paths: dict[str, bool] = {}
        for change in changes:
            if tree.needs_existing(change):
                paths[change.path] = paths.get(change.path, False) or not isinstance(change, tree.Delete)
            if tree.changes_directory(change):
                paths[tree.parent(change.path)] = True
        found = {path: there for path in paths for there in [self._find(path)] if there}
        shown = self._ask_all([f"stat <{number}>" for number, _entry in found.values()])
        inodes = {path: parse_stat(found[path][0], answer) for path, answer in zip(found, shown)}
        kept = {path: (found[path][0], inodes[path].attributes) for path in found if paths[path]}
        values = self._values(kept)
        return {
            path: Standing(number, entry, inodes[path], self._count(path, entry), values.get(path, {}))
            for path, (number, entry) in found.items()
        }

    def _count(self, path: str, entry: Entry) -> int:
        return len(self.listdir(path)) if entry.kind == "directory" else 0

    def _find(self, path: str) -> tuple[int, Entry] | None:
        above, _slash, name = path.rpartition("/")
        if path != "/" and (above or "/") in self._listings:
            return self._listings[above or "/"].get(name)
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
            self._listings[path] = parse_listing(self._ask(f"ls -p <{inode}>"))
        return self._listings[path]

    def _ask(self, request: str) -> bytes:
        """Let debugfs answer one request that changes nothing."""
        (answer,) = self._ask_all([request])
        return answer

    def _ask_all(self, requests: Sequence[str]) -> list[bytes]:
        """Let debugfs answer requests that change nothing."""
        if not requests:
            return []
        try:
            return self._debugfs().ask(requests)
        except ComplaintError as trouble:
            raise DamagedImageError(
                f"the filesystem cannot be read (debugfs: {trouble})",
                where=self._volume.path,
                hint="repair a copy of the image with e2fsck -f, or fetch it again",
            ) from None

    def _debugfs(self) -> Session:
        """Return the debugfs that answers requests; it is started when it is needed first."""
        if self._talking is None:
            _require_plain_names(self._volume)
            command = ["debugfs", "-f", "-", self._volume.e2fs_name]
            self._talking = Session(self._open.enter_context(self._runner.converse(command)))
        return self._talking

    def close(self) -> None:
        """End the debugfs that answers requests; what it holds of the image in memory is forgotten."""
        self._talking = None
        self._open.close()

    def __enter__(self) -> ExtTree:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _script(
    filesystem: Filesystem, standing: Mapping[str, Standing], changes: Sequence[tree.Change], folder: str
) -> Script:
    """Return the commands for changes; the contents of files wait in `folder`.

    Raises:
        GuestError: debugfs cannot do one of them.
    """
    falling = frozenset(
        change.path for change in changes if isinstance(change, tree.Delete) and change.kind == "directory"
    )
    script = Script(filesystem, standing, folder, falling)
    for change in changes:
        above = standing.get(tree.parent(change.path))
        if tree.changes_directory(change) and above and above.inode.flags & _GIVES_PROJECT:
            raise GuestError(
                "new files in its directory belong to a project (chattr +P), which debugfs does not see to",
                where=change.path,
                hint=MOUNT_INSTEAD,
            )
        script.add(change)
    script.finish()
    return script


def _require_plain_names(volume: Volume) -> None:
    found = require_ext(volume)
    for feature, name in _NAMES_DIFFER.items():
        if found.incompatible & feature:
            raise InputError(
                f"its filesystem has the feature {name}, which debugfs does not follow",
                where=volume.path,
                hint="use access: mounted as root",
            )


def _depth(folder: str) -> int:
    return 0 if folder == "/" else folder.count("/")


__all__ = ["ExtTree"]
