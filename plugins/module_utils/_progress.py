# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""How far long work is: told in a small file, for a module says nothing before it ends.

The file holds one line, a step's name and a whole number of percent. The
collection's action plugins read it while the module runs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress

# Is told what a program that still runs has just written to standard output, with its
# process's number; every second also when that is nothing.
Watch = Callable[[int, bytes], None]

_INTERVAL = 0.5  # seconds between two lines: nobody reads them faster
_LINE = re.compile(r"([a-z -]{1,40}) ([0-9]{1,3})\n")
_QEMU_PERCENT = re.compile(rb"\((\d{1,3})\.\d\d/100%\)")


class Progress:
    """Tells how far the work is, or nobody when there is no file for it.

    The work goes on when the file cannot be written.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._step = ""
        self._next = 0.0

    def tell(self, step: str, done: int, total: int) -> None:
        """Say that `done` of `total` units of a step are done; both in the same unit."""
        now = time.monotonic()
        if self._path is None or (step == self._step and now < self._next):
            return
        self._step = step
        self._next = now + _INTERVAL
        percent = min(100, 100 * done // total) if total else 100
        with suppress(OSError):
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
            )
            try:
                os.write(descriptor, f"{step} {percent}\n".encode())
            finally:
                os.close(descriptor)

    def from_qemu(self, step: str) -> Watch:
        """Return what follows the percentages that ``qemu-img -p`` writes."""

        def watch(pid: int, news: bytes) -> None:
            del pid
            found = _QEMU_PERCENT.findall(news)
            if found:
                self.tell(step, int(found[-1]), 100)

        return watch

    def from_input(self, step: str, path: str) -> Watch:
        """Return what follows how far a program has read a file."""

        def watch(pid: int, news: bytes) -> None:
            del news
            with suppress(OSError):  # it may just have ended
                position = _position(pid, path)
                if position is not None:
                    self.tell(step, position, os.stat(path).st_size)

        return watch


SILENT = Progress()


def parse(line: str) -> tuple[str, int] | None:
    """Return the step and the percentage that a line tells; None when it is no such line."""
    match = _LINE.fullmatch(line)
    return (match.group(1), int(match.group(2))) if match else None


def _position(pid: int, path: str) -> int | None:
    """Return how far a process has read a file, in bytes; None when it has not opened it.

    Source: man 5 proc, "fdinfo".
    """
    wanted = os.stat(path)
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), wanted):
                with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as file:
                    return int(file.readline().split()[1])
    return None


__all__ = ["SILENT", "Progress", "Watch", "parse"]
