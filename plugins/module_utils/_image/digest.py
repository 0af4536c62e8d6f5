# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What tells one image file's content from another's, whatever it costs to store.

Images are mostly holes, and SHA-256 of a file takes as long for a hole as for
data. So each piece of 1 MiB has a digest of its own, that of a hole is known
beforehand, and the others are worked out on all cores. The same content has the
same digest with and without holes. By hand:

    split -b 1M --filter='sha256sum | cut -d" " -f1' IMAGE | sha256sum
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import data_extents
from ansible_collections.voc.cluster.plugins.module_utils._progress import SILENT, Progress

_PIECE = 1 << 20
_AT_ONCE = 1024  # pieces: what waits for its turn takes memory


def of_file(descriptor: int, progress: Progress = SILENT) -> str:
    """Return the digest of an open file's content, in hexadecimal.

    The file must not change meanwhile; who calls has to make sure of that.
    """
    size = os.fstat(descriptor).st_size
    hole = _line(bytes(_PIECE))
    whole = hashlib.sha256()
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first, count in _runs(descriptor, size):
            whole.update(hole * (first - done))
            for start in range(first, first + count, _AT_ONCE):
                numbers = range(start, min(start + _AT_ONCE, first + count))
                for number, line in zip(numbers, pool.map(partial(_read_line, descriptor), numbers)):
                    whole.update(line)
                    progress.tell("reading", number * _PIECE, size)
            done = first + count
    left = -(-size // _PIECE) - done
    if left > 0:
        # Only the last piece of a file can be shorter.
        whole.update(hole * (left - 1) + _line(bytes((size - 1) % _PIECE + 1)))
    return whole.hexdigest()


def _runs(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the pieces that are not only holes."""
    end = 0
    for offset, length in data_extents(descriptor, 0, size):
        first = max(end, offset // _PIECE)
        end = max(end, -(-(offset + length) // _PIECE))
        if end > first:
            yield first, end - first


def _read_line(descriptor: int, number: int) -> bytes:
    return _line(os.pread(descriptor, _PIECE, number * _PIECE))


def _line(piece: bytes) -> bytes:
    return hashlib.sha256(piece).hexdigest().encode() + b"\n"


__all__ = ["of_file"]
