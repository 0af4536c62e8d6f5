# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's account databases as texts: lines of fields between colons (man 5 passwd, group, shadow, subuid).

Every line that is not edited stays as it is, whatever it holds: comments, entries of NIS
(``+::::::``), and what somebody broke.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import end_line, split
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

PASSWD = "/etc/passwd"
SHADOW = "/etc/shadow"
GROUP = "/etc/group"
GSHADOW = "/etc/gshadow"
SUBUID = "/etc/subuid"
SUBGID = "/etc/subgid"

# How many fields the C library wants of an entry at least.
_FIELDS = {PASSWD: 7, SHADOW: 2, GROUP: 3, GSHADOW: 4, SUBUID: 3, SUBGID: 3}
_COMPAT = ("+", "-")  # entries of NIS, and a comment's sign
# As useradd takes them; a dollar sign ends the names of Samba's machines.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?")
ID_LIMIT = 0xFFFFFFFF  # which means: none


class Change(t.Protocol):
    """Makes the new text of a database from the old one."""

    def __call__(self, text: str, *, path: str) -> str:
        """Return the text that the database at `path` is to have."""


def read(view: View, path: str) -> str:
    """Return the text of a database, empty when it is missing."""
    return tree.read_text(view, path) or ""


def is_there(view: View, path: str) -> bool:
    """Say whether the guest has a database."""
    entry = tree.lookup(view, path)[1]
    return entry is not None and entry.kind == "file"


def edit(plan: Plan, path: str, change: Callable[[str], str]) -> None:
    """Let a database become what `change` makes of its text; nothing where the guest has none."""
    if is_there(plan, path):
        plan.write_text(path, change(read(plan, path)))


def edit_each(plan: Plan, paths: Iterable[str], change: Change) -> None:
    """Let databases become what `change` makes of their texts; it gets the paths, too."""
    for path in paths:
        edit(plan, path, partial(change, path=path))


def entries(text: str, path: str) -> Iterator[list[str]]:
    """Give the fields of each entry that the C library would take."""
    for line in split(text):
        fields = line.rstrip("\n").split(":")
        if len(fields) >= _FIELDS[path] and fields[0] and not fields[0].startswith(("#", *_COMPAT)):
            yield fields


def find(text: str, path: str, name: str) -> list[str] | None:
    """Return the fields of the first entry of a name, which is the one that counts."""
    return next((fields for fields in entries(text, path) if fields[0] == name), None)


def ids(text: str, path: str) -> set[int]:
    """Return all numbers that entries of users or groups have."""
    return {int(fields[2]) for fields in entries(text, path) if is_id(fields[2])}


def is_id(word: str) -> bool:
    """Say whether a word is the number of a user or group."""
    return re.fullmatch("[0-9]{1,10}", word) is not None and int(word) < ID_LIMIT


def with_entry(text: str, path: str, fields: Sequence[str]) -> str:
    """Return a text with an entry: in the place of the first of its name, else before those of NIS, else at the end.

    Raises:
        InputError: a field that the line cannot hold.
    """
    for field in fields:
        if re.search(r"[:\n\0]", field):
            raise InputError(f"{field!r} cannot be written to {path}", hint="it can hold neither colons nor newlines")
    line = ":".join(fields) + "\n"
    lines = split(text)
    for number, old in enumerate(lines):
        if _is_entry(old, path, fields[0]):
            lines[number] = line if old.endswith("\n") else line.rstrip("\n")
            return "".join(lines)
    place = next((number for number, old in enumerate(lines) if old.startswith(_COMPAT)), len(lines))
    end_line(lines, place)
    lines.insert(place, line)
    return "".join(lines)


def without_entry(text: str, path: str, name: str) -> str:
    """Return a text without the entries of a name."""
    return "".join(line for line in split(text) if not _is_entry(line, path, name))


def with_member(text: str, path: str, group: str, user: str) -> str:
    """Return the text of group or gshadow with a user among the members of a group."""
    fields = find(text, path, group)
    if fields is None or user in members(fields):
        return text
    return with_entry(text, path, [*(*fields, "")[:3], ",".join([*members(fields), user])])


def without_member(text: str, path: str, groups: Iterable[str], user: str) -> str:
    """Return the text of group or gshadow without a user among the members and administrators of groups."""
    for name in groups:
        fields = find(text, path, name)
        if fields and len(fields) > 3:
            admins = _without(fields[2], user) if path == GSHADOW else fields[2]
            text = with_entry(text, path, [*fields[:2], admins, _without(fields[3], user), *fields[4:]])
    return text


def members(fields: Sequence[str]) -> list[str]:
    """Return the members of a group by its fields, in their order."""
    return [name for name in fields[3].split(",") if name] if len(fields) > 3 else []


def groups_of(text: str, user: str) -> list[str]:
    """Return the names of the groups that have a user as a member."""
    return [fields[0] for fields in entries(text, GROUP) if user in members(fields)]


def require_name(name: str) -> None:
    """Refuse what is no name of a user or group.

    Raises:
        InputError: with the reason.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a user or group", hint="use letters, digits, dots, dashes, underscores"
        )


def _without(names: str, name: str) -> str:
    kept = [other for other in names.split(",") if other != name]
    return ",".join(kept) if len(kept) < len(names.split(",")) else names


def _is_entry(line: str, path: str, name: str) -> bool:
    fields = line.rstrip("\n").split(":")
    return len(fields) >= _FIELDS[path] and fields[0] == name


__all__ = [
    "GROUP",
    "GSHADOW",
    "PASSWD",
    "SHADOW",
    "SUBGID",
    "SUBUID",
    "edit",
    "edit_each",
    "entries",
    "find",
    "groups_of",
    "ids",
    "is_id",
    "is_there",
    "members",
    "read",
    "require_name",
    "with_entry",
    "with_member",
    "without_entry",
    "without_member",
]
