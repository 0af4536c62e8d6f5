# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Edits of ini files, line by line: comments, order and all other options stay (as community.general.ini_file)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import end_line, split

_EMPTY = re.compile(r"[ \t]*([#;].*)?\n?")


@dataclass(frozen=True)
class Style:
    """How options are written and found.

    Attributes:
        spaces: whether there are spaces around the equals sign.
        revive: whether an option that is a comment is given its value in its place.
    """

    spaces: bool = True
    revive: bool = True

    def line(self, option: str, value: str | None) -> str:
        """Return the line of an option; one without a value is its name alone."""
        if value is None:
            return f"{option}\n"
        return f"{option} = {value}\n" if self.spaces else f"{option}={value}\n"


def with_option(text: str, section: str | None, option: str, values: Sequence[str | None], style: Style) -> str:
    """Return a text in which an option has just these values, a line each; None is an option without one.

    Args:
        section: None for what stands before the first section.

    Raises:
        InputError: something that a line cannot hold.
    """
    _require_line(section or "-", option, *(value for value in values if value is not None))
    lines = split(text)
    span = _span(lines, section)
    if span is None:
        end_line(lines, len(lines))
        return "".join([*lines, f"[{section}]\n", *(style.line(option, value) for value in values)])
    start, end = span
    inside = _set(lines[start:end], option, list(values), style)
    if inside == lines[start:end]:
        return text
    end_line(lines, start)
    return "".join([*lines[:start], *inside, *lines[end:]])


def without_option(text: str, section: str | None, option: str) -> str:
    """Return a text without an option of a section; comments stay."""
    lines = split(text)
    start, end = _span(lines, section) or (0, 0)
    active = _finder(option, comments=False)
    return "".join([*lines[:start], *(line for line in lines[start:end] if not active(line)), *lines[end:]])


def without_section(text: str, section: str) -> str:
    """Return a text without a section and all its options."""
    lines = split(text)
    span = _span(lines, section)
    return text if span is None else "".join([*lines[: span[0] - 1], *lines[span[1] :]])


def with_section(text: str, section: str) -> str:
    """Return a text in which there is a section."""
    _require_line(section)
    lines = split(text)
    if _span(lines, section) is not None:
        return text
    end_line(lines, len(lines))
    return "".join([*lines, f"[{section}]\n"])


def _set(lines: list[str], option: str, values: list[str | None], style: Style) -> list[str]:
    """Return the lines of a section with an option's values; what has one already stays where it is."""
    found, active = _finder(option, comments=style.revive), _finder(option, comments=False)
    changed: dict[int, str] = {}
    for number, line in enumerate(lines):
        if found(line) and _value(line) in values:
            values.remove(_value(line))
            changed[number] = line if active(line) else style.line(option, _value(line))
    for number, line in enumerate(lines):
        if values and number not in changed and found(line):
            changed[number] = style.line(option, values.pop(0))
    kept = [changed.get(number, line) for number, line in enumerate(lines) if number in changed or not active(line)]
    place = max((number + 1 for number, line in enumerate(kept) if not _EMPTY.fullmatch(line)), default=0)
    if values:
        end_line(kept, place)
    return [*kept[:place], *(style.line(option, value) for value in values), *kept[place:]]


def _span(lines: list[str], section: str | None) -> tuple[int, int] | None:
    """Return where the lines of a section begin and end, without its head."""
    heads = [number for number, line in enumerate(lines) if line.startswith("[")]
    if section is None:
        return 0, heads[0] if heads else len(lines)
    for number in heads:
        if lines[number].startswith(f"[{section}]"):
            return number + 1, next((other for other in heads if other > number), len(lines))
    return None


def _finder(option: str, *, comments: bool) -> Callable[[str], bool]:
    sign = "[#;]?" if comments else ""
    pattern = re.compile(rf"[ \t]*{sign}[ \t]*{re.escape(option)}[ \t]*(=|\n?$)")
    return lambda line: pattern.match(line) is not None


def _value(line: str) -> str | None:
    _option, equals, value = line.partition("=")
    return value.strip(" \t\n") if equals else None


def _require_line(*words: str) -> None:
    for word in words:
        if re.search(r"[\n\0]", word):
            raise InputError(f"{word!r} cannot be written to an ini file", hint="give one line")
    if not words[-1] and len(words) == 1:
        raise InputError("a section needs a name")


__all__ = ["Style", "with_option", "with_section", "without_option", "without_section"]
