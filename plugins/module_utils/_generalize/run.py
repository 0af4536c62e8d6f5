# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Generalizes an image: lays the chosen operations over a plan, does them in one batch, and tells what is left.

What was in a file is never shown, not in the result and not in the difference: it may be
what the image is cleaned of.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import printable
from ansible_collections.voc.cluster.plugins.module_utils._generalize import leftovers
from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Account, Sweep
from ansible_collections.voc.cluster.plugins.module_utils._guest import access, selinux, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked

_SHOWN = 1000  # changes


def generalize(
    runner: Runner, options: Mapping[str, t.Any], operations: Sequence[Operation], *, apply: bool
) -> dict[str, t.Any]:
    """Do operations on a working image, or tell what they would do.

    Args:
        options: of the module: `image`, `access`, `root`, `machine_id`, `report`.

    Returns:
        The module's result.
    """
    spread = access.locate(runner, options["image"], options["access"], options["root"])
    with locked(spread.image):
        with access.open_guest(runner, spread, options["access"], writable=apply) as files:
            plan = Plan(files)
            done = clean(plan, operations, machine_id=options["machine_id"], mounts=_mounts(spread))
            selinux.label_new(plan)
            found = leftovers.find(plan) if options["report"] else None
            result = _changes(plan)
            if apply:
                plan.apply()
        wiped = {operation.name: _wipe(runner, spread, operation, apply) for operation in operations if operation.wipe}
    done.update({name: Account(bytes=length) for name, length in wiped.items()})
    result["changed"] = result["changed"] or any(wiped.values())
    result["operations"] = [_told(operation, done[operation.name]) for operation in operations]
    if found is not None:
        result["leftovers"] = [leftover.as_dict() for leftover in found]
        result["report"] = leftovers.text(found)
    return result


def clean(
    plan: Plan, operations: Sequence[Operation], *, machine_id: str = "empty", mounts: Sequence[str] = ()
) -> dict[str, Account]:
    """Lay the operations on files over a plan; return what each of them did, by its name."""
    sweep = Sweep(plan, machine_id=machine_id, mounts=mounts)
    done = {}
    for operation in operations:
        if operation.clean:
            sweep.account = Account()
            operation.clean(sweep)
            done[operation.name] = sweep.account
    return done


def _mounts(spread: Spread) -> list[str]:
    return [place.path for place in spread.places]


def _wipe(runner: Runner, spread: Spread, operation: Operation, apply: bool) -> int:
    return operation.wipe(runner, spread, apply) if operation.wipe else 0


def _told(operation: Operation, account: Account) -> dict[str, t.Any]:
    return {
        "name": operation.name,
        "reason": operation.reason,
        "paths": account.paths,
        "count": account.count,
        "bytes": account.bytes,
        "left": account.left,
    }


def _changes(plan: Plan) -> dict[str, t.Any]:
    changes = plan.changes()
    shown = changes[:_SHOWN]
    return {
        "changed": bool(changes),
        "changes": plan.summary()[:_SHOWN],
        "notes": plan.notes,
        "diff": [_difference(plan, change) for change in shown],
    }


def _difference(plan: Plan, change: tree.Change) -> dict[str, str]:
    path = printable(change.path)
    before = plan.before(change.path)
    return {
        "before_header": path,
        "after_header": path,
        "before": _described(before) if before else "",
        "after": _after(change, before),
    }


def _after(change: tree.Change, before: Entry | None) -> str:
    if isinstance(change, tree.Delete):
        return ""
    if isinstance(change, tree.PutSymlink):
        return f"link to {printable(change.target)}\n"
    if isinstance(change, tree.PutFile):
        head = _described(Entry("file", change.attributes, len(change.content)))
        # What is new is written here, and holds no secret.
        return head if before else head + change.content.decode("utf-8", "replace")
    if isinstance(change, tree.SetXattr):
        return f"{change.name} is set\n"
    return "directory\n"


def _described(entry: Entry) -> str:
    attributes = entry.attributes
    size = f", {entry.size} bytes" if entry.kind == "file" else ""
    return f"{entry.kind}, mode {attributes.mode:04o}, owner {attributes.uid}:{attributes.gid}{size}\n"


__all__ = ["clean", "generalize"]
