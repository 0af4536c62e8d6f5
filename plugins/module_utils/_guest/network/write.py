# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""One writer per network stack: DHCP on whatever interface there is, whatever its MAC."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

NETWORKD_PATH = "/etc/systemd/network/10-voc-cluster.network"

# Kind=!* leaves out bridges, bonds and the like, which are Ethernet too. The
# MAC as client identifier makes reservations by MAC work: networkd's default is
# derived from the machine-id, which is new with every instance.
_NETWORKD = """\
# Written by voc.cluster: DHCP on every Ethernet interface.
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes

[DHCPv4]
ClientIdentifier=mac
"""

_RIVALS = ("networking.service", "NetworkManager.service")


def write_dhcp(plan: Plan) -> None:
    """Let every Ethernet interface get its address by DHCP.

    Other stacks of the guest are masked: two writers for one interface take
    turns at breaking it.

    Raises:
        GuestError: the guest has no network stack that is supported.
    """
    stacks = system.inspect(plan).network_stacks
    if "networkd" not in stacks:
        seen = ", ".join(stacks) or "none"
        raise GuestError(
            f"the guest has no systemd-networkd (network stacks found: {seen})",
            hint="install it in the guest, or leave site_network undefined",
        )
    plan.write(NETWORKD_PATH, _NETWORKD.encode())
    systemd.enable(plan, "systemd-networkd.service")
    for unit in _RIVALS:
        if systemd.find_unit(plan, unit):
            systemd.mask(plan, unit)


__all__ = ["NETWORKD_PATH", "write_dhcp"]
