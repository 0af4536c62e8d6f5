# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Mounts what a guest's programs see in place of the guest's own files and folders.

Whoever mounts at a path of the guest's while its programs run follows the links that they put on
the way, out of the guest. So all is mounted while none of them runs, in a mount namespace of this
process, at descriptors to which no link leads. Programs that start later get a copy of these
mounts; a folder that one of them moves takes along what is mounted in it.

Source: man 2 mount. Not mount(8), which resolves paths by itself and, from util-linux 2.39 on, takes no
link in /proc for a mount point.
"""

from __future__ import annotations

import ctypes
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.descend import open_folder

_READ_ONLY, _NO_SUID, _NO_DEVICES = 1, 2, 4
_REMOUNT, _BIND, _RECURSIVE = 32, 4096, 16384

# With both of them set bwrap has no reason to change a mount, which it would do by its path.
_PLAIN = _NO_SUID | _NO_DEVICES


def bind(source: str, root: str, path: str, *, devices: bool = False) -> None:
    """Mount a file or folder of the builder's, with all that is mounted in it, so that it can only be read.

    Args:
        root: the folder that `path`, a real one, is below.
        devices: whether it is a device that can be opened; of it only owner, permissions and times stay then.

    Raises:
        ToolError: Linux refuses it.
    """
    options = _READ_ONLY | _NO_SUID | (0 if devices else _NO_DEVICES)
    with _opened(root, path) as place:
        _mount(source, place, _BIND | _RECURSIVE)
    with _opened(root, path) as place:  # what is mounted there now
        _mount("none", place, _REMOUNT | _BIND | options)


def cover(root: str, path: str, mode: int) -> None:
    """Mount an empty folder in memory.

    Raises:
        ToolError: Linux refuses it.
    """
    with _opened(root, path) as place:
        _mount("tmpfs", place, _PLAIN, "tmpfs", f"mode={mode:04o}")


@contextmanager
def _opened(root: str, path: str) -> Iterator[str]:
    """Give a path of this process's for what stands at a real path below `root`."""
    above = folder = None
    try:
        above = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        folder = open_folder(above, posixpath.dirname(path))
        descriptor = os.open(posixpath.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise _refused(path, error.errno or 0) from error
    finally:
        for one in (above, folder):
            if one is not None:
                os.close(one)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _mount(source: str, place: str, flags: int, kind: str | None = None, data: str | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [None if text is None else os.fsencode(text) for text in (source, place, kind, data)]
    if libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]) != 0:
        raise _refused(source, ctypes.get_errno())


def _refused(what: str, number: int) -> ToolError:
    return ToolError(f"{what} could not be mounted for the guest's programs ({os.strerror(number)})")


__all__ = ["bind", "cover"]
