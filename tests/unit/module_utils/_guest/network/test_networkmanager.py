from __future__ import annotations

from configparser import ConfigParser

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import networkmanager
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted


def profile(settings: Settings) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None)
    parser.read_string(networkmanager.text(settings))
    return {name: dict(parser[name]) for name in parser.sections()}


def test_dhcp_is_asked_for_on_every_interface_with_its_mac() -> None:
    found = profile(wanted(dns=["192.0.2.2"]))
    assert found["connection"]["type"] == "ethernet"
    assert found["connection"]["multi-connect"] == "3"
    assert "interface-name" not in found["connection"]
    assert found["ethernet"] == {}
    assert found["ipv4"] == {
        "method": "auto",
        "dns": "192.0.2.2;",
        "ignore-auto-dns": "true",
        "dhcp-client-id": "mac",
    }
    assert found["ipv6"] == {"method": "auto", "ignore-auto-dns": "true"}


def test_a_static_network_goes_to_the_first_interface_that_comes() -> None:
    found = profile(wanted(**STATIC))
    assert {"interface-name", "multi-connect"}.isdisjoint(found["connection"])
    assert found["ethernet"] == {"mtu": "9000"}
    assert found["ipv4"] == {
        "method": "manual",
        "address1": "192.0.2.5/24",
        "address2": "192.0.2.6/24",
        "gateway": "192.0.2.1",
        "dns": "192.0.2.2;",
        "dns-search": "cluster.example;example;",
    }
    assert found["ipv6"]["address1"] == "2001:db8::5/64"
    assert found["ipv6"]["gateway"] == "fe80::1"


def test_a_protocol_without_addresses_is_off() -> None:
    assert profile(wanted(method="static", addresses=["192.0.2.5/24"]))["ipv6"] == {"method": "ignore"}
    assert profile(wanted(method="static", addresses=["2001:db8::5/64"]))["ipv4"] == {"method": "disabled"}


def test_one_interface_can_be_meant() -> None:
    assert profile(wanted(mac=MAC))["ethernet"] == {"mac-address": MAC.upper()}
    assert profile(wanted(interface="ens3"))["connection"]["interface-name"] == "ens3"
