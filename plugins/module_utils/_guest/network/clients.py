# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""DHCP clients that ifupdown and network scripts start: the MAC as identifier, and the site's name servers.

Busybox's udhcpc sends the MAC by itself, as the dhcpcd of SLES 11 does; ISC's
dhclient sends nothing, and later dhcpcd a DUID, unless they are told.
"""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import Anchor, Markers, with_block
from ansible_collections.voc.cluster.plugins.module_utils._guest.names import dhclient_supersedes, keep_udhcpc_off
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_CLIENTS = ("dhclient", "udhcpc", "pump", "dhcpcd", "dhcpcd5")
_FOLDERS = ("/sbin", "/usr/sbin", "/bin", "/usr/bin")
# Debian since 7 and EL since 6, Debian 6; before, and in EL 5, it was in /etc itself.
_DHCLIENT_FOLDERS = ("/etc/dhcp", "/etc/dhcp3")
_DHCPCD_PATH = "/etc/dhcpcd.conf"
_MARKERS = Markers.of("# {mark} voc.cluster network")


def installed(view: View) -> list[str]:
    """Return the clients that a guest has."""
    return [name for name in _CLIENTS if any(tree.exists(view, f"{folder}/{name}") for folder in _FOLDERS)]


def configure(plan: Plan, settings: Settings) -> None:
    """Tell every client of the guest what is wanted."""
    found = installed(plan)
    if "dhclient" in found:
        folder = next((folder for folder in _DHCLIENT_FOLDERS if tree.exists(plan, folder)), "/etc")
        path = f"{folder}/dhclient.conf"
        plan.write_text(path, dhclient(tree.read_text(plan, path) or "", settings))
    # The older ones have neither this file nor another default.
    if tree.exists(plan, _DHCPCD_PATH):
        text = dhcpcd(tree.read_text(plan, _DHCPCD_PATH) or "", settings)
        plan.write_text(_DHCPCD_PATH, text)
    if "udhcpc" in found and settings.dns:
        keep_udhcpc_off(plan)


def dhclient(text: str, settings: Settings) -> str:
    """Return the configuration of ISC's client (man 5 dhclient.conf)."""
    supersedes = dhclient_supersedes([str(server) for server in settings.dns], settings.search)
    return with_block(text, _MARKERS, f"send dhcp-client-identifier = hardware;\n{supersedes}", Anchor())


def dhcpcd(text: str, settings: Settings) -> str:
    """Return the configuration of dhcpcd (man 5 dhcpcd.conf); of its two identifiers the other one goes."""
    lines = ["clientid"]
    for version, option in ((4, "domain_name_servers"), (6, "dhcp6_name_servers")):
        servers = " ".join(str(server) for server in settings.dns if server.version == version)
        lines += [f"static {option}={servers}"] if servers else []
    if settings.search:
        lines.append(f"static domain_search={' '.join(settings.search)}")
    others = re.sub(r"^(duid|clientid)\b", r"#\1", with_block(text, _MARKERS, "", Anchor()), flags=re.MULTILINE)
    return with_block(others, _MARKERS, "\n".join(lines), Anchor())


__all__ = ["configure", "dhclient", "dhcpcd", "installed"]
