"""No such system runs in these tests: files are compared with what ifcfg(5), ifcfg-dhcp(5) and ifroute(5) say."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import ifcfg_suse, names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted

FOLDER = "/etc/sysconfig/network"


def written(name: str, service: str, **given: object) -> MemoryTree:
    guest = FAMILIES[name].tree()
    guest.add(f"{FOLDER}/ifcfg-eth1", "BOOTPROTO='dhcp'\n")
    guest.add(f"{FOLDER}/routes", "default 10.0.0.1 - -\n10.1.0.0/16 10.0.0.2 - -\n")
    plan = Plan(guest)
    ifcfg_suse.write(plan, wanted(**given), service)
    plan.apply()
    return guest


@pytest.mark.parametrize(
    ("name", "service"), [("sles11", "network"), ("sles12", "wicked"), ("sles15", "wicked"), ("leap15", "wicked")]
)
def test_the_first_interface_asks_with_its_mac(name: str, service: str) -> None:
    guest = written(name, service)
    assert guest.text(f"{FOLDER}/ifcfg-eth0") == (
        "# Written by voc.cluster.\nBOOTPROTO='dhcp'\nSTARTMODE='auto'\nDHCLIENT_CREATE_CID='rfc2132'\n"
    )
    assert guest.lstat(f"{FOLDER}/ifcfg-eth1") is None
    assert guest.text(f"{FOLDER}/routes") == "10.1.0.0/16 10.0.0.2 - -\n"
    assert names.are_kernels_own(guest) == (service == "wicked")


def test_a_static_network() -> None:
    guest = written("sles15", "wicked", **STATIC)
    assert guest.text(f"{FOLDER}/ifcfg-eth0").splitlines()[1:] == [
        "BOOTPROTO='static'",
        "STARTMODE='auto'",
        "IPADDR='192.0.2.5/24'",
        "IPADDR_1='192.0.2.6/24'",
        "IPADDR_2='2001:db8::5/64'",
        "MTU='9000'",
    ]
    assert guest.text(f"{FOLDER}/ifroute-eth0").splitlines()[1:] == ["default 192.0.2.1 - -", "default fe80::1 - -"]
    assert guest.text(f"{FOLDER}/config").splitlines() == [
        'NETCONFIG_DNS_STATIC_SERVERS="192.0.2.2 2001:db8::2"',
        'NETCONFIG_DNS_POLICY="STATIC"',
        'NETCONFIG_DNS_STATIC_SEARCHLIST="cluster.example example"',
    ]


def test_one_interface_can_be_meant() -> None:
    guest = written("sles15", "wicked", mac=MAC)
    assert guest.lstat(f"{FOLDER}/ifcfg-voc0")
    assert guest.lstat(f"{FOLDER}/ifcfg-eth0") is None
    assert MAC in guest.text(names.PIN_PATH)
    assert written("sles15", "wicked", interface="eth2").lstat(f"{FOLDER}/ifcfg-eth2")
