# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GuestTree for whatever the kernel mounts, in a mount namespace of this process alone.

Everything lives as long as the process: the loop device frees itself when the
mount goes, the mount when the namespace goes. So even SIGKILL leaves nothing.
Needs root, and lets the host kernel parse the filesystem: the `ext` driver is
preferred where it serves.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import posixpath
import shutil
import stat
import typing as t
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    ImageError,
    InputError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import loop, perform, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.descend import open_folder
from ansible_collections.voc.cluster.plugins.module_utils._guest.foresight import Room, in_the_middle, require_room
from ansible_collections.voc.cluster.plugins.module_utils._guest.protected import require_unprotected
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry, GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.verify import CHECKED, verify_for_mount
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

# The folder that the private mount covers: it exists everywhere (FHS 3.14) and
# nobody outside this process sees it covered.
MOUNT_POINT = "/mnt"

_CLONE_NEWNS, _CLONE_FS = 0x00020000, 0x00000200
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What errors mean: there is nothing, no room is left, or the filesystem is damaged (and read-only since then).
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_BROKEN = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EROFS)

_OPTIONS = "nodev,nosuid,noatime"
# An ext superblock can ask for a kernel panic on errors; the explicit option overrides it.
# Copies of one image share their UUID, and xfs would refuse the second.
_OWN_OPTIONS = {
    "ext2": "errors=remount-ro",
    "ext3": "errors=remount-ro",
    "ext4": "errors=remount-ro",
    "xfs": "nouuid",
}
# A read-only mount would still replay the journal, and so write.
_READ_ONLY = {
    "ext2": "ro",
    "ext3": "ro,noload",
    "ext4": "ro,noload",
    "xfs": "ro,norecovery",
    "btrfs": "ro,rescue=nologreplay",
}


@contextmanager
def private_mounts() -> Iterator[None]:
    """Put this process into a mount namespace of its own, and back in the end.

    Raises:
        InputError: the user may not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as stack:
        before, root, folder = (
            _opened(stack, path, flags)
            for path, flags in (("/proc/self/ns/mnt", os.O_RDONLY), ("/", os.O_PATH), (".", os.O_PATH))
        )
        if libc.unshare(_CLONE_NEWNS) != 0:
            raise InputError(f"mounting needs root ({os.strerror(ctypes.get_errno())})", hint="run the builder as root")
        try:
            yield
        finally:
            # A thread that has been joined may not have ended for Linux, and shares the current folder till then.
            if libc.unshare(_CLONE_FS) != 0 or libc.setns(before, _CLONE_NEWNS) != 0:
                raise OSError(ctypes.get_errno(), "cannot return to the mount namespace")
            # Entering a namespace makes its root this process's root; in a chroot that was another one.
            os.fchdir(root)
            os.chroot(".")
            os.fchdir(folder)


def _opened(stack: ExitStack, path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


@contextmanager
def mounted(
    runner: Runner,
    volume: Volume,
    filesystem: str,
    *,
    writable: bool = True,
    below: Sequence[tuple[str, Volume, str]] = (),
) -> Iterator[str]:
    """Mount a filesystem of an image privately, and others below it, and give the mount point.

    Args:
        writable: otherwise not a byte of the image changes, even if its journal was not replayed.
        below: mount points, real paths of the guest, with the filesystems that belong there, parents
            first. Where the guest has no such directory nothing is mounted.
    """
    with private_mounts(), ExitStack() as stack:
        runner.run(["mount", "--make-rprivate", "/"])
        stack.enter_context(_mounted_at(runner, volume, filesystem, MOUNT_POINT, writable))
        for path, other, kind in below:
            # A link would let mount cover a directory of the builder.
            real, entry = tree.lookup(MountedTree(MOUNT_POINT), path)
            if real == path and entry and entry.kind == "directory":
                stack.enter_context(_mounted_at(runner, other, kind, MOUNT_POINT + path, writable))
        yield MOUNT_POINT


@contextmanager
def _mounted_at(runner: Runner, volume: Volume, filesystem: str, folder: str, writable: bool) -> Iterator[None]:
    if filesystem in CHECKED:  # the kernel is given nothing that is known to be damaged; ext was checked before
        verify_for_mount(runner, volume, filesystem, volume.path)
    mode = "rw" if writable else _READ_ONLY.get(filesystem, "ro")
    options = ",".join(filter(None, (_OPTIONS, mode, _OWN_OPTIONS.get(filesystem))))
    # Mounted, it is in use without this process, and frees itself with the mount.
    with loop.attached(volume, writable=writable) as device, _named(device, volume.path):
        runner.run(["mount", "-t", filesystem, "-o", options, "--", device, folder])
        held = loop.backing(device)
    try:
        yield
    finally:
        runner.run(["umount", "--", folder])
        loop.wait_until_free(device, held)


@contextmanager
def _named(device: str, path: str) -> Iterator[None]:
    """Let complaints about a device name the image, which is what the user knows."""
    try:
        yield
    except ToolError as error:
        error.found = error.found.replace(device, path)
        raise


class MountedTree(GuestTree):
    """The files below a mount point, reached without following any link."""

    def __init__(self, root: str) -> None:
        self._root = root

    def lstat(self, path: str) -> Entry | None:
        try:
            with self._folder(path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOTHING:
                return None
            raise _told(error, path) from error
        return Entry.from_mode(found.st_mode, found.st_uid, found.st_gid, found.st_size)

    def readlink(self, path: str) -> str:
        with _errors(path), self._folder(path) as (folder, name):
            return os.readlink(name, dir_fd=folder)

    def listdir(self, path: str) -> list[str]:
        with _errors(path), self._folder(path) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                return os.listdir(descriptor)
            finally:
                os.close(descriptor)

    def read(self, path: str) -> bytes:
        with _errors(path), self._open(path, tree.READ_LIMIT) as file:
            return file.read(tree.READ_LIMIT)

    def xattrs(self, path: str) -> dict[str, bytes]:
        with _errors(path), self._folder(path) as (folder, name):
            place = perform.in_folder(folder, name)
            names = os.listxattr(place, follow_symlinks=False)
            return {name: os.getxattr(place, name, follow_symlinks=False) for name in names}

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        with _errors(path):
            source = self._open(path, maximum)
        with source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        found = {}
        for path in paths:
            with _errors(path), self._open(path) as file:
                found[path] = tree.sha256(file)
        return found

    def _open(self, path: str, maximum: int | None = None) -> t.BinaryIO:
        """Open a regular file, of at most `maximum` bytes where that is given."""
        with self._folder(path) as (folder, name):
            # Opening a FIFO could wait for ever, and opening a device do something.
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise GuestError("it is not a regular file", where=path)
            if maximum is not None and found.st_size > maximum:
                raise tree.too_large(path, found.st_size)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
        return os.fdopen(descriptor, "rb")

    def foresee(self, changes: Sequence[tree.Change]) -> None:
        require_unprotected(changes, self._flags)
        rooms: dict[int, Room] = {}
        parts: dict[int, list[tree.Change]] = {}
        for above, some in itertools.groupby(changes, lambda change: tree.parent(change.path)):
            with _errors(above):
                device, room = self._room(above)
            rooms.setdefault(device, room)
            parts.setdefault(device, []).extend(some)
        for device, own in parts.items():
            require_room(own, rooms[device], self.lstat)

    def _room(self, path: str) -> tuple[int, Room]:
        """Return the number of the filesystem that will hold a directory, and its room."""
        while True:
            try:
                folder = self._descend(path)
                break
            except OSError as error:
                # What stands there now may go before the directory is made.
                if path == "/" or error.errno not in _NOTHING:
                    raise
                path = tree.parent(path)
        try:
            found = os.fstatvfs(folder)
            inodes = found.f_ffree if found.f_files else None
            return os.fstat(folder).st_dev, Room(found.f_bfree * found.f_frsize, found.f_frsize, inodes)
        finally:
            os.close(folder)

    def apply(self, changes: Sequence[tree.Change]) -> None:
        self.foresee(changes)
        begun = False
        for above, some in itertools.groupby(changes, lambda change: tree.parent(change.path)):
            with in_the_middle(begun), _errors(above):
                folder = self._descend(above)
            try:
                for change in some:
                    with in_the_middle(begun), _errors(change.path):
                        perform.perform(folder, posixpath.basename(change.path) or ".", change)
                    begun = True
            finally:
                os.close(folder)

    def _flags(self, path: str) -> int:
        try:
            with self._folder(path) as (folder, name):
                return perform.flags(folder, name)
        except OSError as error:
            if error.errno in _NOTHING:
                return 0
            raise _told(error, path) from error

    @contextmanager
    def _folder(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the directory that holds a real path; give it and the last component."""
        folder = self._descend(tree.parent(path))
        try:
            yield folder, posixpath.basename(path) or "."
        finally:
            os.close(folder)

    def _descend(self, path: str) -> int:
        root = os.open(self._root, _FOLDER)
        try:
            return open_folder(root, path)
        finally:
            os.close(root)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Say of what Linux refuses what it means for the guest."""
    try:
        yield
    except OSError as error:
        raise _told(error, path) from error


def _told(error: OSError, path: str) -> ImageError:
    reason = os.strerror(error.errno or 0)
    if error.errno in _FULL:
        return SpaceError("the image is full", where=path, hint="give it a larger disk")
    if error.errno in _BROKEN:
        return DamagedImageError(
            f"the filesystem cannot be read or written ({reason})",
            where=path,
            hint="repair a copy of the image, or fetch it again",
        )
    if error.errno == errno.ENOENT:
        return GuestError("there is no such file in the guest", where=path)
    return GuestError(f"that cannot be done in the guest ({reason})", where=path)


__all__ = ["MOUNT_POINT", "MountedTree", "mounted", "private_mounts"]
