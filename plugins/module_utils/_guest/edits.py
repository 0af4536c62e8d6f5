# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The kinds of edit: what each one means for a plan.

An edit is a mapping with one key, its kind. Their options, as users write
them, are in `ARGUMENT_SPEC` beside the functions that read them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import (
    accounts,
    environment,
    fstab,
    network,
    systemd,
    tree,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

Options = dict[str, t.Any]

_PERMISSIONS: Options = {
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}
# Not type "path": that would expand a tilde or a variable of the builder.
_PATH: Options = {"type": "str", "required": True}

ARGUMENT_SPEC: Options = {
    "file": {
        "type": "dict",
        "options": {"path": _PATH, "content": {"type": "str"}, "source": {"type": "path"}, **_PERMISSIONS},
        "mutually_exclusive": [("content", "source")],
        "required_one_of": [("content", "source")],
    },
    "directory": {"type": "dict", "options": {"path": _PATH, **_PERMISSIONS}},
    "symlink": {"type": "dict", "options": {"path": _PATH, "target": {"type": "str", "required": True}}},
    "absent": {"type": "dict", "options": {"path": _PATH}},
    "fstab": {
        "type": "dict",
        "options": {
            "source": {"type": "str"},
            "path": _PATH,
            "type": {"type": "str"},
            "options": {"type": "list", "elements": "str", "default": ["defaults"]},
            "dump": {"type": "int", "default": 0},
            "check": {"type": "int", "default": 0},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        "required_if": [("state", "present", ("source", "type"))],
    },
    "environment": {"type": "dict"},
    "service": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "enabled": {"type": "bool"},
            "masked": {"type": "bool"},
        },
        "required_one_of": [("enabled", "masked")],
    },
    # Public keys: Ansible would take both names for secrets.
    "authorized_key": {
        "type": "dict",
        "no_log": False,
        "options": {
            "user": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
        },
    },
    "network": {
        "type": "dict",
        "options": {"method": {"type": "str", "choices": ["dhcp"], "default": "dhcp"}},
    },
}


def plan_edits(plan: Plan, edits: Iterable[Options]) -> None:
    """Lay edits over a plan, in their order.

    Raises:
        ImageError: one of them cannot be done; its number is named.
    """
    for number, edit in enumerate(edits, start=1):
        given = {kind: options for kind, options in edit.items() if options is not None}
        try:
            for kind, options in given.items():
                _KINDS[kind](plan, options)
        except ImageError as error:
            error.where = f"edit {number} ({', '.join(given)}){': ' + error.where if error.where else ''}"
            raise


def _file(plan: Plan, options: Options) -> None:
    path = _absolute(options["path"])
    if options["source"] is not None:
        try:
            with open(options["source"], "rb") as file:
                content = file.read()
        except OSError as error:
            raise InputError(
                f"it cannot be read ({error.strerror})", where=options["source"], hint="give a file on the builder"
            ) from error
    else:
        content = options["content"].encode("utf-8", "surrogateescape")
    plan.write(path, content, _attributes(plan, path, options, Attributes(0o644)))


def _directory(plan: Plan, options: Options) -> None:
    path = _absolute(options["path"])
    plan.make_directory(path, _attributes(plan, path, options, Attributes(0o755)))


def _symlink(plan: Plan, options: Options) -> None:
    plan.symlink(_absolute(options["path"]), options["target"])


def _absent(plan: Plan, options: Options) -> None:
    plan.remove(_absolute(options["path"]))


def _fstab(plan: Plan, options: Options) -> None:
    path = _absolute(options["path"]).rstrip("/") or "/"
    text = tree.read_text(plan, fstab.PATH) or ""
    if options["state"] == "absent":
        changed = fstab.without_entry(text, path)
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
        plan.make_directory(path)
    if changed != text:
        plan.write(fstab.PATH, changed.encode("utf-8", "surrogateescape"))


def _environment(plan: Plan, options: Options) -> None:
    environment.set_variables(plan, {str(name): str(value) for name, value in options.items()})


def _service(plan: Plan, options: Options) -> None:
    unit = systemd.unit_name(options["name"])
    if options["masked"] is not None:
        (systemd.mask if options["masked"] else systemd.unmask)(plan, unit)
    if options["enabled"] is not None:
        (systemd.enable if options["enabled"] else systemd.disable)(plan, unit)


def _authorized_key(plan: Plan, options: Options) -> None:
    accounts.authorize_key(plan, options["user"], options["key"])


def _network(plan: Plan, options: Options) -> None:
    del options  # DHCP is the one method there is
    network.write_dhcp(plan)


_KINDS: dict[str, Callable[[Plan, Options], None]] = {
    "file": _file,
    "directory": _directory,
    "symlink": _symlink,
    "absent": _absent,
    "fstab": _fstab,
    "environment": _environment,
    "service": _service,
    "authorized_key": _authorized_key,
    "network": _network,
}


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise InputError("a guest path must be absolute", where=path, hint="begin it with a slash")
    return path


def _attributes(plan: Plan, path: str, options: Options, new: Attributes) -> Attributes | None:
    """Return the attributes that options ask for; None when they ask for nothing of an existing file."""
    entry = tree.lookup(plan, path)[1]
    kept = entry.attributes if entry else new
    mode = kept.mode if options["mode"] is None else parse_mode(options["mode"])
    uid = kept.uid if options["owner"] is None else accounts.user_id(plan, options["owner"])
    gid = kept.gid if options["group"] is None else accounts.group_id(plan, options["group"])
    return Attributes(mode, uid, gid)


def parse_mode(text: str) -> int:
    """Return permission bits given in octal.

    Raises:
        InputError: it is not octal, or more than four digits.
    """
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise InputError(f"{text!r} is not a mode in octal", hint="write it like '0644', in quotes")
    return mode


__all__ = ["ARGUMENT_SPEC", "parse_mode", "plan_edits"]
