# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's accounts, read from its own files and never through the host's libraries."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import databases as db
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import split
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, View

_BLOB = 1  # the field of an authorized_keys line that is the key itself, after its type


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
    """
    account = find_account(plan, user)
    folder, path = _places(account)
    text = tree.read_text(plan, path) or ""
    for key in filter(None, map(str.strip, keys.split("\n"))):
        if not any(_is_key(line, key) for line in text.split("\n")):
            text = f"{text.rstrip()}\n{key}\n".lstrip("\n")
    plan.make_directory(folder, Attributes(0o700, account.uid, account.gid))
    plan.write_text(path, text, Attributes(0o600, account.uid, account.gid))


def withdraw_key(plan: Plan, user: str, keys: str) -> None:
    """Take back `authorize_key`; a user that is not there has no keys."""
    if db.find(db.read(plan, db.PASSWD), db.PASSWD, user) is None:
        return
    path = _places(find_account(plan, user))[1]
    text = tree.read_text(plan, path)
    if text is None:
        return
    unwanted = [key for key in map(str.strip, keys.split("\n")) if key]
    kept = [line for line in split(text) if not any(_is_key(line, key) for key in unwanted)]
    plan.write_text(path, "".join(kept))


def _places(account: Account) -> tuple[str, str]:
    folder = f"{account.home.rstrip('/')}/.ssh"
    return folder, f"{folder}/authorized_keys"


def _is_key(line: str, key: str) -> bool:
    return not line.lstrip().startswith("#") and _key_blob(line) == _key_blob(key)


def _key_blob(line: str) -> str:
    """Return what identifies a key: its encoded bytes, without options and comment."""
    words = line.split()
    for word, following in zip(words, words[_BLOB:]):
        if word.startswith(("ssh-", "ecdsa-", "sk-")):
            return following
    return line.strip()


__all__ = ["Account", "authorize_key", "find_account", "group_id", "user_id", "withdraw_key"]
