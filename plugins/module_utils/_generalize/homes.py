# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Who has a home directory in a guest."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

MOST = 10_000  # that are looked at; a guest can name any number


def find(view: View) -> list[str]:
    """Return the real paths of the home directories that are there, root's first.

    They are those that accounts name, and what stands in /home.
    """
    found: dict[str, None] = {}
    for path in _named(view)[:MOST]:
        try:
            real, entry = tree.lookup(view, path)
        except GuestError:
            continue
        if entry and entry.kind == "directory" and real != "/":
            found[real] = None
    return list(found)


def are_too_many(view: View) -> bool:
    """Say whether a guest names more home directories than `find` looks at."""
    return len(_named(view)) > MOST


def users(view: View) -> dict[int, str]:
    """Return the names of users by number; the first line of a number counts."""
    found: dict[int, str] = {}
    for fields in _accounts(view):
        if fields[2].isascii() and fields[2].isdigit():
            found.setdefault(int(fields[2][:10]), fields[0])
    return found


def _named(view: View) -> list[str]:
    return list(dict.fromkeys(["/root", *_in_home(view), *_of_accounts(view)]))


def _in_home(view: View) -> Iterator[str]:
    try:
        yield from (f"/home/{name}" for name in tree.names_in(view, "/home"))
    except GuestError:
        return


def _of_accounts(view: View) -> Iterator[str]:
    for fields in _accounts(view):
        if fields[5].startswith("/"):
            yield fields[5]


def _accounts(view: View) -> Iterator[list[str]]:
    try:
        text = tree.read_text(view, "/etc/passwd") or ""
    except GuestError:
        return
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 7:
            yield fields


__all__ = ["MOST", "are_too_many", "find", "users"]
