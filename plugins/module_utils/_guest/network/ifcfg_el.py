# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Network scripts and their ifcfg files, as EL has them (initscripts, sysconfig.txt)."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import (
    clients,
    names,
    resolver,
    services,
    stacks,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import FIRST, Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

NETWORKING_PATH = "/etc/sysconfig/network"


def write(plan: Plan, settings: Settings) -> None:
    """Let the network scripts have one interface, the first unless another is wanted."""
    name = settings.interface or FIRST
    for file in stacks.ifcfg_names(plan, stacks.EL_FOLDER):
        if file != f"ifcfg-{name}":
            plan.remove(f"{stacks.EL_FOLDER}/{file}")
    if not settings.interface:
        names.keep_kernels_own(plan)
    plan.write(f"{stacks.EL_FOLDER}/ifcfg-{name}", text(settings, name).encode())
    before = tree.read_text(plan, NETWORKING_PATH) or ""
    plan.write_text(NETWORKING_PATH, networking(before))
    if settings.dhcp:
        clients.configure(plan, settings)
    resolver.write_down(plan, settings)
    services.switch_on(plan, stacks.SERVICES["ifcfg"])


def text(settings: Settings, name: str) -> str:
    """Return the ifcfg file of an interface."""
    lines = ["# Written by voc.cluster.", f"DEVICE={name}", "TYPE=Ethernet", "ONBOOT=yes", "NM_CONTROLLED=no"]
    lines += [f"HWADDR={settings.mac.upper()}"] if settings.mac else []
    lines.append(f"BOOTPROTO={'dhcp' if settings.dhcp else 'none'}")
    for number, address in enumerate(settings.addresses_of(4)):
        suffix = str(number) if number else ""
        # EL 5 knows no prefix, and later ones take either.
        lines += [f"IPADDR{suffix}={address.ip}", f"NETMASK{suffix}={address.netmask}"]
    gateway = settings.gateway(4)
    lines += [f"GATEWAY={gateway}"] if gateway else []
    lines += _version_6(settings)
    lines += [f"MTU={settings.mtu}"] if settings.mtu else []
    lines += ["PEERDNS=no"] if settings.dns else []
    return "\n".join(lines) + "\n"


def _version_6(settings: Settings) -> list[str]:
    addresses, gateway = settings.addresses_of(6), settings.gateway(6)
    if not addresses:
        return []
    lines = ["IPV6INIT=yes", "IPV6_AUTOCONF=no", f"IPV6ADDR={addresses[0]}"]
    lines += [f'IPV6ADDR_SECONDARIES="{" ".join(map(str, addresses[1:]))}"'] if addresses[1:] else []
    return lines + ([f"IPV6_DEFAULTGW={gateway}"] if gateway else [])


def networking(before: str) -> str:
    """Return the file that says for all interfaces; a gateway there would be another machine's."""
    kept = [line for line in before.splitlines() if not re.match(r"\s*(NETWORKING|GATEWAY|GATEWAYDEV)\s*=", line)]
    return "\n".join(["NETWORKING=yes", *kept]) + "\n"


__all__ = ["NETWORKING_PATH", "networking", "text", "write"]
