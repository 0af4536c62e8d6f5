"""No such system runs in these tests: files are compared with what initscripts' sysconfig.txt says."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import ifcfg_el, names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted

FOLDER = "/etc/sysconfig/network-scripts"


def written(name: str, **given: object) -> MemoryTree:
    guest = FAMILIES[name].tree()
    guest.add(f"{FOLDER}/ifcfg-ens192", "DEVICE=ens192\n")
    plan = Plan(guest)
    ifcfg_el.write(plan, wanted(**given))
    plan.apply()
    return guest


@pytest.mark.parametrize("name", ["el5", "el6", "el7"])
def test_the_first_interface_asks_with_its_mac_and_is_tied_to_none(name: str) -> None:
    guest = written(name)
    assert guest.text(f"{FOLDER}/ifcfg-eth0") == (
        "# Written by voc.cluster.\nDEVICE=eth0\nTYPE=Ethernet\nONBOOT=yes\nNM_CONTROLLED=no\nBOOTPROTO=dhcp\n"
    )
    assert guest.lstat(f"{FOLDER}/ifcfg-ens192") is None
    assert guest.lstat(f"{FOLDER}/ifcfg-lo")
    assert guest.text("/etc/sysconfig/network").startswith("NETWORKING=yes\n")
    client = "/etc/dhclient.conf" if name == "el5" else "/etc/dhcp/dhclient.conf"
    assert "send dhcp-client-identifier = hardware;" in guest.text(client)
    assert names.are_kernels_own(guest) == (name == "el7")


def test_a_static_network() -> None:
    guest = written("el6", **STATIC)
    assert guest.text(f"{FOLDER}/ifcfg-eth0").splitlines()[5:] == [
        "BOOTPROTO=none",
        "IPADDR=192.0.2.5",
        "NETMASK=255.255.255.0",
        "IPADDR1=192.0.2.6",
        "NETMASK1=255.255.255.0",
        "GATEWAY=192.0.2.1",
        "IPV6INIT=yes",
        "IPV6_AUTOCONF=no",
        "IPV6ADDR=2001:db8::5/64",
        "IPV6_DEFAULTGW=fe80::1",
        "MTU=9000",
        "PEERDNS=no",
    ]
    assert "nameserver 192.0.2.2\n" in guest.text("/etc/resolv.conf")


def test_one_interface_can_be_meant() -> None:
    assert "DEVICE=eth0\n" in written("el6", mac=MAC).text(f"{FOLDER}/ifcfg-eth0")
    assert f"HWADDR={MAC.upper()}\n" in written("el6", mac=MAC).text(f"{FOLDER}/ifcfg-eth0")
    guest = written("el7", interface="ens3")
    assert "DEVICE=ens3\n" in guest.text(f"{FOLDER}/ifcfg-ens3")
    assert not names.are_kernels_own(guest)


def test_the_gateway_of_another_machine_is_forgotten() -> None:
    before = "NETWORKING=no\nHOSTNAME=a\nGATEWAY=10.0.0.1\nNOZEROCONF=yes\n"
    assert ifcfg_el.networking(before) == "NETWORKING=yes\nHOSTNAME=a\nNOZEROCONF=yes\n"
