# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: services that start at boot, and the environment of shells and services."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import environment, services, systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def _service(plan: Plan, options: Options) -> None:
    services.set_service(
        plan, options["name"], enabled=options["enabled"], masked=options["masked"], runlevel=options["runlevel"]
    )


def _environment(plan: Plan, options: Options) -> None:
    environment.set_variables(
        plan, {str(name): None if value is None else str(value) for name, value in options.items()}
    )


KINDS = (
    Kind("environment", {"type": "dict"}, _environment, folders=("/etc/profile.d", "/etc/systemd", "/sbin")),
    Kind(
        "service",
        {
            "type": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "enabled": {"type": "bool"},
                "masked": {"type": "bool"},
                "runlevel": {"type": "str", "default": "default"},
            },
            "required_one_of": [("enabled", "masked")],
        },
        _service,
        folders=(systemd.ADMIN_FOLDER, "/usr/lib/systemd/system", "/sbin", "/etc/init.d"),
    ),
)

__all__ = ["KINDS"]
