# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Users of the guest, made, changed and removed in its own files: no program of it or of the builder is run."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import accounts, homes, login_defs, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest import databases as db
from ansible_collections.voc.cluster.plugins.module_utils._guest.groups import ensure_group, remove_group
from ansible_collections.voc.cluster.plugins.module_utils._guest.login_defs import LoginDefs
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_DAY = 24 * 60 * 60
_IN_SHADOW = "x"
_NO_PASSWORD = "!"  # man 5 shadow: no password matches it
# crypt(5): a method in dollar signs, BSDi's, the traditional one; or something that matches no password.
_HASH = re.compile(r"\$[^:\n]+|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13}|[!*][^:\n]*")


@dataclass(frozen=True)
class User:
    """What is wanted of a user; None leaves what is there, or takes the guest's default.

    Attributes:
        group: the primary group, by name or number.
        groups: others; they replace those that the user has unless `append`.
        password: as shadow holds it.
        locked: whether no password matches until it is unlocked.
    """

    name: str
    uid: int | None = None
    group: str | None = None
    groups: Sequence[str] | None = None
    append: bool = False
    comment: str | None = None
    home: str | None = None
    shell: str | None = None
    password: str | None = None
    locked: bool | None = None
    system: bool = False
    create_home: bool = True
    skeleton: str = "/etc/skel"


def ensure_user(plan: Plan, user: User, *, today: int | None = None) -> None:
    """Let there be a user.

    Args:
        today: days since 1970, for shadow's date of the last change of a password.

    Raises:
        InputError: something that cannot be written, or a number that is taken.
        GuestError: the guest has no users, or lacks a group.
    """
    _require_possible(plan, user)
    before = db.find(db.read(plan, db.PASSWD), db.PASSWD, user.name)
    fields = _new(plan, user) if before is None else _changed(plan, user, before)
    db.edit(plan, db.PASSWD, lambda text: db.with_entry(text, db.PASSWD, fields))
    _set_password(plan, user, int(time.time() // _DAY) if today is None else today, before)
    _set_groups(plan, user)
    if before is None and not user.system:
        for kind, path in (("UID", db.SUBUID), ("GID", db.SUBGID)):
            _subordinate(plan, user.name, kind, path)
    uid, gid = int(fields[2]), int(fields[3])
    if before is not None and db.is_id(before[2]) and before[2] != fields[2]:
        homes.give(plan, fields[5], int(before[2]), uid)
    # An account of the system may well have a home that is not there, and must not be.
    if user.create_home and (before is None or user.home is not None):
        homes.make(plan, fields[5], user.skeleton, uid, gid)


def remove_user(plan: Plan, name: str, *, with_files: bool) -> None:
    """Let there be no user of a name; nor a group of the same name that was theirs alone.

    Args:
        with_files: whether the home and the mail go, too. A home that is somebody else's stays.

    Raises:
        GuestError: it is root.
    """
    fields = db.find(db.read(plan, db.PASSWD), db.PASSWD, name)
    if fields is None:
        return
    if fields[2] == "0":
        raise GuestError(f"{name} is root and cannot be removed", where=db.PASSWD)
    everywhere = (db.PASSWD, db.SHADOW, db.SUBUID, db.SUBGID)
    db.edit_each(plan, everywhere, lambda text, *, path: db.without_entry(text, path, name))
    _leave(plan, name, db.groups_of(db.read(plan, db.GROUP), name))
    own = db.find(db.read(plan, db.GROUP), db.GROUP, name)
    others = any(user[3] == fields[3] for user in db.entries(db.read(plan, db.PASSWD), db.PASSWD))
    if own and own[2] == fields[3] and not db.members(own) and not others:
        remove_group(plan, name)
    if with_files and db.is_id(fields[2]):
        homes.remove(plan, fields[5], int(fields[2]))
        plan.remove(f"/var/mail/{name}")


def _require_possible(plan: Plan, user: User) -> None:
    db.require_name(user.name)
    if not db.is_there(plan, db.PASSWD):
        raise GuestError("the guest has no users", where=db.PASSWD)
    for word in (user.comment, user.home, user.shell):
        if word is not None and re.search(r"[:\0-\x1f\x7f]", word):
            raise InputError(f"{word!r} cannot be written to {db.PASSWD}")
    if user.password == "":
        raise InputError("an empty password would let everybody in", hint="leave it out for a user without one")
    if user.password is not None and not _HASH.fullmatch(user.password):
        raise InputError("the password is not a hash", hint="make one, for example with the filter password_hash")
    if user.uid is not None:
        _require_free(plan, user.name, user.uid)


def _require_free(plan: Plan, name: str, uid: int) -> None:
    if not db.is_id(str(uid)):
        raise InputError(f"{uid} is not the number of a user")
    users = db.entries(db.read(plan, db.PASSWD), db.PASSWD)
    holder = next((fields[0] for fields in users if fields[2] == str(uid)), name)
    if holder != name:
        raise InputError(f"the number {uid} is that of the user {holder}", hint="give another")


def _new(plan: Plan, user: User) -> list[str]:
    """Return the passwd entry of a new user; a primary group is made where one is needed."""
    used = db.ids(db.read(plan, db.PASSWD), db.PASSWD)
    defs = LoginDefs.of(plan)
    defaults = login_defs.parse(tree.read_text(plan, login_defs.USERADD) or "")
    uid = defs.free_id("UID", used, system=user.system) if user.uid is None else user.uid
    gid = _primary_group(plan, user, uid, defs, defaults.get("GROUP", "100"))
    home = user.home or f"{defaults.get('HOME', '/home').rstrip('/')}/{user.name}"
    shell = user.shell if user.shell is not None else defaults.get("SHELL", "/bin/sh")
    password = _IN_SHADOW if db.is_there(plan, db.SHADOW) else _NO_PASSWORD
    return [user.name, password, str(uid), str(gid), user.comment or "", home, shell]


def _primary_group(plan: Plan, user: User, uid: int, defs: LoginDefs, fallback: str) -> int:
    if user.group is not None:
        return accounts.group_id(plan, user.group)
    known = db.find(db.read(plan, db.GROUP), db.GROUP, user.name)
    # A guest without login.defs has no useradd either; its adduser makes groups.
    if known or not defs.values or defs.says_yes("USERGROUPS_ENAB"):
        return ensure_group(plan, user.name, system=user.system, preferred=uid)
    return accounts.group_id(plan, fallback)


def _changed(plan: Plan, user: User, before: list[str]) -> list[str]:
    name, password, uid, gid, comment, home, shell = before[:7]
    if not (db.is_id(uid) and db.is_id(gid)):
        raise GuestError(f"the entry of {name} is damaged", where=db.PASSWD, hint="remove the user first")
    if db.is_there(plan, db.SHADOW) and (user.password is not None or user.locked is not None):
        password = _IN_SHADOW
    return [
        name,
        password,
        uid if user.uid is None else str(user.uid),
        gid if user.group is None else str(accounts.group_id(plan, user.group)),
        comment if user.comment is None else user.comment,
        home if user.home is None else user.home,
        shell if user.shell is None else user.shell,
    ]


def _set_password(plan: Plan, user: User, today: int, before: list[str] | None) -> None:
    """Set what is wanted of the password, in shadow where the guest has that, else in passwd."""
    if before is not None and user.password is None and user.locked is None:
        return
    path = db.SHADOW if db.is_there(plan, db.SHADOW) else db.PASSWD
    if path == db.PASSWD and user.password is not None:
        plan.hide(path)
    fields = db.find(db.read(plan, path), path, user.name)
    if fields is None:
        fields = [user.name, _NO_PASSWORD, str(today), *_ages(plan, user), "", "", ""]
    # One that stands in passwd counts, whatever shadow says.
    now = fields[1] if before is None or before[1] == _IN_SHADOW else before[1]
    wanted = _locked(_wanted(user, now), user)
    if wanted != fields[1]:
        dated = [str(today)] if path == db.SHADOW else fields[2:3]
        fields = [fields[0], wanted, *dated, *fields[3:]]
    entry = fields
    db.edit(plan, path, lambda text: db.with_entry(text, path, entry))


def _wanted(user: User, now: str) -> str:
    """Return the password that is wanted; one that is there already stays locked."""
    if user.password is None or now == f"{_NO_PASSWORD}{user.password}":
        return now
    return user.password


def _locked(password: str, user: User) -> str:
    if user.locked and not password.startswith(_NO_PASSWORD):
        return f"{_NO_PASSWORD}{password}"
    if user.locked is False and password.startswith(_NO_PASSWORD):
        unlocked = password.lstrip(_NO_PASSWORD)
        if not unlocked:
            raise GuestError(f"{user.name} has no password that could be unlocked", hint="give one")
        return unlocked
    return password


def _ages(plan: Plan, user: User) -> list[str]:
    defs = LoginDefs.of(plan)
    if user.system:
        return ["", "", ""]
    ages = (("PASS_MIN_DAYS", 0), ("PASS_MAX_DAYS", 99999), ("PASS_WARN_AGE", 7))
    return [str(defs.number(name, default)) for name, default in ages]


def _set_groups(plan: Plan, user: User) -> None:
    if user.groups is None:
        return
    text = db.read(plan, db.GROUP)
    for group in user.groups:
        if db.find(text, db.GROUP, group) is None:
            raise GuestError(f"the guest has no group {group}", where=db.GROUP, hint="make it with an edit before")
    if not user.append:
        _leave(plan, user.name, [name for name in db.groups_of(text, user.name) if name not in user.groups])
    joined = user.groups

    def join(text: str, *, path: str) -> str:
        for group in joined:
            text = db.with_member(text, path, group, user.name)
        return text

    db.edit_each(plan, (db.GROUP, db.GSHADOW), join)


def _leave(plan: Plan, name: str, groups: Sequence[str]) -> None:
    db.edit_each(plan, (db.GROUP, db.GSHADOW), lambda text, *, path: db.without_member(text, path, groups, name))


def _subordinate(plan: Plan, name: str, kind: str, path: str) -> None:
    """Give a user a range of subordinate numbers, where the guest keeps them and none is given."""
    first, last, count = LoginDefs.of(plan).subordinate(kind)

    def add(text: str) -> str:
        known = list(db.entries(text, path))
        if count <= 0 or any(fields[0] == name for fields in known):
            return text
        ends = [int(start) + int(size) for _user, start, size, *_rest in known if db.is_id(start) and db.is_id(size)]
        start = max([first, *ends])
        return db.with_entry(text, path, [name, str(start), str(count)]) if start + count - 1 <= last else text

    db.edit(plan, path, add)


__all__ = ["User", "ensure_user", "remove_user"]
