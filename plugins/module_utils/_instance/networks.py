# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""DHCP reservations of a libvirt network: what has to be changed, and changing it while the network is used.

Source of the format: libvirt, formatnetwork.html.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree import ElementTree

try:
    import libvirt
except ImportError:
    libvirt = None  # said by domains.opened

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import look_up, opened, translated


@dataclass(frozen=True, order=True)
class Reservation:
    """An address of IPv4 that is kept for the interface with a MAC.

    Attributes:
        name: what the DHCP server calls the host; empty for nothing.
    """

    ip: str
    mac: str
    name: str = ""


@dataclass(frozen=True)
class Changes:
    """What has to be done; a reservation that changes is removed and added."""

    remove: tuple[Reservation, ...]
    add: tuple[Reservation, ...]


class Network:
    """A network of one hypervisor's libvirt."""

    def __init__(self, network: t.Any) -> None:
        """Take a network as libvirt's binding has it."""
        self._network = network

    def states(self) -> dict[int, str]:
        """Return the network's XML as it is now, and as it will be when it is started anew, by libvirt's flags."""
        found = {}
        if self._network.isActive():
            found[libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE] = self._network.XMLDesc(0)
        if self._network.isPersistent():
            found[libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG] = self._network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
        return found

    def update(self, state: int, xml: str, changes: Changes) -> None:
        """Make changes to one of the states.

        Raises:
            InputError: the network has no such address.
            ToolError: libvirt refuses one.
        """
        # Removed first: an address may go from one host to another.
        commands = [(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, each) for each in changes.remove]
        commands += [(libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, each) for each in changes.add]
        for command, each in commands:
            place = subnet(xml, each)
            with translated(f"libvirt refused {each.ip} for {each.mac}", where=self._network.name()):
                self._network.update(command, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, place, _host(each), state)


def read(xml: str) -> list[Reservation]:
    """Return the reservations of a network that are for MACs."""
    hosts = ElementTree.fromstring(xml).findall("ip/dhcp/host")
    return [
        Reservation(host.get("ip", ""), host.get("mac", "").lower(), host.get("name", ""))
        for host in hosts
        if host.get("mac")
    ]


def subnet(xml: str, reservation: Reservation) -> int:
    """Return which of a network's subnets an address belongs to, counted from 0.

    Raises:
        InputError: none of them.
    """
    try:
        address = ipaddress.IPv4Address(reservation.ip)
    except ValueError:
        raise InputError(f"{reservation.ip!r} is no address of IPv4", where=reservation.mac) from None
    for number, element in enumerate(ElementTree.fromstring(xml).findall("ip")):
        length = element.get("prefix") or element.get("netmask") or "32"
        if element.get("family", "ipv4") != "ipv4":
            continue
        if address in ipaddress.IPv4Network(f"{element.get('address')}/{length}", strict=False):
            return number
    raise InputError(
        f"no subnet of the network has the address {address}",
        where=reservation.name or reservation.mac,
        hint="give the network in libvirt an address with that subnet, or choose another network",
    )


def plan(present: Sequence[Reservation], wanted: Sequence[Reservation], *, exclusive: bool) -> Changes:
    """Return what has to be changed.

    Args:
        exclusive: whether all others are removed; else those that share a MAC, an address or a name.

    Raises:
        InputError: two of those that are wanted share one.
    """
    taken: dict[str, Reservation] = {}
    for each in wanted:
        for key in _keys(each):
            other = taken.setdefault(key, each)
            if other != each:
                raise InputError(f"{other.name or other.mac} and {each.name or each.mac} would both have {key}")
    remove = [
        each for each in present if each not in wanted and (exclusive or any(key in taken for key in _keys(each)))
    ]
    return Changes(tuple(sorted(remove)), tuple(sorted(set(wanted).difference(present))))


@contextmanager
def connect(uri: str, name: str) -> Iterator[Network]:
    """Give a network of a hypervisor's libvirt.

    Raises:
        InputError: there is none of that name.
        ToolError: libvirt failed, cannot be reached, or its binding is not installed.
    """
    with opened(uri) as connection:
        network = look_up(connection.networkLookupByName, name, libvirt.VIR_ERR_NO_NETWORK)
        if network is None:
            raise InputError(f"libvirt has no network {name}", where=uri, hint="define it first")
        yield Network(network)


def _keys(reservation: Reservation) -> tuple[str, ...]:
    keys = (reservation.mac, reservation.ip, reservation.name)
    return tuple(filter(None, keys))


def _host(reservation: Reservation) -> str:
    name = {"name": reservation.name} if reservation.name else {}
    element = ElementTree.Element("host", {"mac": reservation.mac, **name, "ip": reservation.ip})
    return ElementTree.tostring(element, encoding="unicode")


__all__ = ["Changes", "Network", "Reservation", "connect", "plan", "read", "subnet"]
