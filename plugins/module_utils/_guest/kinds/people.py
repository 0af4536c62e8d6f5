# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: users, groups, and how users log in. Their options are those of Ansible's modules."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import accounts, databases, users
from ansible_collections.voc.cluster.plugins.module_utils._guest.groups import ensure_group, remove_group
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_NAME: Options = {"type": "str", "required": True}
_STATE: Options = {"type": "str", "choices": ["present", "absent"], "default": "present"}


def _user(plan: Plan, options: Options) -> None:
    name = options["name"]
    if options["state"] == "absent":
        users.remove_user(plan, name, with_files=options["remove"])
        return
    known = databases.find(databases.read(plan, databases.PASSWD), databases.PASSWD, name)
    keeps = known is not None and options["update_password"] == "on_create"
    users.ensure_user(
        plan,
        users.User(
            name=name,
            uid=options["uid"],
            group=options["group"],
            groups=options["groups"],
            append=options["append"],
            comment=options["comment"],
            home=options["home"],
            shell=options["shell"],
            password=None if keeps else options["password"],
            locked=options["password_lock"],
            system=options["system"],
            create_home=options["create_home"],
            skeleton=options["skeleton"],
        ),
    )


def _group(plan: Plan, options: Options) -> None:
    if options["state"] == "absent":
        remove_group(plan, options["name"])
    else:
        ensure_group(plan, options["name"], options["gid"], system=options["system"])


def _authorized_key(plan: Plan, options: Options) -> None:
    if options["state"] == "absent":
        accounts.withdraw_key(plan, options["user"], options["key"])
    else:
        accounts.authorize_key(plan, options["user"], options["key"])


KINDS = (
    Kind(
        "user",
        {
            "type": "dict",
            "options": {
                "name": _NAME,
                "state": _STATE,
                "uid": {"type": "int"},
                "group": {"type": "str"},
                "groups": {"type": "list", "elements": "str"},
                "append": {"type": "bool", "default": False},
                "comment": {"type": "str"},
                "home": {"type": "str"},
                "shell": {"type": "str"},
                "password": {"type": "str", "no_log": True},
                "password_lock": {"type": "bool", "no_log": False},
                "update_password": {
                    "type": "str",
                    "choices": ["always", "on_create"],
                    "default": "always",
                    "no_log": False,
                },
                "system": {"type": "bool", "default": False},
                "create_home": {"type": "bool", "default": True},
                "skeleton": {"type": "str", "default": "/etc/skel"},
                "remove": {"type": "bool", "default": False},
            },
        },
        _user,
        folders=("/etc", "/etc/default", "/home", "/etc/skel"),
    ),
    Kind(
        "group",
        {
            "type": "dict",
            "options": {
                "name": _NAME,
                "state": _STATE,
                "gid": {"type": "int"},
                "system": {"type": "bool", "default": False},
            },
        },
        _group,
        folders=("/etc",),
    ),
    Kind(
        "authorized_key",
        # Public keys: Ansible would take both names for secrets.
        {
            "type": "dict",
            "no_log": False,
            "options": {
                "user": _NAME,
                "key": {"type": "str", "required": True, "no_log": False},
                "state": _STATE,
            },
        },
        _authorized_key,
        folders=("/etc", "/root", "/home"),
    ),
)

__all__ = ["KINDS"]
