# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a site wants of a guest's network, checked once for all writers."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import stacks

Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

FIRST = "eth0"  # the kernel's own name of the first Ethernet interface

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,14}")  # of an interface: linux/if.h, IFNAMSIZ
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_MTU = range(576, 65536)  # RFC 791: what every host must take; the length field's end

ARGUMENT_SPEC: dict[str, t.Any] = {
    "method": {"type": "str", "choices": ["dhcp", "static"], "default": "dhcp"},
    "stack": {"type": "str", "choices": ["auto", *sorted(stacks.NAMES)], "default": "auto"},
    "mac": {"type": "str"},
    "interface": {"type": "str"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "gateways": {"type": "list", "elements": "str", "default": []},
    "dns": {"type": "list", "elements": "str", "default": []},
    "search": {"type": "list", "elements": "str", "default": []},
    "mtu": {"type": "int"},
}


@dataclass(frozen=True)
class Settings:
    """How interfaces get their addresses.

    Attributes:
        mac: the one interface that is meant, in lower case with colons; None for others.
        interface: the same by its name. With neither, DHCP means all of them and static the first.
        addresses: with the lengths of their networks' prefixes; none with DHCP.
        mtu: bytes; None for what the network or the driver says.
    """

    method: str = "dhcp"
    mac: str | None = None
    interface: str | None = None
    addresses: tuple[Interface, ...] = ()
    gateways: tuple[Address, ...] = ()
    dns: tuple[Address, ...] = ()
    search: tuple[str, ...] = ()
    mtu: int | None = None

    @property
    def dhcp(self) -> bool:
        """Whether addresses come from the network."""
        return self.method == "dhcp"

    @property
    def every(self) -> bool:
        """Whether every Ethernet interface is meant."""
        return self.dhcp and not self.mac and not self.interface

    @property
    def first(self) -> bool:
        """Whether the first Ethernet interface is meant, whatever it is called."""
        return not (self.dhcp or self.mac or self.interface)

    @property
    def name(self) -> str | None:
        """The name of the one interface that is meant; None when it is told by its MAC, or all are meant."""
        return None if self.mac or self.every else self.interface or FIRST

    def addresses_of(self, version: int) -> list[Interface]:
        """Return the addresses of IP version 4 or 6."""
        return [address for address in self.addresses if address.version == version]

    def gateway(self, version: int) -> Address | None:
        """Return the gateway of IP version 4 or 6."""
        return next((gateway for gateway in self.gateways if gateway.version == version), None)


def parse(options: dict[str, t.Any]) -> Settings:
    """Return checked settings.

    Args:
        options: as `ARGUMENT_SPEC` has them.

    Raises:
        InputError: with the option that is wrong.
    """
    settings = Settings(
        method=options["method"],
        mac=_mac(options["mac"]),
        interface=_matching("interface", options["interface"], _NAME) if options["interface"] else None,
        addresses=tuple(_each("addresses", options["addresses"], _interface)),
        gateways=tuple(_each("gateways", options["gateways"], ipaddress.ip_address)),
        dns=tuple(_each("dns", options["dns"], ipaddress.ip_address)),
        search=tuple(_matching("search", domain, _DOMAIN) for domain in options["search"]),
        mtu=options["mtu"],
    )
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.mac and settings.interface:
        raise InputError("mac and interface exclude each other", hint="name the interface in one way")
    if settings.dhcp and (settings.addresses or settings.gateways):
        raise InputError("addresses and gateways come by DHCP", hint="leave them out, or use method: static")
    if not settings.dhcp and not settings.addresses:
        raise InputError("a static network needs addresses", hint="give them as 192.0.2.5/24")
    if settings.mtu is not None and settings.mtu not in _MTU:
        raise InputError(f"mtu {settings.mtu} is not from {_MTU.start} to {_MTU.stop - 1}")
    for gateway in settings.gateways:
        if sum(other.version == gateway.version for other in settings.gateways) > 1:
            raise InputError(f"there are several gateways of IPv{gateway.version}", hint="give one of each")
        if not gateway.is_link_local and not any(gateway in address.network for address in settings.addresses):
            raise InputError(f"the gateway {gateway} is in the network of no address")


def _interface(text: str) -> Interface:
    if "/" not in text:
        raise ValueError(text)
    return ipaddress.ip_interface(text)


def _each(option: str, texts: Iterable[str], read: t.Callable[[str], t.Any]) -> Iterable[t.Any]:
    return (_address(option, text, read) for text in texts)


def _address(option: str, text: str, read: t.Callable[[str], t.Any]) -> t.Any:
    try:
        return read(text)
    except ValueError:
        example = "192.0.2.5/24" if option == "addresses" else "192.0.2.1"
        raise InputError(f"{option}: {text!r} is no address", hint=f"write it like {example}") from None


def _mac(text: str | None) -> str | None:
    return _matching("mac", text.lower().replace("-", ":"), _MAC) if text else None


def _matching(option: str, text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise InputError(f"{option}: {text!r} is not right")
    return text


__all__ = ["ARGUMENT_SPEC", "FIRST", "Address", "Interface", "Settings", "parse"]
