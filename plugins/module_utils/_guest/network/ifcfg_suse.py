# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""ifcfg files as SUSE has them (man 5 ifcfg, ifcfg-dhcp, ifroute), for its old network scripts and for wicked."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names, services, stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import FIRST, Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

CONFIG_PATH = f"{stacks.SUSE_FOLDER}/config"
ROUTES_PATH = f"{stacks.SUSE_FOLDER}/routes"


def write(plan: Plan, settings: Settings, service: str) -> None:
    """Let wicked or the network scripts have one interface, the first unless another is wanted.

    Args:
        service: which of the two is to be started.
    """
    if settings.mac:
        name = names.pin(plan, settings.mac)
    else:
        name = settings.interface or FIRST
        if not settings.interface:
            names.keep_kernels_own(plan)
    _remove_others(plan, name)
    plan.write(f"{stacks.SUSE_FOLDER}/ifcfg-{name}", text(settings).encode())
    if settings.gateways:
        plan.write(f"{stacks.SUSE_FOLDER}/ifroute-{name}", routes(settings).encode())
    before = tree.read_text(plan, CONFIG_PATH) or ""
    plan.write_text(CONFIG_PATH, config(before, settings))
    services.switch_on(plan, service)


def _remove_others(plan: Plan, name: str) -> None:
    for file in tree.names_in(plan, stacks.SUSE_FOLDER):
        stale = file.startswith("ifroute-") or file in stacks.ifcfg_names(plan, stacks.SUSE_FOLDER)
        if stale and file not in (f"ifcfg-{name}", f"ifroute-{name}"):
            plan.remove(f"{stacks.SUSE_FOLDER}/{file}")
    text_of_routes = tree.read_text(plan, ROUTES_PATH)
    if text_of_routes:
        kept = [line for line in text_of_routes.splitlines() if not line.startswith("default")]
        plan.write_text(ROUTES_PATH, "".join(f"{line}\n" for line in kept))


def text(settings: Settings) -> str:
    """Return the ifcfg file of an interface."""
    lines = ["# Written by voc.cluster.", f"BOOTPROTO='{'dhcp' if settings.dhcp else 'static'}'", "STARTMODE='auto'"]
    # What comes of the MAC by RFC 2132; wicked's own default is made of the machine-id. Others pass it over.
    lines += ["DHCLIENT_CREATE_CID='rfc2132'"] if settings.dhcp else []
    for number, address in enumerate(settings.addresses):
        lines.append(f"IPADDR{f'_{number}' if number else ''}='{address}'")
    lines += [f"MTU='{settings.mtu}'"] if settings.mtu else []
    return "\n".join(lines) + "\n"


def routes(settings: Settings) -> str:
    """Return the routes of an interface: destination, gateway, netmask, interface."""
    return "# Written by voc.cluster.\n" + "".join(f"default {gateway} - -\n" for gateway in settings.gateways)


def config(before: str, settings: Settings) -> str:
    """Return netconfig's settings with the name servers that are wanted."""
    wanted = {}
    if settings.dns:
        wanted["NETCONFIG_DNS_STATIC_SERVERS"] = " ".join(map(str, settings.dns))
        wanted["NETCONFIG_DNS_POLICY"] = "STATIC"
    if settings.search:
        wanted["NETCONFIG_DNS_STATIC_SEARCHLIST"] = " ".join(settings.search)
    kept = [line for line in before.splitlines() if not re.match(rf"\s*({'|'.join(wanted) or '(?!)'})\s*=", line)]
    return "".join(f"{line}\n" for line in [*kept, *(f'{key}="{value}"' for key, value in wanted.items())])


__all__ = ["CONFIG_PATH", "ROUTES_PATH", "config", "routes", "text", "write"]
