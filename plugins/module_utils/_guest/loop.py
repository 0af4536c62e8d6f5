# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A region of an image as a read-only block device, for tools that read a filesystem from its beginning only.

The device frees itself when nobody has it open any more, so even SIGKILL leaves nothing.
Source of the numbers: Linux, include/uapi/linux/loop.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
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


@contextmanager
def attached(volume: Volume) -> Iterator[str]:
    """Give the path of a device that holds a region of an image file. Needs root.

    Raises:
        ToolError: there is none to be had.
    """
    image = os.open(volume.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        path, device = _attach(image, volume)
    finally:
        os.close(image)
    try:
        yield path
    finally:
        os.close(device)


def _attach(image: int, volume: Volume) -> tuple[str, int]:
    empty = b""
    where = (0, 0, 0, volume.offset, volume.size, 0, 0, 0, _READ_ONLY | _AUTOCLEAR)
    config = _CONFIG.pack(image, 0, *where, empty, empty, empty, empty, empty)
    for _attempt in range(_TRIES):
        with open("/dev/loop-control", "rb") as control:
            path = f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}"
        device = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _CONFIGURE, config)
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # then somebody else took it meanwhile
                raise
        else:
            return path, device
    raise ToolError("there is no free loop device", hint="try again when less is going on")


__all__ = ["attached"]
