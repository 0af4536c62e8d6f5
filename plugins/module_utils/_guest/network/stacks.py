# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which network stacks a guest has, and which of them is in charge."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import startup
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

INTERFACES = "/etc/network/interfaces"
NETPLAN_FOLDERS = ("/etc/netplan", "/usr/lib/netplan", "/lib/netplan")
KEYFILE_FOLDER = "/etc/NetworkManager/system-connections"
NETWORKD_FOLDER = "/etc/systemd/network"
EL_FOLDER = "/etc/sysconfig/network-scripts"
SUSE_FOLDER = "/etc/sysconfig/network"

NAMES = ("netplan", "ifupdown", "wicked", "networkmanager", "ifcfg", "networkd")

# Where one of two that are equally in charge gets the interfaces, it stands first: netplan writes for
# others, and NetworkManager leaves alone what ifupdown has.
_PROGRAMS = {
    "netplan": ("/usr/sbin/netplan",),
    "ifupdown": ("/sbin/ifup", "/usr/sbin/ifup"),
    "wicked": ("/usr/sbin/wicked",),
    "networkmanager": ("/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"),
    "ifcfg": ("/sbin/ifup", "/usr/sbin/ifup"),
    "networkd": ("/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"),
}
SERVICES = {
    "ifupdown": "networking",
    "wicked": "wicked",
    "networkmanager": "NetworkManager",
    "ifcfg": "network",
    "networkd": "systemd-networkd",
}
_GENERATORS = ("/usr/lib/systemd/system-generators/netplan", "/lib/systemd/system-generators/netplan")
_OTHER_THAN_LOOPBACK = re.compile(r"^[ \t]*iface[ \t]+(?!lo\s)\S", re.MULTILINE)


@dataclass(frozen=True)
class Stack:
    """A network stack that is installed.

    Attributes:
        name: one of `NAMES`.
        started: whether it starts at boot.
        configured: whether it has been told about an interface other than the loopback.
    """

    name: str
    started: bool
    configured: bool


def find(view: View) -> tuple[Stack, ...]:
    """Return the stacks that a guest has; the one in charge, or nearest to that, is the first."""
    found = [_look(view, name) for name in NAMES if _is_installed(view, name)]
    return tuple(sorted(found, key=lambda stack: (stack.started and stack.configured, stack.started), reverse=True))


def is_netplan_file(name: str) -> bool:
    """Say whether netplan reads a file of this name."""
    return name.endswith(".yaml")


def ifcfg_names(view: View, folder: str) -> list[str]:
    """Return the files of a folder that configure interfaces other than the loopback."""
    return [name for name in tree.names_in(view, folder) if name.startswith("ifcfg-") and name != "ifcfg-lo"]


def interface_files(view: View) -> list[str]:
    """Return the paths of ifupdown's files: the first, and those in its folder."""
    return [INTERFACES, *(f"{INTERFACES}.d/{name}" for name in tree.names_in(view, f"{INTERFACES}.d"))]


def _look(view: View, name: str) -> Stack:
    if name == "netplan":
        started = any(tree.exists(view, path) for path in _GENERATORS)
    else:
        started = startup.is_started(view, SERVICES[name])
    return Stack(name, started, any(_configurations(view, name)))


def _is_installed(view: View, name: str) -> bool:
    if not any(tree.exists(view, path) for path in _PROGRAMS[name]):
        return False
    if name == "ifupdown":
        return tree.exists(view, posixpath.dirname(INTERFACES))
    if name == "ifcfg":
        own = tree.exists(view, f"{EL_FOLDER}/ifup-eth") or tree.exists(view, SUSE_FOLDER)
        return own and not tree.exists(view, "/usr/sbin/wicked")
    return True


def _configurations(view: View, name: str) -> Iterator[str]:
    """Yield what tells a stack about interfaces."""
    if name == "netplan":
        for folder in NETPLAN_FOLDERS:
            yield from filter(is_netplan_file, tree.names_in(view, folder))
    elif name == "ifupdown":
        texts = (tree.read_text(view, path) or "" for path in interface_files(view))
        yield from filter(_OTHER_THAN_LOOPBACK.search, texts)
    elif name in ("wicked", "ifcfg"):
        for folder in (EL_FOLDER, SUSE_FOLDER):
            yield from ifcfg_names(view, folder)
    elif name == "networkd":
        yield from (file for file in tree.names_in(view, NETWORKD_FOLDER) if file.endswith(".network"))
    else:
        yield name  # NetworkManager takes every interface that nobody told it about


__all__ = [
    "EL_FOLDER",
    "INTERFACES",
    "KEYFILE_FOLDER",
    "NAMES",
    "NETPLAN_FOLDERS",
    "NETWORKD_FOLDER",
    "SERVICES",
    "SUSE_FOLDER",
    "Stack",
    "find",
    "ifcfg_names",
    "interface_files",
    "is_netplan_file",
]
