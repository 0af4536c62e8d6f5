# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What deleted files and old swap leave in an image's blocks: zeroed, so that no secret stays and releases compress.

Zeros become holes where the builder's filesystem has them. For ext the free blocks are those
that its own bitmaps tell, so there is no mount; xfs and btrfs tell them themselves, in one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import data_extents
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

_SWAP_HEADER = 4096  # bytes: a page, with UUID, label and the list of bad pages (linux/swap.h)
_FREE = re.compile(rb"^  Free blocks: ([\d, -]*)$", re.MULTILINE)
_SIZE = re.compile(rb"^Block size: +(\d+)$", re.MULTILINE)
_CLUSTER = re.compile(rb"^Cluster size: +(\d+)$", re.MULTILINE)
_PIECE = 1 << 20

# linux/falloc.h
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_CANNOT_PUNCH = (errno.EOPNOTSUPP, errno.ENOSYS)


def swap(runner: Runner, spread: Spread, apply: bool) -> int:
    """Zero swap areas but for their headers, which keep UUID and label."""
    del runner
    done = 0
    for region in spread.seen.regions:
        if region.kind == "swap":
            begin = region.volume.offset + _SWAP_HEADER
            end = region.volume.offset + region.volume.size
            done += zero(region.volume.path, [(begin, end)], apply=apply)
    return done


def free_space(runner: Runner, spread: Spread, apply: bool) -> int:
    """Zero the free blocks of the guest's filesystems.

    What is free on xfs and btrfs is known only to a mount that may write: until then it counts as none.

    Raises:
        DamagedImageError: a filesystem has errors, so its bitmaps are not to be believed.
    """
    done = 0
    for place in spread.places:
        volume = place.region.volume
        if place.region.is_ext:
            if apply:
                filesystems.check(runner, volume)
            done += zero(volume.path, _free_ranges(runner, volume), apply=apply)
        elif apply and os.geteuid() == 0:
            before = _allocated(volume.path)
            with mounted(runner, volume, place.region.kind) as folder:
                runner.run(["fstrim", folder], limits=TRANSFORM)
            done += max(before - _allocated(volume.path), 0)
    return done


def _allocated(path: str) -> int:
    return os.stat(path).st_blocks * 512


def _free_ranges(runner: Runner, volume: Volume) -> Iterator[tuple[int, int]]:
    """Return where an ext filesystem is free: places in its file, from and up to, in bytes."""
    shown = runner.run(["dumpe2fs", volume.e2fs_name]).output
    return parse_free(shown, volume)


def parse_free(shown: bytes, volume: Volume) -> Iterator[tuple[int, int]]:
    """Read the free ranges of a filesystem from what dumpe2fs printed.

    Raises:
        DamagedImageError: one is not in the volume.
    """
    size, cluster = (int(found.group(1)) if found else 0 for found in (_SIZE.search(shown), _CLUSTER.search(shown)))
    for line in _FREE.findall(shown):
        for words in filter(None, (part.strip() for part in line.split(b","))):
            first, _dash, last = words.partition(b"-")
            # Where blocks come in clusters (bigalloc), these are the first ones of each.
            begin, end = int(first) * size, int(last or first) * size + max(cluster, size)
            if not 0 < begin < end <= volume.size:
                raise DamagedImageError("its bitmaps tell of blocks that it does not have", where=volume.path)
            yield volume.offset + begin, volume.offset + end


def zero(path: str, ranges: Iterator[tuple[int, int]] | list[tuple[int, int]], *, apply: bool) -> int:
    """Let ranges of a file read as zeros; return how many bytes of data were, or would be, in them.

    Args:
        ranges: from and up to, in bytes.
        apply: otherwise nothing is written.
    """
    done = 0
    descriptor = os.open(path, (os.O_RDWR if apply else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        block = os.fstat(descriptor).st_blksize
        for begin, end in ranges:
            for start, length in list(data_extents(descriptor, begin, end)):
                done += _zero_extent(descriptor, start, start + length, block, apply)
    finally:
        os.close(descriptor)
    return done


def _zero_extent(descriptor: int, begin: int, end: int, block: int, apply: bool) -> int:
    """Zero a range that is allocated: whole blocks of the builder become holes, what is left is overwritten."""
    first, last = -(-begin // block) * block, end // block * block
    if first >= last:
        return _overwrite(descriptor, begin, end, apply)
    done = _overwrite(descriptor, begin, first, apply) + _overwrite(descriptor, last, end, apply)
    if apply and not _punch(descriptor, first, last - first):
        return done + _overwrite(descriptor, first, last, apply)
    return done + last - first


def _overwrite(descriptor: int, begin: int, end: int, apply: bool) -> int:
    """Write zeros where something else is; return the length of what was."""
    done = 0
    for place in range(begin, end, _PIECE):
        length = min(_PIECE, end - place)
        if os.pread(descriptor, length, place).strip(b"\0"):
            done += length
            if apply:
                os.pwrite(descriptor, bytes(length), place)
    return done


def _punch(descriptor: int, offset: int, length: int) -> bool:
    """Make a hole in a file; return whether its filesystem can."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_PUNCH:
        return False
    raise OSError(number, os.strerror(number))


OPERATIONS = (
    Operation("swap", "it holds the memory of another machine; the area keeps its UUID", wipe=swap),
    Operation("free-space", "deleted files are still in it, and releases become larger", wipe=free_space),
)

__all__ = ["OPERATIONS", "free_space", "parse_free", "swap", "zero"]
