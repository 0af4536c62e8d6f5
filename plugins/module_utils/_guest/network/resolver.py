# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Who tells the guest's programs about name servers."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.names import RESOLV_CONF, resolv_conf
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import services
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_RESOLVED = "systemd-resolved"
_STUB = "../run/systemd/resolve/stub-resolv.conf"


def give_to_resolved(plan: Plan, settings: Settings) -> None:
    """Let systemd-resolved do it, for networkd tells only that; without it, what is wanted is written down."""
    if systemd.find_unit(plan, f"{_RESOLVED}.service"):
        services.switch_on(plan, _RESOLVED)
        plan.symlink(RESOLV_CONF, _STUB)
    else:
        write_down(plan, settings)


def write_down(plan: Plan, settings: Settings) -> None:
    """Write the name servers that are wanted to the file that every program reads; nothing if none are."""
    if not settings.dns and not settings.search:
        return
    real = tree.resolve(plan, RESOLV_CONF, follow=False)
    entry = plan.lstat(real)
    if entry and entry.kind == "symlink":
        plan.remove(RESOLV_CONF)  # it leads to what another program would write
    plan.write_text(RESOLV_CONF, resolv_conf([str(server) for server in settings.dns], settings.search))


__all__ = ["give_to_resolved", "write_down"]
