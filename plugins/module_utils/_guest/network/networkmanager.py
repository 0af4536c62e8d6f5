# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""NetworkManager's keyfiles (man 5 nm-settings-keyfile)."""

from __future__ import annotations

import re
import uuid

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import services, stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

PATH = f"{stacks.KEYFILE_FOLDER}/voc-cluster.nmconnection"
# Names of files for which Ubuntu and Debian leave Ethernet to others; an empty one in /etc takes its place.
_UNMANAGING = "10-globally-managed-devices.conf"
_ETHERNET = re.compile(r"^[ \t]*type[ \t]*=[ \t]*(ethernet|802-3-ethernet)\s*$", re.MULTILINE)
# The same in all images: a profile is known by it, and none that was made elsewhere has it.
_UUID = uuid.uuid5(uuid.NAMESPACE_DNS, "network.cluster.voc")


def write(plan: Plan, settings: Settings, guest: Guest) -> None:
    """Let NetworkManager have the interfaces, by one profile that no other one takes the place of."""
    del guest  # all versions read this
    for name in tree.names_in(plan, stacks.KEYFILE_FOLDER):
        path = f"{stacks.KEYFILE_FOLDER}/{name}"
        if path != PATH and _ETHERNET.search(tree.read_text(plan, path) or ""):
            plan.remove(path)
    # Until EL 9 it reads these, too.
    for name in stacks.ifcfg_names(plan, stacks.EL_FOLDER):
        plan.remove(f"{stacks.EL_FOLDER}/{name}")
    for folder in ("/usr/lib/NetworkManager/conf.d", "/lib/NetworkManager/conf.d"):
        if tree.exists(plan, f"{folder}/{_UNMANAGING}"):
            plan.write(f"/etc/NetworkManager/conf.d/{_UNMANAGING}", b"")
    # It may hold secrets for all that NetworkManager knows: others are not read.
    plan.write(PATH, text(settings).encode(), Attributes(0o600))
    services.switch_on(plan, stacks.SERVICES["networkmanager"])


def text(settings: Settings) -> str:
    """Return the profile."""
    lines = ["# Written by voc.cluster.", "[connection]", "id=voc-cluster", f"uuid={_UUID}", "type=ethernet"]
    # Without any it takes the first that comes.
    if settings.interface:
        lines.append(f"interface-name={settings.interface}")
    # 3: as often as there are interfaces that it fits.
    lines += ["autoconnect-priority=100", *(["multi-connect=3"] if settings.every else [])]
    lines += ["", "[ethernet]"]
    lines += [f"mac-address={settings.mac.upper()}"] if settings.mac else []
    lines += [f"mtu={settings.mtu}"] if settings.mtu else []
    for version in (4, 6):
        lines += ["", f"[ipv{version}]", *_protocol(settings, version)]
    return "\n".join(lines) + "\n"


def _protocol(settings: Settings, version: int) -> list[str]:
    addresses, gateway = settings.addresses_of(version), settings.gateway(version)
    # Lists end with a semicolon.
    dns = "".join(f"{server};" for server in settings.dns if server.version == version)
    search = "".join(f"{domain};" for domain in settings.search)
    none = "disabled" if version == 4 else "ignore"
    method = "auto" if settings.dhcp else "manual" if addresses else none
    lines = [f"method={method}"]
    lines += [f"address{number}={address}" for number, address in enumerate(addresses, start=1)]
    lines += [f"gateway={gateway}"] if gateway else []
    lines += [f"dns={dns}"] if dns and method != none else []
    lines += ["ignore-auto-dns=true"] if settings.dns and settings.dhcp else []
    lines += [f"dns-search={search}"] if search and method != none else []
    lines += ["dhcp-client-id=mac"] if settings.dhcp and version == 4 else []
    return lines


__all__ = ["PATH", "text", "write"]
