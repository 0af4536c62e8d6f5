# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A region of an image as a block device, for mounts, and tools that read a filesystem from its beginning only.

The device frees itself when nobody has it open any more, so even SIGKILL leaves nothing.
Source of the numbers: Linux, include/uapi/linux/loop.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

_CONFIGURE = 0x4C0A
_GET_FREE = 0x4C82
_READ_ONLY, _AUTOCLEAR = 1, 4
# struct loop_config: fd, block size, then struct loop_info64 with offset, size limit and flags, and reserved words.
_CONFIG = struct.Struct("=II QQQQQ IIII 64s64s32s 16s 64s")
_TRIES = 20
_DEADLINE = 60  # seconds
_SHORTEST, _LONGEST = 0.001, 0.1
_SECTOR = 512  # bytes


@contextmanager
def attached(volume: Volume, *, writable: bool = False) -> Iterator[str]:
    """Give the path of a device that holds a region of an image file. Needs root.

    Raises:
        ToolError: there is none to be had.
    """
    image = os.open(volume.path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        path, device = _attach(image, volume, _AUTOCLEAR if writable else _AUTOCLEAR | _READ_ONLY)
    finally:
        os.close(image)
    try:
        _require_whole(device, volume)
        yield path
    finally:
        os.close(device)


def backing(device: str) -> str | None:
    """Return the file that a loop device holds, as the kernel names it; None when it is free."""
    try:
        with open(
            f"/sys/block/{os.path.basename(device)}/loop/backing_file", encoding="utf-8", errors="replace"
        ) as file:
            return file.read()
    except OSError:
        return None


def wait_until_free(device: str, held: str | None) -> None:
    """Wait until a loop device no longer holds a file, `held` by `backing`, and so all of it is written.

    A mount lives on in the namespaces of programs that have just ended, until the kernel has
    cleared up behind them; what was written is not in the file before that.

    Raises:
        ToolError: it still does after some time.
    """
    end = time.monotonic() + _DEADLINE
    pause = _SHORTEST
    while held is not None and backing(device) == held:
        if time.monotonic() > end:
            raise ToolError(f"its loop device {device} is still in use after {_DEADLINE} s", where=held.strip())
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)


def _require_whole(device: int, volume: Volume) -> None:
    """Refuse a device that is smaller than it should be: the kernel takes any region, even beyond the file's end."""
    size = os.lseek(device, 0, os.SEEK_END)
    if size != volume.size // _SECTOR * _SECTOR:
        raise ToolError(f"its loop device has {size} bytes and not {volume.size}", where=volume.path)


def _attach(image: int, volume: Volume, flags: int) -> tuple[str, int]:
    empty = b""
    where = (0, 0, 0, volume.offset, volume.size, 0, 0, 0, flags)
    config = _CONFIG.pack(image, 0, *where, empty, empty, empty, empty, empty)
    for _attempt in range(_TRIES):
        with open("/dev/loop-control", "rb") as control:
            path = f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}"
        # What is opened for reading only becomes a device that is.
        device = os.open(path, (os.O_RDONLY if flags & _READ_ONLY else os.O_RDWR) | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _CONFIGURE, config)
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # then somebody else took it meanwhile
                raise
        else:
            return path, device
    raise ToolError("there is no free loop device", hint="try again when less is going on")


__all__ = ["attached", "backing", "wait_until_free"]
