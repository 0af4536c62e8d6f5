from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import networkd
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted


def test_dhcp_is_asked_for_on_every_real_interface_with_its_mac() -> None:
    text = networkd.text(wanted(mtu=1400))
    assert "[Match]\nType=ether\nKind=!*\n" in text
    assert "[Link]\nMTUBytes=1400\n" in text
    assert "[Network]\nDHCP=yes\n" in text
    assert text.endswith("[DHCPv4]\nClientIdentifier=mac\n")
    assert networkd.text(wanted(), "DHCP").endswith("[DHCP]\nClientIdentifier=mac\n")


def test_the_sites_name_servers_take_the_place_of_those_of_dhcp() -> None:
    text = networkd.text(wanted(dns=["192.0.2.2"], search=["example"]))
    assert "DNS=192.0.2.2\nDomains=example\n" in text
    assert text.endswith("ClientIdentifier=mac\nUseDNS=false\n")


def test_a_static_network() -> None:
    assert networkd.text(wanted(**STATIC)) == (
        "# Written by voc.cluster.\n"
        "[Match]\nName=eth0\n\n"
        "[Link]\nMTUBytes=9000\n\n"
        "[Network]\nAddress=192.0.2.5/24\nAddress=192.0.2.6/24\nAddress=2001:db8::5/64\n"
        "Gateway=192.0.2.1\nGateway=fe80::1\nDNS=192.0.2.2\nDNS=2001:db8::2\nDomains=cluster.example example\n"
    )


@pytest.mark.parametrize(
    ("given", "match"), [({"mac": MAC}, f"MACAddress={MAC}"), ({"interface": "ens3"}, "Name=ens3")]
)
def test_one_interface_can_be_meant(given: dict[str, str], match: str) -> None:
    assert f"[Match]\n{match}\n\n" in networkd.text(wanted(**given))
