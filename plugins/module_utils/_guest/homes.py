# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Home directories: made of the guest's skeleton, given to another number, removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.login_defs import LoginDefs
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry

_FILES_LIMIT = 10_000  # more than that is no skeleton


def make(plan: Plan, home: str, skeleton: str, uid: int, gid: int) -> None:
    """Make a home with copies of what the skeleton holds; one that is there stays as it is."""
    if not home.startswith("/") or home == "/" or tree.lookup(plan, home)[1]:
        return
    plan.make_directory(home, Attributes(LoginDefs.of(plan).home_mode(), uid, gid))
    real, entry = tree.lookup(plan, skeleton)
    if entry is None or entry.kind != "directory":
        return
    for path, found in _walk(plan, real):
        target = home.rstrip("/") + path[len(real.rstrip("/")) :]
        owned = replace(found.attributes, uid=uid, gid=gid)
        if found.kind == "directory":
            plan.make_directory(target, owned)
        elif found.kind == "symlink":
            plan.symlink(target, plan.readlink(path))
        elif found.kind == "file":
            plan.write(target, plan.read(path), owned)


def give(plan: Plan, home: str, old: int, new: int) -> None:
    """Give what a user has in the home to the user's new number."""
    real, entry = tree.lookup(plan, home)
    if entry is None or entry.kind != "directory" or real == "/":
        return
    for path, found in [(real, entry), *_walk(plan, real)]:
        if found.kind in ("directory", "file") and found.attributes.uid == old:
            plan.set_attributes(path, replace(found.attributes, uid=new))


def remove(plan: Plan, home: str, uid: int) -> None:
    """Remove a home, if it is the user's own directory."""
    real, entry = tree.lookup(plan, home) if home.startswith("/") else ("", None)
    if entry and entry.kind == "directory" and entry.attributes.uid == uid and real != "/":
        plan.remove(real)


def _walk(plan: Plan, folder: str) -> Iterator[tuple[str, Entry]]:
    """Give all that lies below a directory, parents first; no link is followed."""
    ahead = [folder]
    count = 0
    while ahead:
        here = ahead.pop()
        for name in plan.listdir(here):
            path = f"{here.rstrip('/')}/{name}"
            entry = plan.lstat(path)
            count += 1
            if count > _FILES_LIMIT:
                raise GuestError(f"it holds more than {_FILES_LIMIT} files", where=folder)
            if entry:
                yield path, entry
            if entry and entry.kind == "directory":
                ahead.append(path)


__all__ = ["give", "make", "remove"]
