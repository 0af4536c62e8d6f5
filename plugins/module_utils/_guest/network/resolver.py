# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Who tells the guest's programs about name servers."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import services
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

PATH = "/etc/resolv.conf"
_RESOLVED = "systemd-resolved"
_STUB = "../run/systemd/resolve/stub-resolv.conf"


def give_to_resolved(plan: Plan, settings: Settings) -> None:
    """Let systemd-resolved do it, for networkd tells only that; without it, what is wanted is written down."""
    if systemd.find_unit(plan, f"{_RESOLVED}.service"):
        services.switch_on(plan, _RESOLVED)
        plan.symlink(PATH, _STUB)
    else:
        write_down(plan, settings)


def write_down(plan: Plan, settings: Settings) -> None:
    """Write the name servers that are wanted to the file that every program reads; nothing if none are."""
    lines = [f"search {' '.join(settings.search)}"] if settings.search else []
    lines += [f"nameserver {server}" for server in settings.dns]
    if not lines:
        return
    real = tree.resolve(plan, PATH, follow=False)
    entry = plan.lstat(real)
    if entry and entry.kind == "symlink":
        plan.remove(PATH)  # it leads to what another program would write
    plan.write(PATH, ("# Written by voc.cluster.\n" + "\n".join(lines) + "\n").encode())


__all__ = ["PATH", "give_to_resolved", "write_down"]
