# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Services of network stacks, switched on and off for good."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import services, system, systemd, sysv, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_RUNLEVEL = "boot"  # OpenRC's for the network


def switch_on(plan: Plan, name: str) -> None:
    """Let a service start at boot.

    Raises:
        GuestError: the guest has no such service.
    """
    masked = False if _has_masks(plan) else None
    services.set_service(plan, name, enabled=True, masked=masked, runlevel=_RUNLEVEL)


def switch_off(plan: Plan, name: str) -> None:
    """Keep a service from being started, by other units too; nothing when it is absent."""
    unit = systemd.unit_name(name)
    if not systemd.find_unit(plan, unit) and not sysv.find_script(plan, name) and not _has_job(plan, name):
        return
    services.set_service(plan, name, enabled=False)
    own = plan.lstat(tree.resolve(plan, f"{systemd.ADMIN_FOLDER}/{unit}", follow=False))
    # One of the administrator's own stands where the mask would.
    if _has_masks(plan) and not (own and own.kind != "symlink"):
        services.set_service(plan, name, masked=True)


def _has_masks(view: View) -> bool:
    return system.init_system(view) in (None, "systemd")


def _has_job(view: View, name: str) -> bool:
    return tree.exists(view, f"/etc/init/{name}.conf")


__all__ = ["switch_off", "switch_on"]
