# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Talks to a program that answers requests: one process instead of one for each question."""

from __future__ import annotations

import fcntl
import itertools
import os
import selectors
import time
import typing as t
from contextlib import suppress

from ansible_collections.voc.cluster.plugins.module_utils._commands import (
    HOSTILE,
    Conversation,
    Limits,
    last_words,
)
from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError

_PIECE = 64 << 10
_TICK = 1.0  # seconds

# Most programs write a line at a time, and each would wake this process. So a long answer is left
# to gather in the pipe, unless so much is there that the program may wait for room; a short one is there at once.
_SHORT = 20  # reads
_PAUSE = 0.001  # seconds
_ROOM = 1 << 20  # bytes of a pipe, the most that an ordinary user gets
_SET_PIPE_SIZE = 1031  # linux/fcntl.h, F_SETPIPE_SZ, which Python 3.9 does not name


class Process(t.Protocol):
    """What is used of subprocess.Popen."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def stdout(self) -> t.IO[bytes] | None:
        """The pipe on which it writes."""

    @property
    def stderr(self) -> t.IO[bytes] | None:
        """The pipe on which it complains."""

    def poll(self) -> int | None:
        """Return its status, if it has ended."""

    def wait(self) -> int:
        """Wait for its end."""

    def kill(self) -> None:
        """Send SIGKILL."""


class Dialogue(Conversation):
    """A conversation over pipes; neither side can hold up the other by what it has to say."""

    def __init__(self, tool: str, process: Process, requests: int, limits: Limits) -> None:
        """Take a running process and the descriptor of the pipe that it reads."""
        self._tool = tool
        self._process = process
        self._requests = requests
        self._limits = limits
        os.set_blocking(requests, False)
        if process.stdout:
            with suppress(OSError):  # one user's pipes have only so much memory
                fcntl.fcntl(process.stdout.fileno(), _SET_PIPE_SIZE, _ROOM)

    def ask(self, request: bytes, end: bytes) -> tuple[bytes, bytes]:
        output, errors = bytearray(), bytearray()
        deadline = time.monotonic() + self._limits.seconds
        with selectors.PollSelector() as selector:
            for pipe, words in ((self._process.stdout, output), (self._process.stderr, errors)):
                if pipe:
                    selector.register(pipe.fileno(), selectors.EVENT_READ, words)
            selector.register(self._requests, selectors.EVENT_WRITE, memoryview(request))
            heard = 0
            for exchange in itertools.count():
                if output.endswith(end):
                    break
                if exchange > _SHORT and len(output) - heard < _PIECE:
                    time.sleep(_PAUSE)
                heard = len(output)
                if not self._exchange(selector, output):
                    self._read_rest(selector, errors)
                    raise ToolError(f"{self._tool} has ended ({last_words(bytes(errors))})", hint=HOSTILE)
                if time.monotonic() > deadline:
                    raise self._ended(f"it took longer than {self._limits.seconds} s")
                if len(output) + len(errors) > self._limits.output:
                    raise self._ended(f"it wrote more than {self._limits.output} bytes")
            # It had written its complaints before the end.
            self._read_rest(selector, errors)
        return bytes(output[: -len(end)]), bytes(errors)

    def _exchange(self, selector: selectors.BaseSelector, output: bytearray) -> bool:
        """Write what can be written and read what there is, or wait a moment; return whether more can come."""
        for key, _mask in selector.select(_TICK):
            if key.fd == self._requests:
                left = key.data[os.write(key.fd, key.data[:_PIECE]) :]
                if left:
                    selector.modify(key.fd, selectors.EVENT_WRITE, left)
                else:
                    selector.unregister(key.fd)
                continue
            piece = os.read(key.fd, _PIECE)
            if not piece:
                selector.unregister(key.fd)
                if key.data is output:
                    return False
            key.data.extend(piece)
        return True

    def _read_rest(self, selector: selectors.BaseSelector, errors: bytearray) -> None:
        waiting = True
        while waiting:
            waiting = False
            for key, _mask in selector.select(0):
                if key.data is errors:
                    piece = os.read(key.fd, _PIECE)
                    errors.extend(piece)
                    waiting = bool(piece)

    def _ended(self, why: str) -> ToolError:
        return ToolError(f"{self._tool} was ended: {why}", hint=HOSTILE)


__all__ = ["Dialogue", "Process"]
