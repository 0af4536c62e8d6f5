# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: entries of fstab, for mounts and for swap areas."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import PATH, Kind, Options, absolute
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def _fstab(plan: Plan, options: Options) -> None:
    path = options["path"]
    swap = path in fstab.NO_PATH and options["type"] in ("swap", None)
    if not swap:
        path = absolute(path).rstrip("/") or "/"
    elif options["source"] is None:
        raise InputError("which swap area is meant is not said", hint="give its source")
    text = tree.read_text(plan, fstab.PATH) or ""
    if options["state"] == "absent":
        changed = fstab.without_entry(text, path, options["source"] or "")
    else:
        entry = FstabEntry(
            source=options["source"],
            path=path,
            type=options["type"],
            options=tuple(options["options"]),
            dump=options["dump"],
            check=options["check"],
        )
        changed = fstab.with_entry(text, entry)
        if not swap:
            plan.make_directory(path)
    plan.write_text(fstab.PATH, changed)


KINDS = (
    Kind(
        "fstab",
        {
            "type": "dict",
            "options": {
                "source": {"type": "str"},
                "path": PATH,
                "type": {"type": "str"},
                "options": {"type": "list", "elements": "str", "default": ["defaults"]},
                "dump": {"type": "int", "default": 0},
                "check": {"type": "int", "default": 0},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            },
            "required_if": [("state", "present", ("source", "type"))],
        },
        _fstab,
        folders=("/etc",),
    ),
)

__all__ = ["KINDS"]
