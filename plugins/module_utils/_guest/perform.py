# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.


"""Does one change to a mounted guest, in the open directory that holds its name.

Nothing is followed, and what Linux does of its own accord is put right where a change says otherwise.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import acl, tree
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks

# What a new file is called for a moment, when it is complete: only a file without a name vanishes with a killed
# run, and only one with a name can take the place of another. What was left nevertheless is known by its name.
_BESIDE = ".voc-cluster.new"

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GET_FLAGS = 0x80086601  # linux/fs.h, FS_IOC_GETFLAGS where long has 64 bits


def perform(folder: int, name: str, change: tree.Change) -> None:
    """Do a change to `name` in an open directory.

    Raises:
        GuestError: what stands there does not fit the change.
        OSError: it cannot be done.
    """
    if isinstance(change, (tree.PutFile, tree.PutHostFile)):
        _put_file(folder, name, change)
    elif isinstance(change, tree.PutDirectory):
        os.mkdir(name, dir_fd=folder)
        _set(folder, name, change)
    elif isinstance(change, tree.PutSymlink):
        os.symlink(change.target, name, dir_fd=folder)
        _own(folder, name, 0, 0)  # a directory may hand on its group
    elif isinstance(change, tree.SetAttributes):
        _set(folder, name, change)
    elif isinstance(change, tree.SetXattr):
        _set_xattr(in_folder(folder, name), change)
    elif change.kind == "directory":
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def flags(folder: int, name: str) -> int:
    """Return the flags of what stands at `name` (linux/fs.h, FS_*_FL); 0 for nothing, and where they are not told."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            return 0  # opening a FIFO could wait for ever, and opening a device do something
        descriptor = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return 0
    try:
        return int(struct.unpack("=l", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))[:4])[0])
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return 0
        raise
    finally:
        os.close(descriptor)


def in_folder(folder: int, name: str) -> str:
    """Return a path to what an open directory holds, for calls that take no descriptor; the last name may be a link."""
    return f"/proc/self/fd/{folder}/{name}"


def _put_file(folder: int, name: str, change: tree.PutFile | tree.PutHostFile) -> None:
    """Write beside the old file and rename over it: other hard links keep their content."""
    _require_fitting(folder, name, change)
    with suppress(FileNotFoundError):
        os.unlink(_BESIDE, dir_fd=folder)
    descriptor, has_name = _new_file(folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _fill(file.fileno(), change)
            os.fchown(file.fileno(), change.attributes.uid, change.attributes.gid)
            if change.replaces:
                _copy_extended(in_folder(folder, name), file.fileno())
            # Last, because an access control list brings a mode of its own.
            os.fchmod(file.fileno(), change.attributes.mode)
            if not has_name:
                os.link(f"/proc/self/fd/{file.fileno()}", _BESIDE, dst_dir_fd=folder)
        os.rename(_BESIDE, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(_BESIDE, dir_fd=folder)
        raise


def _new_file(folder: int) -> tuple[int, bool]:
    """Return a descriptor of a new file in an open directory, and whether it has a name, as in FAT it must."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        return os.open(".", flags | os.O_TMPFILE, 0o600, dir_fd=folder), False
    except OSError:
        return os.open(_BESIDE, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder), True


def _require_fitting(folder: int, name: str, change: tree.PutFile | tree.PutHostFile) -> None:
    """Refuse to replace what is no file, or to take a place that is not free."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if change.replaces:
            raise
        return
    if not change.replaces:
        raise GuestError("something stands there already", where=change.path)
    if not stat.S_ISREG(found.st_mode):
        raise GuestError("it is not a regular file", where=change.path)


def _fill(target: int, change: tree.PutFile | tree.PutHostFile) -> None:
    if isinstance(change, tree.PutHostFile):
        blocks.copy_out(change.source.path, change.source.offset, change.source.size, target)
        return
    left = memoryview(change.content)
    while left:
        left = left[os.write(target, left) :]


def _copy_extended(source: str, target: int) -> None:
    """Give a file the extended attributes of another, and no list that it got from its directory."""
    names = os.listxattr(source, follow_symlinks=False)
    if acl.ACCESS not in names and acl.ACCESS in os.listxattr(target):
        os.removexattr(target, acl.ACCESS)
    for attribute in names:
        os.setxattr(target, attribute, os.getxattr(source, attribute, follow_symlinks=False))


def _set(folder: int, name: str, change: tree.PutDirectory | tree.SetAttributes) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise GuestError("it is neither a file nor a directory", where=change.path)
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        _own(folder, name, change.attributes.uid, change.attributes.gid)
        os.fchmod(descriptor, change.attributes.mode)
    finally:
        os.close(descriptor)


def _own(folder: int, name: str, uid: int, gid: int) -> None:
    """Change an owner where it is another one: also to the same it would cost a program its capabilities."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)


def _set_xattr(place: str, change: tree.SetXattr) -> None:
    tree.require_settable(change.path, change.name)
    if change.value is None:
        os.removexattr(place, change.name, follow_symlinks=False)
    else:
        os.setxattr(place, change.name, change.value, follow_symlinks=False)


__all__ = ["flags", "in_folder", "perform"]
