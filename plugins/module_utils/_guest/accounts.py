# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's accounts, read from its own files and never through the host's libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import databases as db
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import split
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, View

# A line of authorized_keys (man 8 sshd): options, in which quotes may hold anything, a type, and the key itself.
_KEY = re.compile(
    r"""[ \t]*(?:(?:[^\s"]|"(?:[^"\\]|\\.)*")+[ \t]+)??"""
    r"""((?:ssh|ecdsa|sk|webauthn-sk)-[A-Za-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+=*)(?:\s|$)"""
)


@dataclass(frozen=True)
class Account:
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str


def find_account(view: View, name: str) -> Account:
    """Return an account by its name.

    Raises:
        GuestError: the guest has none of that name.
    """
    for fields in db.entries(db.read(view, db.PASSWD), db.PASSWD):
        if fields[0] == name and db.is_id(fields[2]) and db.is_id(fields[3]):
            return Account(name, int(fields[2]), int(fields[3]), fields[5] or "/")
    raise GuestError(f"the guest has no user {name}", where="/etc/passwd", hint="create it, or correct the name")


def user_id(view: View, name: str) -> int:
    """Return the number of a user that is given by name or number."""
    return int(name) if db.is_id(name) else find_account(view, name).uid


def group_id(view: View, name: str) -> int:
    """Return the number of a group that is given by name or number.

    Raises:
        GuestError: the guest has none of that name.
    """
    if db.is_id(name):
        return int(name)
    for fields in db.entries(db.read(view, db.GROUP), db.GROUP):
        if fields[0] == name and db.is_id(fields[2]):
            return int(fields[2])
    raise GuestError(f"the guest has no group {name}", where="/etc/group", hint="create it, or correct the name")


def authorize_key(plan: Plan, user: str, keys: str) -> None:
    """Let ssh public keys, one a line, log in as a user.

    sshd ignores the file unless it and its folder belong to the user and are
    writable by nobody else.

    Raises:
        InputError: a line is no key.
        GuestError: there is no such user.
    """
    wanted = list(_given(keys))
    account = find_account(plan, user)
    folder, path = _places(account)
    text = tree.read_text(plan, path) or ""
    there = {_identity(line) for line in text.split("\n")}
    for line, key in wanted:
        if key not in there:
            there.add(key)
            text = f"{text.rstrip()}\n{line}\n".lstrip("\n")
    plan.make_directory(folder, Attributes(0o700, account.uid, account.gid))
    plan.write_text(path, text, Attributes(0o600, account.uid, account.gid))


def withdraw_key(plan: Plan, user: str, keys: str) -> None:
    """Take back `authorize_key`; a user that is not there has no keys.

    Raises:
        InputError: a line is no key.
    """
    unwanted = {key for _line, key in _given(keys)}
    if db.find(db.read(plan, db.PASSWD), db.PASSWD, user) is None:
        return
    path = _places(find_account(plan, user))[1]
    text = tree.read_text(plan, path)
    if text is None:
        return
    kept = [line for line in split(text) if _identity(line) not in unwanted]
    plan.write_text(path, "".join(kept))


def _places(account: Account) -> tuple[str, str]:
    folder = f"{account.home.rstrip('/')}/.ssh"
    return folder, f"{folder}/authorized_keys"


def _given(keys: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the lines that a user gave, each with what identifies its key; comments are none."""
    for line in map(str.strip, keys.split("\n")):
        if line and not line.startswith("#"):
            key = _identity(line)
            if key is None:
                raise InputError(
                    "a line is not an ssh public key", where=line[:80], hint="give lines as in a .pub file"
                )
            yield line, key


def _identity(line: str) -> tuple[str, str] | None:
    """Return the type and the encoded bytes of a line's key, without options and comment; None for other lines."""
    match = _KEY.match(line)
    return (match.group(1), match.group(2)) if match and not line.lstrip().startswith("#") else None


__all__ = ["Account", "authorize_key", "find_account", "group_id", "user_id", "withdraw_key"]
