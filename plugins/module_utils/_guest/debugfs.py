# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Talks to a running debugfs: words as it reads them, which answer belongs to which request, and its complaints."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Conversation
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, printable

_AT_ONCE = 1000  # requests: all answers to them wait in memory

_LINE = 8191  # bytes of a line of commands, with its end (BUFSIZ of the C library)

MOUNT_INSTEAD = "use access: mounted as root, or choose another name"

_UNSAYABLE = re.compile(r"[\0\n\r]")
_PATH_LIMIT = 4000  # bytes: with its quotes doubled, and a command before it, it fits into a line

_BANNER = re.compile(r"^debugfs \d")


class ComplaintError(Exception):
    """debugfs wrote something on standard error, which is its only way to tell of a failure; the text says what."""


class Session:
    """A debugfs that reads its commands from a pipe."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._token = secrets.token_hex(16).encode()

    def ask(self, requests: Sequence[str]) -> list[bytes]:
        """Return what debugfs wrote about each of some requests.

        It repeats each request, and lines that begin with ``#``. No file of
        the guest can foresee the ones that are made here.

        Raises:
            ComplaintError: not all of them could be done.
            ToolError: it exceeded a limit, or has ended.
        """
        answers = []
        for start in range(0, len(requests), _AT_ONCE):
            answers += self._ask(requests[start : start + _AT_ONCE])
        return answers

    def _ask(self, requests: Sequence[str]) -> list[bytes]:
        marks = [b"#%s %d\n" % (self._token, number) for number in range(len(requests))]
        lines = [os.fsencode(f"{request}\n") + mark for request, mark in zip(requests, marks)]
        output, errors = self._conversation.ask(b"".join(lines), marks[-1])
        trouble = complaints(errors)
        if trouble:
            raise ComplaintError(trouble)
        answers = []
        start = 0
        for request, mark in zip(requests, marks):
            repeated = os.fsencode(f"debugfs: {request}\n")
            # Before the first it may say what it thinks of the superblock.
            start = max(output.find(repeated, start), start) + len(repeated)
            end = output.find(mark, start)
            answers.append(output[start : end if end >= 0 else len(output)])
            start = end + len(mark)
        return answers

    def do(self, commands: Sequence[str]) -> None:
        """Let debugfs do commands whose output says nothing.

        Raises:
            ComplaintError, ToolError: as `ask`.
        """
        if commands:
            self._ask(["\n".join(commands)])


def complaints(errors: bytes) -> str:
    """Return what debugfs wrote on standard error, but for its banner; empty when all is well."""
    lines = errors.decode("utf-8", "replace").splitlines()
    return printable("; ".join(line for line in lines if line and not _BANNER.match(line)))[:400]


def quote(word: str, path: str) -> str:
    """Return a word as debugfs reads it: in double quotes, inner ones doubled.

    Raises:
        GuestError: no line of commands can hold it.
    """
    if _UNSAYABLE.search(word):
        raise GuestError("debugfs cannot express this name", where=path, hint=MOUNT_INSTEAD)
    escaped = word.replace('"', '""')
    return f'"{escaped}"'


def sayable(path: str) -> bool:
    """Say whether a line of commands can hold a path."""
    return _UNSAYABLE.search(path) is None and len(os.fsencode(path)) < _PATH_LIMIT


def line(path: str, *words: str) -> str:
    """Return a line of commands; `path` is for the error.

    Raises:
        GuestError: it is too long.
    """
    text = " ".join(words)
    if len(os.fsencode(text)) >= _LINE:
        raise GuestError("debugfs cannot express names that long", where=path, hint=MOUNT_INSTEAD)
    return text


__all__ = ["MOUNT_INSTEAD", "ComplaintError", "Session", "complaints", "line", "quote", "sayable"]
