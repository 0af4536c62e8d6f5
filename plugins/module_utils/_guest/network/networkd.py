# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""systemd-networkd (man 5 systemd.network)."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names, resolver, services, stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest

# The first file that matches an interface is the one that counts.
PATH = f"{stacks.NETWORKD_FOLDER}/10-voc-cluster.network"


def write(plan: Plan, settings: Settings, guest: Guest) -> None:
    """Let networkd have the interfaces, and systemd-resolved their name servers."""
    for name in tree.names_in(plan, stacks.NETWORKD_FOLDER):
        if name.endswith(".network"):
            plan.remove(f"{stacks.NETWORKD_FOLDER}/{name}")
    # The section of DHCP had another name before systemd 243.
    section = "DHCPv4" if (guest.init_version or 243) >= 243 else "DHCP"
    plan.write(PATH, text(settings, section).encode())
    if settings.first:
        names.keep_kernels_own(plan)
    services.switch_on(plan, stacks.SERVICES["networkd"])
    resolver.give_to_resolved(plan, settings)


def text(settings: Settings, section: str = "DHCPv4") -> str:
    """Return the file of a network."""
    lines = ["# Written by voc.cluster.", "[Match]", *_match(settings)]
    if settings.mtu:
        lines += ["", "[Link]", f"MTUBytes={settings.mtu}"]
    lines += ["", "[Network]"]
    if settings.dhcp:
        lines.append("DHCP=yes")
    lines += [f"Address={address}" for address in settings.addresses]
    lines += [f"Gateway={gateway}" for gateway in settings.gateways]
    lines += [f"DNS={server}" for server in settings.dns]
    if settings.search:
        lines.append(f"Domains={' '.join(settings.search)}")
    if settings.dhcp:
        # Reservations are by MAC. By default it is a hash of the machine-id, which is new with every instance.
        lines += ["", f"[{section}]", "ClientIdentifier=mac"]
        lines += ["UseDNS=false"] if settings.dns else []
    return "\n".join(lines) + "\n"


def _match(settings: Settings) -> list[str]:
    if settings.mac:
        return [f"MACAddress={settings.mac}"]
    # Bridges, bonds and the like are Ethernet, too, but have a kind.
    return [f"Name={settings.name}"] if settings.name else ["Type=ether", "Kind=!*"]


__all__ = ["PATH", "text", "write"]
