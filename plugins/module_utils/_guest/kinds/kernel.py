# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: what the kernel is told at boot."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import kernel_settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def _kernel_module(plan: Plan, options: Options) -> None:
    name = options["name"]
    if options["load"] is not None:
        kernel_settings.load_module(plan, name, options["load"])
    if options["blacklist"] is not None:
        kernel_settings.blacklist_module(plan, name, options["blacklist"])
    if options["params"] is not None:
        kernel_settings.module_options(plan, name, options["params"])


def _sysctl(plan: Plan, options: Options) -> None:
    kernel_settings.set_sysctl(plan, options["name"], options["value"] if options["state"] == "present" else None)


KINDS = (
    Kind(
        "kernel_module",
        {
            "type": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "load": {"type": "bool"},
                "blacklist": {"type": "bool"},
                "params": {"type": "str"},
            },
            "required_one_of": [("load", "blacklist", "params")],
        },
        _kernel_module,
        folders=(kernel_settings.MODPROBE, kernel_settings.MODULES_LOAD, "/usr/lib/modules-load.d", "/usr/lib/systemd"),
    ),
    Kind(
        "sysctl",
        {
            "type": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "value": {"type": "str"},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            },
            "required_if": [("state", "present", ("value",))],
        },
        _sysctl,
        folders=("/etc/sysctl.d", "/usr/lib/systemd"),
    ),
)

__all__ = ["KINDS"]
