# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Edits of a text by lines, blocks and regular expressions: what becomes of a text, as pure functions.

They mean what the modules lineinfile, blockinfile and replace of ansible.builtin mean by
the same options, and the tests hold them against those modules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError

_MARK = "{mark}"


@dataclass(frozen=True)
class Anchor:
    """Where something new goes: after or before the line that `pattern` finds, else at the end.

    Attributes:
        pattern: None for the very beginning (`before`) or the end (not `before`).
        first: whether the first line that matches counts, and not the last.
    """

    pattern: re.Pattern[str] | None = None
    before: bool = False
    first: bool = False

    @classmethod
    def of(cls, after: str | None, before: str | None, *, first: bool = False) -> Anchor:
        """Make an anchor of the options ``insertafter`` and ``insertbefore``.

        Raises:
            InputError: a regular expression that is none.
        """
        if "BOF" in (after, before):
            return cls(None, before=True)
        if after not in (None, "EOF"):
            return cls(compiled(str(after)), first=first)
        return cls(compiled(before), before=True, first=first) if before is not None else cls()

    def place(self, lines: list[str]) -> int | None:
        """Return before which line something new goes; None when no line matches, or for the end."""
        if self.pattern is None:
            return 0 if self.before else None
        found = _pick([number for number, line in enumerate(lines) if self.pattern.search(line)], first=self.first)
        return None if found is None else found + (not self.before)


@dataclass(frozen=True)
class LineSearch:
    """Which line an edit is about: one that `pattern` or `text` finds, else one that equals `line`.

    Attributes:
        first: whether the first line that matches counts, and not the last.
    """

    line: str
    pattern: re.Pattern[str] | None = None
    text: str | None = None
    first: bool = False

    def matches(self, line: str) -> bool:
        """Say whether `pattern` or `text` finds a line."""
        if self.pattern is not None:
            return self.pattern.search(line) is not None
        return self.text is not None and self.text in line

    def equals(self, line: str) -> bool:
        """Say whether a line is `line`, whatever ends it."""
        return line.rstrip("\r\n") == self.line


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a regular expression that a user gave.

    Raises:
        InputError: it is none.
    """
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(f"{pattern!r} is not a regular expression of Python ({error})") from error


def split(text: str) -> list[str]:
    """Return the lines of a text with their ends, which only newlines make."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def with_line(text: str, search: LineSearch, anchor: Anchor, *, backrefs: bool = False) -> str:
    """Return a text with a line: in the place of the one that is searched for, else at its anchor.

    Args:
        backrefs: whether the line refers to groups of the pattern; without a match nothing changes.

    Raises:
        InputError: the line is none, or refers to a group that there is not.
    """
    if "\n" in search.line:
        raise InputError("a line cannot contain a newline", hint="use an edit of kind block")
    lines = split(text)
    found = _pick([number for number, line in enumerate(lines) if search.matches(line)], first=search.first)
    if found is not None:
        match = search.pattern.search(lines[found]) if backrefs and search.pattern else None
        lines[found] = f"{_expanded(match, search.line) if match else search.line}\n"
        return "".join(lines)
    # What is there already is no anchor, and a first anchor hides what follows it, as in lineinfile.
    place = anchor.place(["" if search.equals(line) else line for line in lines])
    seen = lines[:place] if anchor.first and anchor.pattern else lines
    equal = _pick([number for number, line in enumerate(seen) if search.equals(line)])
    if equal is not None:
        lines[equal] = f"{search.line}\n"
    elif not backrefs:
        _insert(lines, len(lines) if place is None else place, search, anchor)
    return "".join(lines)


def _pick(numbers: list[int], *, first: bool = False) -> int | None:
    """Return the first or the last of some numbers, None of none."""
    return None if not numbers else numbers[0 if first else -1]


def _expanded(match: re.Match[str], line: str) -> str:
    try:
        return match.expand(line)
    except (re.error, IndexError) as error:
        raise InputError(f"the line refers to no group of the regular expression ({error})") from error


def _insert(lines: list[str], place: int, search: LineSearch, anchor: Anchor) -> None:
    if anchor.pattern and not anchor.before and place < len(lines) and search.equals(lines[place]):
        return
    end_line(lines, place)
    lines.insert(place, f"{search.line}\n")


def end_line(lines: list[str], place: int) -> None:
    """Let the line before a place end with a newline."""
    if place > 0 and not lines[place - 1].endswith("\n"):
        lines[place - 1] += "\n"


def without_line(text: str, search: LineSearch) -> str:
    """Return a text without all lines that are searched for."""
    by_equality = search.pattern is None and search.text is None
    return "".join(line for line in split(text) if not (search.equals if by_equality else search.matches)(line))


@dataclass(frozen=True)
class Markers:
    """The lines around a block, without their ends."""

    begin: str
    end: str

    @classmethod
    def of(cls, marker: str, begin: str = "BEGIN", end: str = "END") -> Markers:
        """Make them of the options of an edit.

        Raises:
            InputError: they could not be found again.
        """
        if _MARK not in marker or begin == end or "\n" in marker + begin + end:
            raise InputError(
                f"with the marker {marker!r} the block could not be found again",
                hint=f"give one line that contains {_MARK}",
            )
        return cls(marker.replace(_MARK, begin), marker.replace(_MARK, end))


def with_block(text: str, markers: Markers, block: str, anchor: Anchor) -> str:
    """Return a text with a block between its markers; an empty block goes with its markers.

    Where the block is already, it stays.

    Raises:
        InputError: the block contains one of its markers.
    """
    lines = split(text)
    body = split(block if block.endswith("\n") or not block else f"{block}\n")
    begin, end = f"{markers.begin}\n", f"{markers.end}\n"
    if begin in body or end in body:
        raise InputError("the block contains one of its own markers", hint="give it another marker")
    first, last = (_pick([number for number, line in enumerate(lines) if line == wanted]) for wanted in (begin, end))
    if first is not None and last is not None:
        place = min(first, last)
        del lines[place : max(first, last) + 1]
    else:
        place = _block_place(text, lines, anchor)
    if place:
        end_line(lines, place)
    lines[place:place] = [begin, *body, end] if body else []
    return "".join(lines)


def _block_place(text: str, lines: list[str], anchor: Anchor) -> int:
    if anchor.pattern and anchor.pattern.flags & re.MULTILINE:
        match = anchor.pattern.search(text)
        if match:
            number = text.count("\n", 0, match.start() if anchor.before else match.end())
            return min(number + (not anchor.before), len(lines))
        return len(lines)
    place = anchor.place(lines)
    return len(lines) if place is None else place


def replaced(text: str, pattern: str, replacement: str, after: str | None = None, before: str | None = None) -> str:
    """Return a text in which all that `pattern` finds is replaced.

    Args:
        replacement: may refer to groups of the pattern.
        after: a regular expression; only what follows its match is looked at.
        before: one; only what precedes its match is looked at.

    Raises:
        InputError: a regular expression that is none, or a group that is missing.
    """
    start, end = 0, len(text)
    if after or before:
        between = r"(?P<subsection>.*?)" if after and before else r"(?P<subsection>.*)"
        match = compiled(f"{after or ''}{between}{before or ''}", re.DOTALL).search(text)
        if match is None:
            return text
        start, end = match.span("subsection")
    found = compiled(pattern, re.MULTILINE)
    try:
        middle = found.sub(replacement, text[start:end])
    except (re.error, IndexError) as error:
        raise InputError(f"the replacement cannot be made ({error})", hint="write groups like \\1") from error
    return text[:start] + middle + text[end:]


__all__ = [
    "Anchor",
    "LineSearch",
    "Markers",
    "compiled",
    "end_line",
    "replaced",
    "split",
    "with_block",
    "with_line",
    "without_line",
]
