# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What tells one image file's content from another's, whatever it costs to store.

Images are mostly holes, and SHA-256 of a file takes as long for a hole as for
data. So what counts are the size, and the number and SHA-256 of each piece of 1 MiB
that is not all zeros; these are worked out on all cores. The same content has the
same digest with and without holes, and a hole costs nothing. By hand:

    zeros=$(head -c 1M /dev/zero | sha256sum | cut -d' ' -f1)
    (stat -c %s IMAGE; split -b 1M --filter=sha256sum IMAGE | cut -d' ' -f1 |
        grep -n . | grep -v ":$zeros") | sha256sum
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
    whole = hashlib.sha256(b"%d\n" % size)
    zeros = _sha256(bytes(_PIECE))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first, count in _runs(descriptor, size):
            for start in range(first, first + count, _AT_ONCE):
                numbers = range(start, min(start + _AT_ONCE, first + count))
                for number, found in zip(numbers, pool.map(partial(_of_piece, descriptor), numbers)):
                    if found != zeros:
                        whole.update(b"%d:%s\n" % (number + 1, found))
                    progress.tell("reading", number * _PIECE, size)
    return whole.hexdigest()


def _runs(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the pieces that are not only holes; the last one, if it is shorter, in any case."""
    end = 0
    for offset, length in data_extents(descriptor, 0, size):
        first = max(end, offset // _PIECE)
        end = max(end, -(-(offset + length) // _PIECE))
        if end > first:
            yield first, end - first
    last = size // _PIECE
    if size % _PIECE and end <= last:
        yield last, 1


def _of_piece(descriptor: int, number: int) -> bytes:
    return _sha256(os.pread(descriptor, _PIECE, number * _PIECE))


def _sha256(piece: bytes) -> bytes:
    return hashlib.sha256(piece).hexdigest().encode()


__all__ = ["of_file"]
