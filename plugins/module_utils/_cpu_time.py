# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A limit on the time that this process itself computes, for the patterns of strangers.

Programs have limits of their own; a regular expression that is written to backtrack for years
runs in this process. `re` looks for signals while it does.
"""

from __future__ import annotations

import signal
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit the processor time of a block, which must be pure: it can end anywhere. For the main thread alone.

    Raises:
        ValueError: the block took longer.
    """

    def ring(_number: int, _frame: object) -> t.NoReturn:
        raise ValueError(f"it takes more than {seconds} seconds")

    # Not the clock's time: a loaded machine does not change what an image becomes.
    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


__all__ = ["at_most"]
