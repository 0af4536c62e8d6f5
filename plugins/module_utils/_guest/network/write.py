# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Configures a guest's network: the stack is chosen, its rivals are switched off, and its writer writes."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import (
    clients,
    ifcfg_el,
    ifcfg_suse,
    ifupdown,
    netplan,
    networkd,
    networkmanager,
    rivals,
    stacks,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings, parse
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View


def configure(plan: Plan, options: dict[str, t.Any]) -> None:
    """Let one stack of the guest configure its network, and no other.

    Args:
        options: as `settings.ARGUMENT_SPEC` has them.

    Raises:
        InputError: an option is wrong.
        GuestError: the guest has no such stack, or none at all.
    """
    settings = parse(options)
    guest = system.inspect(plan)
    stack = choose(plan, guest, settings, options["stack"])
    rivals.switch_off(plan, guest, stack)
    _WRITERS[stack](plan, settings, guest)


def choose(view: View, guest: Guest, settings: Settings, wanted: str = "auto") -> str:
    """Return the stack that is to be in charge: the one that is, or the one that could best be.

    Raises:
        GuestError: there is none, or not the one that is wanted.
    """
    if wanted != "auto" and wanted in guest.network_stacks:
        return wanted
    able = [name for name in guest.network_stacks if name != "ifupdown" or not settings.dhcp or clients.installed(view)]
    if wanted == "auto" and able:
        return able[0]
    seen = ", ".join(guest.network_stacks) or "none"
    missing = "network stack that could do it" if wanted == "auto" else wanted
    raise GuestError(
        f"the guest has no {missing} (network stacks found: {seen})",
        hint="install one in the guest with image_packages, or leave its network as it is",
    )


def _ifcfg(plan: Plan, settings: Settings, guest: Guest) -> None:
    del guest
    if tree.exists(plan, f"{stacks.EL_FOLDER}/ifup-eth"):
        ifcfg_el.write(plan, settings)
    else:
        ifcfg_suse.write(plan, settings, stacks.SERVICES["ifcfg"])


def _wicked(plan: Plan, settings: Settings, guest: Guest) -> None:
    del guest
    ifcfg_suse.write(plan, settings, stacks.SERVICES["wicked"])


_WRITERS: dict[str, Callable[[Plan, Settings, Guest], None]] = {
    "ifcfg": _ifcfg,
    "ifupdown": ifupdown.write,
    "netplan": netplan.write,
    "networkd": networkd.write,
    "networkmanager": networkmanager.write,
    "wicked": _wicked,
}


__all__ = ["choose", "configure"]
