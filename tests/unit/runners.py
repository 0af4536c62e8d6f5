"""A runner for what the real programs cannot be made to do here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import (
    INSPECT,
    Completed,
    Conversation,
    Limits,
    Runner,
)
from ansible_collections.voc.cluster.plugins.module_utils._progress import Watch


class ScriptedRunner(Runner):
    """Expects programs by name, in this order, and answers for them; any other call fails the test."""

    def __init__(self, *answers: tuple[str, Completed]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def execute(self, argv: Sequence[str], limits: Limits, data: bytes | None, watch: Watch | None) -> Completed:
        words = plain(argv)
        self.calls.append(words)
        assert self.answers, f"unexpected call: {words}"
        expected, answer = self.answers.pop(0)
        assert words[0] == expected
        return answer

    @contextmanager
    def converse(self, argv: Sequence[str], limits: Limits = INSPECT) -> Iterator[Conversation]:
        yield _ScriptedConversation(self, argv, limits)


class _ScriptedConversation(Conversation):
    """Lets the script answer each request, as if a program were started for it."""

    def __init__(self, runner: ScriptedRunner, argv: Sequence[str], limits: Limits) -> None:
        self.runner, self.argv, self.limits = runner, argv, limits

    def ask(self, request: bytes, end: bytes) -> tuple[bytes, bytes]:
        done = self.runner.execute(self.argv, self.limits, request, None)
        echo = b"debugfs: " + request.removesuffix(end)
        return echo + done.output, done.errors


def plain(argv: Sequence[str]) -> list[str]:
    """Return a program's name and its arguments, without what changes its environment."""
    tool, *arguments = argv
    if tool.endswith("/env"):
        tool, *arguments = itertools.dropwhile(lambda word: word == "-i" or "=" in word, arguments)
    return [tool.rpartition("/")[2], *arguments]


def completed(status: int = 0, output: bytes = b"", errors: bytes = b"") -> Completed:
    return Completed(status, output, errors)
