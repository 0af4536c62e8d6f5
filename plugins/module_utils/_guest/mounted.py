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
import os
import shutil
import stat
import typing as t
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry, GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.verify import CHECKED, verify_for_mount
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

# The folder that the private mount covers: it exists everywhere (FHS 3.14) and
# nobody outside this process sees it covered.
MOUNT_POINT = "/mnt"

_CLONE_NEWNS = 0x00020000
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What a new file is called until it is complete. When a run is killed by then, the next one finds it by its name.
_BESIDE = ".voc-cluster.new"

_OPTIONS = "loop,nodev,nosuid,noatime"
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
            if libc.setns(before, _CLONE_NEWNS) != 0:
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
    place = f"offset={volume.offset},sizelimit={volume.size}"
    mode = "rw" if writable else _READ_ONLY.get(filesystem, "ro")
    options = ",".join(filter(None, (_OPTIONS, mode, _OWN_OPTIONS.get(filesystem), place)))
    runner.run(
        [
            *("mount", "-t", filesystem, "-o", options),
            *("--", os.path.abspath(volume.path), folder),
        ]
    )
    try:
        yield
    finally:
        runner.run(["umount", "--", folder])


class MountedTree(GuestTree):
    """The files below a mount point, reached one component at a time and never through a link."""

    def __init__(self, root: str) -> None:
        self._root = root

    def lstat(self, path: str) -> Entry | None:
        try:
            with self._folder(path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Entry.from_mode(found.st_mode, found.st_uid, found.st_gid, found.st_size)

    def readlink(self, path: str) -> str:
        with self._folder(path) as (folder, name):
            return os.readlink(name, dir_fd=folder)

    def listdir(self, path: str) -> list[str]:
        with self._folder(path) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: str) -> bytes:
        with self._open(path, tree.READ_LIMIT) as file:
            return file.read(tree.READ_LIMIT)

    def xattrs(self, path: str) -> dict[str, bytes]:
        with self._folder(path) as (folder, name):
            place = _in_folder(folder, name)
            names = os.listxattr(place, follow_symlinks=False)
            return {name: os.getxattr(place, name, follow_symlinks=False) for name in names}

    def copy_out(self, path: str, target: str, maximum: int) -> None:
        with self._open(path, maximum) as file, open(target, "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        found = {}
        for path in paths:
            with self._open(path) as file:
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

    def apply(self, changes: Sequence[tree.Change]) -> None:
        try:
            for change in changes:
                with self._folder(change.path) as (folder, name):
                    _apply(folder, name, change)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise SpaceError("the image is full", where=self._root, hint="give it a larger disk") from error
            raise

    @contextmanager
    def _folder(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the directory that holds a real path; give it and the last component."""
        names = [name for name in path.split("/") if name]
        descriptor = os.open(self._root, _FOLDER)
        try:
            for name in names[:-1]:
                below = os.open(name, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor, names[-1] if names else "."
        finally:
            os.close(descriptor)


def _apply(folder: int, name: str, change: tree.Change) -> None:
    if isinstance(change, (tree.PutFile, tree.PutHostFile)):
        _put_file(folder, name, change)
    elif isinstance(change, tree.PutDirectory):
        os.mkdir(name, dir_fd=folder)
        _set(folder, name, change.attributes, os.O_DIRECTORY)
    elif isinstance(change, tree.PutSymlink):
        os.symlink(change.target, name, dir_fd=folder)
    elif isinstance(change, tree.SetAttributes):
        _set(folder, name, change.attributes, os.O_NONBLOCK)
    elif isinstance(change, tree.SetXattr):
        _set_xattr(_in_folder(folder, name), change)
    elif change.kind == "directory":
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _put_file(folder: int, name: str, change: tree.PutFile | tree.PutHostFile) -> None:
    """Write beside the old file and rename over it: other hard links keep their content."""
    with suppress(FileNotFoundError):
        os.unlink(_BESIDE, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(_BESIDE, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if isinstance(change, tree.PutFile):
                file.write(change.content)
            else:
                blocks.copy_out(change.source.path, change.source.offset, change.source.size, file.fileno())
            file.flush()
            os.fchown(file.fileno(), change.attributes.uid, change.attributes.gid)
            if change.replaces:
                _copy_extended(folder, name, file.fileno())
            # Last, because an access control list brings a mode of its own.
            os.fchmod(file.fileno(), change.attributes.mode)
        os.rename(_BESIDE, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(_BESIDE, dir_fd=folder)
        raise


def _copy_extended(folder: int, name: str, target: int) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        for attribute in os.listxattr(source):
            os.setxattr(target, attribute, os.getxattr(source, attribute))
    finally:
        os.close(source)


def _in_folder(folder: int, name: str) -> str:
    """Return a path to what an open directory holds, for calls that take no descriptor; the last name may be a link."""
    return f"/proc/self/fd/{folder}/{name}"


def _set_xattr(place: str, change: tree.SetXattr) -> None:
    tree.require_settable(change.path, change.name)
    if change.value is None:
        os.removexattr(place, change.name, follow_symlinks=False)
    else:
        os.setxattr(place, change.name, change.value, follow_symlinks=False)


def _set(folder: int, name: str, attributes: Attributes, flags: int) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != (attributes.uid, attributes.gid):  # it would cost a program its capabilities
            os.fchown(descriptor, attributes.uid, attributes.gid)
        os.fchmod(descriptor, attributes.mode)
    finally:
        os.close(descriptor)


__all__ = ["MOUNT_POINT", "MountedTree", "mounted", "private_mounts"]
