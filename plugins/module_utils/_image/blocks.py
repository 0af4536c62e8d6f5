# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Bytes of image files: holes, reflinks, and copies that keep both."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import tempfile
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError, UnsafeImageError
from ansible_collections.voc.cluster.plugins.module_utils._progress import SILENT, Progress

# linux/fs.h: _IOW(0x94, 13, struct file_clone_range)
_FICLONERANGE = 0x4020940D

_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)
_PIECE = 16 << 20  # after each, the disk begins to write while the next is copied
_BUFFER = 1 << 20

Identity = tuple[int, int, int, int, int]


def data_extents(descriptor: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of what is not a hole between two offsets, in bytes."""
    offset = start
    while offset < end:
        try:
            begin = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        if begin >= end:
            return
        offset = min(os.lseek(descriptor, begin, os.SEEK_HOLE), end)
        yield begin, offset - begin


def copy_range(
    source: int,
    target: int,
    *,
    source_offset: int,
    target_offset: int,
    length: int,
    progress: Progress = SILENT,
) -> None:
    """Copy `length` bytes between open files; holes stay holes, extents are shared where possible.

    The target's range must be a hole: nothing is written over holes of the source.
    """
    if _clone(source, target, source_offset, target_offset, length):
        return
    shift = target_offset - source_offset
    for offset, size in data_extents(source, source_offset, source_offset + length):
        for done in _copy_extent(source, target, offset, offset + shift, size):
            progress.tell("copying", offset + done - source_offset, length)


def _clone(source: int, target: int, source_offset: int, target_offset: int, length: int) -> bool:
    request = struct.pack("=qQQQ", source, source_offset, length, target_offset)
    try:
        fcntl.ioctl(target, _FICLONERANGE, request)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def _copy_extent(source: int, target: int, source_offset: int, target_offset: int, length: int) -> Iterator[int]:
    """Copy an extent and yield how many bytes of it are copied, after each piece."""
    done = 0
    while done < length:
        copied = _copy_piece(source, target, source_offset + done, target_offset + done, length - done)
        if copied == 0:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        # Linux answers this advice by starting to write what is dirty, and does not wait for it.
        os.posix_fadvise(target, target_offset + done, copied, os.POSIX_FADV_DONTNEED)
        done += copied
        yield done


def _copy_piece(source: int, target: int, source_offset: int, target_offset: int, length: int) -> int:
    """Copy some of a range; return how many bytes, 0 where the source has ended."""
    length = min(length, _PIECE)
    if os.major(os.fstat(target).st_dev) == 0:
        # No local disk: NFS, CIFS or Ceph may copy where the files are. Elsewhere the kernel would do
        # it through a pipe, in smaller steps than we. Within one filesystem only since Linux 5.19.
        try:
            return os.copy_file_range(source, target, length, source_offset, target_offset)
        except OSError as error:
            if error.errno not in _CANNOT_CLONE:
                raise
    buffer = memoryview(bytearray(min(length, _BUFFER)))
    done = 0
    while done < length:
        count = os.preadv(source, [buffer[: length - done]], source_offset + done)
        if count == 0:
            break
        done += os.pwrite(target, buffer[:count], target_offset + done)
    return done


def overwrite(source: int, target: int, *, source_offset: int, target_offset: int, length: int) -> None:
    """Copy `length` bytes between open files over whatever the target has; the source's holes become zeros."""
    done = 0
    while done < length:
        copied = _copy_piece(source, target, source_offset + done, target_offset + done, length - done)
        if copied == 0:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        done += copied


def copy_out(path: str, offset: int, length: int, target: int) -> None:
    """Copy a part of a file to the beginning of an open one; in bytes."""
    with open(path, "rb") as source:
        overwrite(source.fileno(), target, source_offset=offset, target_offset=0, length=length)


def insert_hole(runner: Runner, path: str, length: int) -> None:
    """Move all of a file back by `length` bytes, a multiple of the filesystem's block size.

    ext4 and xfs do that without copying. Elsewhere the file is copied, which
    costs nothing where extents can be shared.
    """
    done = runner.run(
        ["fallocate", "--insert-range", "--offset", "0", "--length", str(length), "--", path],
        accept=range(256),
    )
    if done.status == 0:
        return
    size = os.stat(path).st_size
    with new_file(path) as moved, open(path, "rb") as reader, open(moved, "r+b") as writer:
        writer.truncate(size + length)
        copy_range(reader.fileno(), writer.fileno(), source_offset=0, target_offset=length, length=size)


def require_space(folder: str, needed: int, reserve: int) -> None:
    """Check that `needed` bytes are free where `folder` is, and `reserve` bytes more.

    Raises:
        SpaceError: they are not.
    """
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < needed + reserve:
        raise SpaceError(
            f"{needed} bytes are needed, and {reserve} more shall stay free, but only {free} are free",
            where=folder,
            hint="free some space or use another folder",
        )


def require_other_file(source: str, target: str) -> None:
    """Refuse to write over what is read.

    Raises:
        InputError: both names lead to one file.
    """
    if os.path.exists(target) and os.path.samefile(source, target):
        raise InputError("the target is the source itself", where=target, hint="give another target")


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """Give an empty file of this user's alone; it becomes `path` in one step at the end, or nothing is left.

    Raises:
        SpaceError: the filesystem filled up meanwhile.
    """
    folder = os.path.dirname(os.path.abspath(path))
    descriptor, partial = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", suffix=".part", dir=folder)
    try:
        os.close(descriptor)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SpaceError("the filesystem is full", where=folder, hint="free some space") from error
        raise
    finally:
        if os.path.lexists(partial):
            os.unlink(partial)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold an image file for oneself while it is changed.

    Raises:
        InputError: another process holds it, or keeps it as it is; or it is a link, which could be turned to another.
    """
    if os.path.islink(path):
        raise InputError("it is a link", where=path, hint="give the path of the file that is to be changed")
    with _held(path, os.O_RDWR | os.O_NOFOLLOW, fcntl.LOCK_EX):
        yield


@contextmanager
def kept(path: str) -> Iterator[None]:
    """Let nobody hold an image file meanwhile; others can keep it, too.

    That needs no right to write to it, and a link is followed, as by all that only read.

    Raises:
        InputError: another process holds it.
    """
    with _held(path, os.O_RDONLY, fcntl.LOCK_SH):
        yield


@contextmanager
def _held(path: str, mode: int, lock: int) -> Iterator[None]:
    descriptor = os.open(path, mode | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InputError("another run is working on this file", where=path, hint="wait for it to end") from None
    finally:
        os.close(descriptor)


@contextmanager
def one_at_a_time(folder: str) -> Iterator[None]:
    """Let one process at a time change what is in a folder: whoever comes second waits."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def unchanged(path: str) -> Iterator[None]:
    """Make sure that a file is the same in the end, so that what was checked is what was used.

    Only the kernel sets the time of an inode's last change, so a file that was
    swapped, or swapped back, is noticed.

    Raises:
        UnsafeImageError: it is not.
    """
    before = identity(path)
    yield
    require_unchanged(path, before)


def require_unchanged(path: str, before: Identity) -> None:
    """Refuse a file that is not the one that `identity` was asked about, or not as it was then.

    Raises:
        UnsafeImageError: it is not.
    """
    if identity(path) != before:
        raise UnsafeImageError(
            "the file changed while it was read", where=path, hint="let nobody write to it and run this again"
        )


def open_regular(path: str) -> t.BinaryIO:
    """Open a file that somebody else named, for reading; a FIFO in its place does not hold up the open for ever.

    Raises:
        InputError: there is no such file, or it is not a regular one.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError("there is no such file", where=path, hint="check the path on the builder") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError("it is not a regular file", where=path, hint="give the path of an image file")
    return os.fdopen(descriptor, "rb")


def identity(path: str) -> Identity:
    """Return what tells a file from any other, and from itself after a change.

    Raises:
        InputError: there is no such file.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise InputError("there is no such file", where=path, hint="check the path on the builder") from None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def sync_file(path: str) -> None:
    """Wait until a file's (or folder's) content is on its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = [
    "Identity",
    "copy_out",
    "copy_range",
    "data_extents",
    "identity",
    "insert_hole",
    "kept",
    "locked",
    "new_file",
    "one_at_a_time",
    "open_regular",
    "overwrite",
    "require_other_file",
    "require_space",
    "require_unchanged",
    "sync_file",
    "unchanged",
]
