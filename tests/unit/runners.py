"""A runner for what the real programs cannot be made to do here."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Limits, Runner
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


def plain(argv: Sequence[str]) -> list[str]:
    """Return a program's name and its arguments, without what takes its environment away."""
    tool, *arguments = argv
    if tool.endswith("/env"):
        tool, *arguments = arguments[arguments.index("-i") + 1 :]
    return [tool.rpartition("/")[2], *arguments]


def completed(status: int = 0, output: bytes = b"", errors: bytes = b"") -> Completed:
    return Completed(status, output, errors)
