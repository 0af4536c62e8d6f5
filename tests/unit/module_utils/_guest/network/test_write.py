from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import write
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

UNITS = "/usr/lib/systemd/system"


def _guest() -> MemoryTree:
    return MemoryTree(
        {
            "/usr/lib/systemd/systemd-networkd": "",
            f"{UNITS}/systemd-networkd.service": "[Install]\nWantedBy=multi-user.target\n",
            f"{UNITS}/networking.service": "[Install]\nWantedBy=multi-user.target\n",
        }
    )


def test_every_interface_gets_dhcp_with_its_mac_and_rivals_are_masked() -> None:
    guest = _guest()
    plan = Plan(guest)
    write.write_dhcp(plan)
    plan.apply()
    text = guest.text(write.NETWORKD_PATH)
    assert "Type=ether\nKind=!*\n" in text
    assert "DHCP=yes\n" in text
    assert "ClientIdentifier=mac\n" in text
    assert guest.readlink("/etc/systemd/system/networking.service") == "/dev/null"
    assert guest.readlink("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service")
    assert guest.lstat("/etc/systemd/system/NetworkManager.service") is None
    again = Plan(guest)
    write.write_dhcp(again)
    assert again.changes() == []


def test_a_guest_without_networkd_is_refused_and_its_stacks_are_named() -> None:
    guest = MemoryTree({"/sbin/ifup": "", "/etc/network/interfaces": "", "/usr/sbin/NetworkManager": ""})
    with pytest.raises(GuestError, match="network stacks found: ifupdown, networkmanager"):
        write.write_dhcp(Plan(guest))
