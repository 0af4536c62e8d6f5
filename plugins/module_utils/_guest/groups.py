# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Groups of the guest, made and removed in its own files."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import databases as db
from ansible_collections.voc.cluster.plugins.module_utils._guest.login_defs import LoginDefs
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def ensure_group(
    plan: Plan, name: str, gid: int | None = None, *, system: bool = False, preferred: int | None = None
) -> int:
    """Let there be a group, with this number where one is given; return its number.

    Args:
        preferred: what a new one gets when it is free.

    Raises:
        InputError: a name that cannot be, or a number that another group has.
        GuestError: the guest has no groups at all.
    """
    db.require_name(name)
    if not db.is_there(plan, db.GROUP):
        raise GuestError("the guest has no groups", where=db.GROUP)
    text = db.read(plan, db.GROUP)
    fields = db.find(text, db.GROUP, name)
    if gid is not None:
        _require_free(text, name, gid)
    if fields is None:
        number = gid if gid is not None else _new_number(plan, text, preferred, system=system)
        _write(plan, [name, "x", str(number), ""])
        return number
    if gid is not None and fields[2] != str(gid):
        _write(plan, [*fields[:2], str(gid), *fields[3:]])
        _follow(plan, fields[2], gid)
        return gid
    return int(fields[2]) if db.is_id(fields[2]) else 0


def remove_group(plan: Plan, name: str) -> None:
    """Let there be no group of a name.

    Raises:
        GuestError: it is the primary group of a user.
    """
    fields = db.find(db.read(plan, db.GROUP), db.GROUP, name)
    if fields is None:
        return
    for user in db.entries(db.read(plan, db.PASSWD), db.PASSWD):
        if user[3] == fields[2]:
            raise GuestError(f"{name} is the primary group of the user {user[0]}", hint="remove that first")
    db.edit_each(plan, (db.GROUP, db.GSHADOW), lambda text, *, path: db.without_entry(text, path, name))


def _require_free(text: str, name: str, gid: int) -> None:
    if not db.is_id(str(gid)):
        raise InputError(f"{gid} is not the number of a group")
    holder = next((fields[0] for fields in db.entries(text, db.GROUP) if fields[2] == str(gid)), name)
    if holder != name:
        raise InputError(f"the number {gid} is that of the group {holder}", hint="give another")


def _new_number(plan: Plan, text: str, preferred: int | None, *, system: bool) -> int:
    used = db.ids(text, db.GROUP)
    if preferred is not None and preferred not in used:
        return preferred
    return LoginDefs.of(plan).free_id("GID", used, system=system)


def _write(plan: Plan, fields: list[str]) -> None:
    name = fields[0]
    db.edit(plan, db.GROUP, lambda text: db.with_entry(text, db.GROUP, fields))

    def add(text: str) -> str:
        known = db.find(text, db.GSHADOW, name)
        return text if known else db.with_entry(text, db.GSHADOW, [name, "!", "", ""])

    db.edit(plan, db.GSHADOW, add)


def _follow(plan: Plan, old: str, gid: int) -> None:
    """Let users whose primary group got another number have that, as groupmod does."""

    def renumber(text: str) -> str:
        for user in list(db.entries(text, db.PASSWD)):
            if user[3] == old:
                text = db.with_entry(text, db.PASSWD, [*user[:3], str(gid), *user[4:]])
        return text

    db.edit(plan, db.PASSWD, renumber)


__all__ = ["ensure_group", "remove_group"]
