# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What ties a network's configuration to the MAC addresses of one machine.

Configuration is changed line by line, so that what a person wrote around it stays.
"""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep

_RULES = "/etc/udev/rules.d"
_GENERATORS = ("75-persistent-net-generator.rules", "75-cd-aliases-generator.rules")
_IFCFG_FOLDERS = ("/etc/sysconfig/network-scripts", "/etc/sysconfig/network")
_KEYFILES = "/etc/NetworkManager/system-connections"
_NETWORKD = "/etc/systemd/network"
_INTERFACES = "/etc/network/interfaces"


def _persistent_net_rules(sweep: Sweep) -> None:
    sweep.remove_matching(_RULES, r"\d+-persistent-(net|cd)\.rules")
    for name in _GENERATORS:
        if any(sweep.is_there(f"{folder}/{name}") for folder in ("/lib/udev/rules.d", "/usr/lib/udev/rules.d")):
            # A file of the same name in /etc wins, and this one is empty (man 7 udev).
            sweep.link(f"{_RULES}/{name}", "/dev/null")


def _ifcfg(sweep: Sweep) -> None:
    for folder in _IFCFG_FOLDERS:
        for name in sweep.names(folder):
            if re.fullmatch(r"ifcfg-[^~]+", name) and name != "ifcfg-lo" and not name.endswith((".bak", ".orig")):
                sweep.rewrite(f"{folder}/{name}", unpin_ifcfg)


def unpin_ifcfg(text: str) -> str:
    """Return an ifcfg file without the MAC it is for or gives, and without the identity of its connection."""
    return re.sub(r"(?m)^[ \t]*(?:export[ \t]+)?(?:HWADDR|MACADDR|LLADDR|UUID)=.*(?:\n|\Z)", "", text)


def _networkmanager(sweep: Sweep) -> None:
    for name in sweep.names(_KEYFILES):
        sweep.rewrite(f"{_KEYFILES}/{name}", unpin_keyfile)
    # The key of stable private addresses, and what it remembers of networks (man 8 NetworkManager, "FILES").
    sweep.remove(*(f"/var/lib/NetworkManager/{name}" for name in ("secret_key", "seen-bssids", "timestamps")))


def unpin_keyfile(text: str) -> str:
    """Return a keyfile of NetworkManager without MACs and the UUID of its connection; it then makes one of the path."""
    lines, section = [], ""
    for line in text.splitlines(keepends=True):
        header = re.match(r"\s*\[(.*)\]", line)
        section = header.group(1) if header else section
        key = line.partition("=")[0].strip()
        pinned = (section == "connection" and key == "uuid") or key in ("mac-address", "cloned-mac-address")
        if not (pinned and "=" in line):
            lines.append(line)
    return "".join(lines)


def _netplan(sweep: Sweep) -> None:
    for name in sweep.names("/etc/netplan"):
        if name.endswith((".yaml", ".yml")):
            sweep.rewrite(f"/etc/netplan/{name}", unpin_netplan)


_MAC = r"""["']?(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}["']?"""
_BLOCK_PIN = re.compile(rf"^\s*(?:macaddress:\s*{_MAC}|set-name:\s*\S+)\s*(?:#.*)?$")
_FLOW_PIN = re.compile(rf"(?:macaddress:\s*{_MAC}|set-name:\s*[^,}}\s]+)\s*,?\s*")
_EMPTY_FLOW = re.compile(r"^\s*match:\s*\{\s*\}\s*$")


def unpin_netplan(text: str) -> str:
    """Return a netplan file without MACs and set-name; a match that says nothing else goes, too.

    Then an interface is found by the name of its entry.
    """
    if not re.search(r"macaddress:|set-name:", text):
        return text
    kept = [line for line in text.splitlines(keepends=True) if not _BLOCK_PIN.match(line)]
    kept = [_unpin_flow(line) if "{" in line else line for line in kept]
    return "".join(_without_empty_matches(kept))


def _unpin_flow(line: str) -> str:
    """Return a line of YAML in flow style without its pins."""
    free = _FLOW_PIN.sub("", line)
    if free == line or _EMPTY_FLOW.match(free):
        return free
    return re.sub(r",\s*}", "}", re.sub(r"\bmatch:\s*\{\s*\}\s*,?\s*", "", free))


def _without_empty_matches(lines: list[str]) -> list[str]:
    kept = []
    below = ""  # the next line that says something
    for line in reversed(lines):
        if not _says_nothing(line, below):
            kept.append(line)
        if line.strip() and not line.lstrip().startswith("#"):
            below = line
    return kept[::-1]


def _says_nothing(line: str, below: str) -> bool:
    """Say whether a line is a match without anything in it, by what is below it."""
    if _EMPTY_FLOW.match(line):
        return True
    if not re.match(r"^\s*match:\s*(?:#.*)?$", line):
        return False
    return _indent(below) <= _indent(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _networkd(sweep: Sweep) -> None:
    for name in sweep.names(_NETWORKD):
        path = f"{_NETWORKD}/{name}"
        if name.endswith(".link") and _matches_mac(sweep.text(path) or ""):
            sweep.remove(path)
        elif name.endswith(".network"):
            sweep.rewrite(path, unpin_network)


def _matches_mac(text: str) -> bool:
    return re.search(r"(?mi)^[ \t]*(?:Permanent)?MACAddress[ \t]*=", text) is not None


def unpin_network(text: str) -> str:
    """Return a .network file without MACs; one that matched by nothing else then matches every Ethernet."""
    if not _matches_mac(text):
        return text
    text = re.sub(r"(?mi)^[ \t]*(?:Permanent)?MACAddress[ \t]*=.*(?:\n|\Z)", "", text)
    return re.sub(r"(?m)^\[Match\][ \t]*\n(?=\s*(?:\[|\Z))", "[Match]\nType=ether\n", text)


def _interfaces(sweep: Sweep) -> None:
    below = (f"{_INTERFACES}.d/{name}" for name in sweep.names(f"{_INTERFACES}.d"))
    for path in (_INTERFACES, *below):
        sweep.rewrite(path, unpin_interfaces)


def unpin_interfaces(text: str) -> str:
    """Return a file of interfaces (man 5 interfaces) without MACs."""
    return re.sub(r"(?m)^[ \t]*hwaddress[ \t].*(?:\n|\Z)", "", text)


def _dhcp_leases(sweep: Sweep) -> None:
    # The leases of a DHCP server are not among them: it does not start without its file.
    for folder in (
        "/var/lib/dhcp",
        "/var/lib/dhcp3",
        "/var/lib/dhclient",
        "/var/lib/NetworkManager",
        "/var/lib/udhcpc",
    ):
        sweep.remove_matching(folder, r"(?!dhcpd).*\.leases?6?~?")
    for folder in ("/var/lib/dhcpcd", "/var/lib/dhcpcd5", "/var/db/dhcpcd"):
        sweep.remove_matching(folder, r".*\.lease6?|duid|secret")
    sweep.remove("/etc/dhcpcd.duid", "/etc/dhcpcd.secret")
    sweep.remove_matching("/var/lib/wicked", r"(lease|duid|iaid|state)\b.*\.xml")


OPERATIONS = (
    Operation("persistent-net-rules", "they tie eth0 to the MAC of another machine", _persistent_net_rules),
    Operation("ifcfg-pinning", "HWADDR and UUID tie a configuration to the network card of another machine", _ifcfg),
    Operation("networkmanager-pinning", "profiles with a MAC or UUID are those of another machine", _networkmanager),
    Operation("netplan-pinning", "a match by MAC fits no instance", _netplan),
    Operation("networkd-pinning", "files for one MAC fit no instance", _networkd),
    Operation("interfaces-pinning", "hwaddress gives all instances the same MAC", _interfaces),
    Operation("dhcp-leases", "they ask for the address of another machine, or by its identity", _dhcp_leases),
)

__all__ = [
    "OPERATIONS",
    "unpin_ifcfg",
    "unpin_interfaces",
    "unpin_keyfile",
    "unpin_netplan",
    "unpin_network",
]
