# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What else would configure a guest's interfaces: found and switched off, so that one stack alone does."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import ifupdown, netplan, services, stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest

CLOUD_INIT_PATH = "/etc/cloud/cloud.cfg.d/99-voc-cluster-network.cfg"
_CLOUD_INIT = b"# Written by voc.cluster, which has configured the network.\nnetwork: {config: disabled}\n"
_DAEMONS = ("dhcpcd", "connman", "netctl-auto", "ifplugd")


def switch_off(plan: Plan, guest: Guest, chosen: str) -> None:
    """Switch off all other stacks of a guest, single DHCP daemons, and the network part of cloud-init."""
    kept = {chosen}
    if chosen == "netplan":
        kept |= {netplan.renderer_of(guest) or chosen}
    for name in guest.network_stacks:
        if name not in kept:
            _OFF[name](plan)
    for name in _DAEMONS:
        services.switch_off(plan, name)
    _netctl_profiles(plan)
    if guest.cloud_init:
        plan.write(CLOUD_INIT_PATH, _CLOUD_INIT)


def _netplan(plan: Plan) -> None:
    # Its generator writes for what the files say at every boot; without any it does nothing.
    for folder in stacks.NETPLAN_FOLDERS:
        for name in filter(stacks.is_netplan_file, tree.names_in(plan, folder)):
            plan.remove(f"{folder}/{name}")


def _ifupdown(plan: Plan) -> None:
    # Emptied, too: udev starts it without the service, and NetworkManager leaves alone what it names.
    ifupdown.strip(plan)
    if systemd.find_unit(plan, "networking.service"):
        services.switch_off(plan, "networking")  # systemd brings up the loopback by itself


def _networkmanager(plan: Plan) -> None:
    for name in ("NetworkManager", "NetworkManager-wait-online", "network-manager"):
        services.switch_off(plan, name)


def _networkd(plan: Plan) -> None:
    for name in ("systemd-networkd", "systemd-networkd-wait-online"):
        services.switch_off(plan, name)
    if systemd.find_unit(plan, "systemd-networkd.socket"):
        systemd.disable(plan, "systemd-networkd.socket")
        systemd.mask(plan, "systemd-networkd.socket")


def _wicked(plan: Plan) -> None:
    services.switch_off(plan, "wicked")


def _ifcfg(plan: Plan) -> None:
    services.switch_off(plan, "network")


_OFF: dict[str, Callable[[Plan], None]] = {
    "netplan": _netplan,
    "ifupdown": _ifupdown,
    "networkmanager": _networkmanager,
    "networkd": _networkd,
    "wicked": _wicked,
    "ifcfg": _ifcfg,
}


def _netctl_profiles(plan: Plan) -> None:
    """Switch off the profiles of Arch's netctl, each of which is a unit of its own."""
    folder = f"{systemd.ADMIN_FOLDER}/multi-user.target.wants"
    for name in tree.names_in(plan, folder):
        if name.startswith("netctl@"):
            plan.remove(f"{folder}/{name}")


__all__ = ["CLOUD_INIT_PATH", "switch_off"]
