# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.


"""Opens what lies below a folder, never through a link: openat2 where the kernel has it, else a walk.

Source: man 2 openat2; Linux, include/uapi/linux/openat2.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache

# The number of the system call is the same on every architecture.
_OPENAT2 = 437
_HOW = struct.Struct("=QQQ")  # struct open_how: flags, mode, resolve
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# An older kernel; a filter of system calls that does not know it; a path that is too long for one call.
_WALK = (errno.ENOSYS, errno.EPERM, errno.ENAMETOOLONG)


def open_folder(root: int, path: str) -> int:
    """Return a descriptor (O_PATH) of the directory at a real path below the open folder `root`.

    Raises:
        OSError: something else stands there, or on the way; a link is something else.
    """
    try:
        return _openat2(root, path.strip("/") or ".", _FOLDER)
    except OSError as error:
        if error.errno not in _WALK:
            raise
    return walk(root, path)


def walk(root: int, path: str) -> int:
    """Do what `open_folder` does, one component at a time.

    Nobody else writes to the tree meanwhile, so what was looked at is what is opened.
    """
    here = os.open(".", _FOLDER, dir_fd=root)
    for name in path.split("/"):
        if not name:
            continue
        above = here
        try:
            if name == "..":
                raise NotADirectoryError(errno.ENOTDIR, "it is no real path", path)
            here = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return here


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _openat2(root: int, path: str, flags: int) -> int:
    libc = _libc()
    name, how = os.fsencode(path), _HOW.pack(flags, 0, _RESOLVE)
    found = libc.syscall(_OPENAT2, ctypes.c_int(root), ctypes.c_char_p(name), how, ctypes.c_size_t(len(how)))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(found)


__all__ = ["open_folder", "walk"]
