# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""netplan (netplan.io, YAML reference); it writes at boot for networkd or NetworkManager."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names, resolver, services, stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

PATH = "/etc/netplan/90-voc-cluster.yaml"
# The way for NetworkManager: netplan passes the client identifier only to networkd.
MANAGER_PATH = "/etc/NetworkManager/conf.d/90-voc-cluster.conf"
_MANAGER = """\
# Written by voc.cluster: reservations are by MAC.
[connection-voc-cluster]
match-device=type:ethernet
ipv4.dhcp-client-id=mac
"""


def renderer_of(guest: Guest) -> str | None:
    """Return the stack that netplan would write for."""
    return next((name for name in ("networkd", "networkmanager") if name in guest.network_stacks), None)


def write(plan: Plan, settings: Settings, guest: Guest) -> None:
    """Let netplan have the interfaces.

    Raises:
        GuestError: there is nothing that it could write for.
    """
    renderer = renderer_of(guest)
    if renderer is None:
        raise GuestError(
            "netplan needs networkd or NetworkManager, and the guest has neither",
            hint="install one of them in the guest, or choose another stack",
        )
    for folder in stacks.NETPLAN_FOLDERS:
        for name in filter(stacks.is_netplan_file, tree.names_in(plan, folder)):
            if f"{folder}/{name}" != PATH:
                plan.remove(f"{folder}/{name}")
    plan.write(PATH, text(settings, renderer).encode(), Attributes(0o600))
    if renderer == "networkmanager" and settings.dhcp:
        plan.write(MANAGER_PATH, _MANAGER.encode())
    if settings.first:
        names.keep_kernels_own(plan)
    services.switch_on(plan, stacks.SERVICES[renderer])
    if renderer == "networkd":
        resolver.give_to_resolved(plan, settings)


def text(settings: Settings, renderer: str = "networkd") -> str:
    """Return the file, whose values JSON could hold, too; so they need no quotes of YAML's own."""
    name = "NetworkManager" if renderer == "networkmanager" else renderer
    lines = ["# Written by voc.cluster.", "network:", "  version: 2", f"  renderer: {name}", "  ethernets:"]
    if settings.name:
        lines.append(f"    {settings.name}:")
    else:
        match = f'macaddress: "{settings.mac}"' if settings.mac else 'name: "e*"'
        lines += ["    voc:", f"      match: {{{match}}}"]
    lines.append(f"      dhcp4: {str(settings.dhcp).lower()}")
    if settings.dhcp:
        lines += ["      dhcp6: true"]
        lines += ["      dhcp-identifier: mac"] if renderer == "networkd" else []
        # For networkd they must be the same (netplan 1.1 says so).
        lines += [f"      dhcp{version}-overrides: {{use-dns: false}}" for version in (4, 6) if settings.dns]
    lines += [f"      addresses: [{_list(settings.addresses)}]"] if settings.addresses else []
    # Routes, because gateway4 and gateway6 are deprecated and "default" is newer than Ubuntu 18.04.
    routes = [f'{{to: "{"0.0.0.0/0" if each.version == 4 else "::/0"}", via: "{each}"}}' for each in settings.gateways]
    lines += [f"      routes: [{', '.join(routes)}]"] if routes else []
    servers = [f"addresses: [{_list(settings.dns)}]"] if settings.dns else []
    domains = [f"search: [{_list(settings.search)}]"] if settings.search else []
    if servers or domains:
        lines.append(f"      nameservers: {{{', '.join([*servers, *domains])}}}")
    lines += [f"      mtu: {settings.mtu}"] if settings.mtu else []
    return "\n".join(lines) + "\n"


def _list(values: tuple[object, ...]) -> str:
    return ", ".join(f'"{value}"' for value in values)


__all__ = ["MANAGER_PATH", "PATH", "text", "write"]
