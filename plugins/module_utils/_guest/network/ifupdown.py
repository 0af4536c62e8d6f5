# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""ifupdown (man 5 interfaces): Debian's, and those of Alpine.

Since 0.8 (Debian 9) Debian's takes patterns in place of names, so no name must
be known. What udev finds is brought up by its real name, though, for which
only a mapping leads to the one stanza there is: without it udev's helper says
``unknown interface`` (tried with 0.8.41 and 0.8.44). Older ones and Alpine's
get the kernel's own names.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import (
    clients,
    names,
    resolver,
    services,
    stacks,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import FIRST, Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

MAPPING_PATH = "/etc/network/voc-cluster-mapping"
SETTLE_PATH = f"{systemd.ADMIN_FOLDER}/networking.service.d/50-voc-cluster.conf"

_STANZA = "voc"
_PATTERNS_SINCE = 232  # the systemd of Debian 9; Ubuntu 16.04 has 229
_LATER_NAMES = ("eth1", "eth2", "eth3")
_MAPPING = f"#!/bin/sh\n# Written by voc.cluster: all Ethernet interfaces are alike.\necho {_STANZA}\n"
# "auto" means those that are there when it is read.
_SETTLE = """\
# Written by voc.cluster: wait for the interfaces, whose names are not known.
[Unit]
Wants=systemd-udev-settle.service
After=systemd-udev-settle.service
"""
LOOPBACK = "# Written by voc.cluster.\nauto lo\niface lo inet loopback\n"


def write(plan: Plan, settings: Settings, guest: Guest) -> None:
    """Let ifupdown have the interfaces.

    Raises:
        GuestError: the guest has no DHCP client.
    """
    if settings.dhcp:
        if not clients.installed(plan):
            raise GuestError(
                "the guest has ifupdown, but no DHCP client",
                hint="install isc-dhcp-client or dhcpcd-base in the guest, or choose another stack",
            )
        clients.configure(plan, settings)
    strip(plan)
    if _has_patterns(guest):
        _write_with_patterns(plan, settings)
    else:
        _write_with_names(plan, settings, alone=guest.init == "openrc")
    if settings.dns or settings.search:
        resolver.write_down(plan, settings)
    services.switch_on(plan, stacks.SERVICES["ifupdown"])


def strip(plan: Plan) -> None:
    """Leave ifupdown nothing but the loopback."""
    for path in stacks.interface_files(plan):
        if path != stacks.INTERFACES:
            plan.remove(path)
    plan.write(stacks.INTERFACES, LOOPBACK.encode())


def _has_patterns(guest: Guest) -> bool:
    return guest.init == "systemd" and (guest.init_version or 0) >= _PATTERNS_SINCE


def _write_with_patterns(plan: Plan, settings: Settings) -> None:
    if settings.every:
        plan.write(MAPPING_PATH, _MAPPING.encode(), Attributes(0o755))
    plan.write(SETTLE_PATH, _SETTLE.encode())
    plan.write(stacks.INTERFACES, with_patterns(settings).encode())


def _write_with_names(plan: Plan, settings: Settings, *, alone: bool) -> None:
    if settings.mac:
        found = [names.pin(plan, settings.mac)]
    elif settings.interface:
        found = [settings.interface]
    else:
        names.keep_kernels_own(plan)
        # Busybox knows no other word than "auto", and waits for what is not there.
        found = [FIRST, *(_LATER_NAMES if settings.every and not alone else ())]
    plan.write(stacks.INTERFACES, with_names(settings, found).encode())


def with_patterns(settings: Settings) -> str:
    """Return the file for an ifupdown that takes patterns."""
    if settings.every:
        head = ["auto /e*", "allow-hotplug /e*", "mapping e*", f"\tscript {MAPPING_PATH}"]
    elif settings.mac:
        head = [f"auto mac/{settings.mac}={_STANZA}"]
    else:
        head = [f"auto {settings.interface or '/e*/1'}={_STANZA}"]
    return "\n".join([LOOPBACK, *head, *_stanzas(_STANZA, settings)]) + "\n"


def with_names(settings: Settings, found: list[str]) -> str:
    """Return the file for named interfaces; the first must be there, others may."""
    lines = [LOOPBACK, f"auto {found[0]}"]
    lines += [f"allow-hotplug {' '.join(found[1:])}"] if found[1:] else []
    for name in found:
        lines += _stanzas(name, settings)
    return "\n".join(lines) + "\n"


def _stanzas(name: str, settings: Settings) -> Iterator[str]:
    # The method for DHCP has no such option, and the one of Alpine has none at all.
    common = [f"\tpre-up ip link set dev $IFACE mtu {settings.mtu}"] if settings.mtu else []
    if settings.dhcp:
        yield from ("", f"iface {name} inet dhcp", *common)
        return
    # For resolvconf, where there is one.
    dns = [f"\tdns-nameservers {' '.join(map(str, settings.dns))}"] if settings.dns else []
    dns += [f"\tdns-search {' '.join(settings.search)}"] if settings.search else []
    for version, family in ((4, "inet"), (6, "inet6")):
        for number, address in enumerate(settings.addresses_of(version)):
            gateway = settings.gateway(version)
            netmask = address.netmask if version == 4 else address.network.prefixlen
            yield from ("", f"iface {name} {family} static", f"\taddress {address.ip}", f"\tnetmask {netmask}")
            yield from [f"\tgateway {gateway}"] if gateway and not number else []
            yield from [*common, *dns]
            common, dns = [], []


__all__ = ["LOOPBACK", "MAPPING_PATH", "SETTLE_PATH", "strip", "with_names", "with_patterns", "write"]
