# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Starts a program so that it cannot outlive this process, and attends to it until it has ended.

Limits on memory, processor time and file size are the kernel's; those on wall
clock time and output are kept here, while the output is read.
"""

from __future__ import annotations

import os
import resource
import selectors
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Queue

from ansible_collections.voc.cluster.plugins.module_utils._commands import (
    INSPECT,
    Completed,
    Conversation,
    Limits,
    OverrunError,
    Runner,
    find,
)
from ansible_collections.voc.cluster.plugins.module_utils._dialogue import Dialogue, Process
from ansible_collections.voc.cluster.plugins.module_utils._progress import Watch

ENVIRONMENT = {"LC_ALL": "C", "LANG": "C"}

# The kernel kills the program when the process above it dies. Whether that one died
# before this was asked for is found out by its number, which is another one by then.
# A second more for the hard limit: the program is to die of the soft one's signal.
_GUARD = """
[ "$PPID" = "$1" ] || exit 125
ulimit -c 0 && ulimit -v "$2" && ulimit -f "$3" && ulimit -S -t "$4" && ulimit -H -t "$5" || exit 125
input=$6
shift 6
exec "$@" <"$input"
"""
_ULIMIT_BLOCK = 512  # bytes, of `ulimit -f` (POSIX)
_PIECE = 64 << 10
_TICK = 1.0  # seconds
_SHORTEST = 0.0002


class ProcessRunner(Runner):
    """Starts real programs; subclasses know by which means."""

    @abstractmethod
    def start(self, argv: Sequence[str], descriptors: Sequence[int], attend: Callable[[Process], None]) -> int:
        """Start `argv` with pipes for its output, call `attend` with its process, and return its status.

        Args:
            descriptors: what it inherits beside them.
        """

    def execute(self, argv: Sequence[str], limits: Limits, data: bytes | None, watch: Watch | None) -> Completed:
        reader = _Reader(limits, watch)
        with _input(data) as (descriptors, path):
            status = self.start([*guard(limits, path), *argv], descriptors, reader.attend)
        if reader.overrun:
            raise OverrunError(reader.overrun)
        return Completed(status, b"".join(reader.output), b"".join(reader.errors))

    @contextmanager
    def converse(self, argv: Sequence[str], limits: Limits = INSPECT) -> Iterator[Conversation]:
        limits = limits.raised(self.raised)
        command = [find(argv[0]), *argv[1:]]
        reader, writer = os.pipe()
        try:
            with _attended(self, [*guard(limits, f"/dev/fd/{reader}"), *command], [reader]) as process:
                yield Dialogue(argv[0], process, writer, limits)
        finally:
            os.close(reader)
            os.close(writer)


@contextmanager
def _attended(runner: ProcessRunner, argv: Sequence[str], descriptors: Sequence[int]) -> Iterator[Process]:
    """Start a program and give its process; it is killed in the end.

    A runner only gives it away while it waits for it, so it waits in a thread.
    """
    outcome: Queue[Process | BaseException] = Queue()
    done = threading.Event()

    def attend(process: Process) -> None:
        outcome.put(process)
        done.wait()
        process.kill()
        process.wait()

    def start() -> None:
        try:
            runner.start(argv, descriptors, attend)
        except BaseException as error:
            outcome.put(error)

    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    try:
        found = outcome.get()
        if isinstance(found, BaseException):
            raise found
        yield found
    finally:
        done.set()
        thread.join()


def guard(limits: Limits, path: str) -> list[str]:
    """Return what comes before a program's own words so that it keeps to `limits` and dies with this process.

    Args:
        path: what it reads as its standard input.
    """
    size = None if limits.file_size is None else -(-limits.file_size // _ULIMIT_BLOCK)
    return [
        *(find("setpriv"), "--pdeathsig", "KILL", find("sh"), "-c", _GUARD, "guard", str(os.getpid())),
        _lowest(limits.memory // 1024, resource.RLIMIT_AS, 1024),
        _lowest(size, resource.RLIMIT_FSIZE, _ULIMIT_BLOCK),
        _lowest(limits.cpu, resource.RLIMIT_CPU, 1),
        _lowest(limits.cpu + 1, resource.RLIMIT_CPU, 1),
        path,
    ]


def _lowest(wanted: int | None, kind: int, unit: int) -> str:
    """Return a limit as ulimit(1) reads it: nobody can raise the one that this process has itself."""
    hard = resource.getrlimit(kind)[1]
    given = [limit for limit in (wanted, None if hard == resource.RLIM_INFINITY else hard // unit) if limit is not None]
    return str(min(given)) if given else "unlimited"


@contextmanager
def _input(data: bytes | None) -> Iterator[tuple[list[int], str]]:
    """Give the descriptors to inherit and the path under which a program can read `data`."""
    if not data:
        yield [], os.devnull
        return
    descriptor = os.memfd_create("voc-input")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        yield [descriptor], f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _Reader:
    """Reads what a program writes until it has ended, or exceeds a limit and is ended."""

    def __init__(self, limits: Limits, watch: Watch | None) -> None:
        self.output: list[bytes] = []
        self.errors: list[bytes] = []
        self.overrun = ""
        self._limits = limits
        self._watch = watch
        self._length = 0

    def attend(self, process: Process) -> None:
        """Stay with a process until it has ended."""
        deadline = time.monotonic() + self._limits.seconds
        try:
            with selectors.PollSelector() as selector:
                for pipe, pieces in ((process.stdout, self.output), (process.stderr, self.errors)):
                    if pipe:
                        selector.register(pipe.fileno(), selectors.EVENT_READ, pieces)
                while not self.overrun and selector.get_map():
                    heard = self._read(process.pid, selector)
                    if not heard and process.poll() is not None:
                        break  # a program that it started holds the pipe
                    self._keep_time(deadline)
            pause = _SHORTEST  # it has nothing more to say, and ends in a moment
            while not self.overrun and process.poll() is None:
                time.sleep(pause)
                pause = min(2 * pause, _TICK)
                self._keep_time(deadline)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _keep_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            self.overrun = f"it took longer than {self._limits.seconds} s"

    def _read(self, pid: int, selector: selectors.BaseSelector) -> bool:
        """Read what there is, or wait a moment for it; return whether there was something."""
        events = selector.select(_TICK)
        news = b""
        for key, _mask in events:
            piece = os.read(key.fd, _PIECE)
            if not piece:
                selector.unregister(key.fd)
            key.data.append(piece)
            self._length += len(piece)
            news += piece if key.data is self.output else b""
        if self._length > self._limits.output:
            self.overrun = f"it wrote more than {self._limits.output} bytes"
        if self._watch:
            self._watch(pid, news)
        return bool(events)


__all__ = ["ENVIRONMENT", "ProcessRunner", "guard"]
