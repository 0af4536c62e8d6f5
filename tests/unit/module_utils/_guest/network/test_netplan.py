from __future__ import annotations

import typing as t

import yaml

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import netplan
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted


def ethernets(settings: Settings, renderer: str = "networkd") -> dict[str, t.Any]:
    return dict(yaml.safe_load(netplan.text(settings, renderer))["network"]["ethernets"])


def test_dhcp_is_asked_for_on_every_interface_with_its_mac() -> None:
    assert yaml.safe_load(netplan.text(wanted()))["network"] == {
        "version": 2,
        "renderer": "networkd",
        "ethernets": {"voc": {"match": {"name": "e*"}, "dhcp4": True, "dhcp6": True, "dhcp-identifier": "mac"}},
    }
    assert "dhcp-identifier" not in ethernets(wanted(), "networkmanager")["voc"]
    overridden = ethernets(wanted(dns=["192.0.2.2"]))["voc"]
    assert overridden["dhcp4-overrides"] == overridden["dhcp6-overrides"] == {"use-dns": False}


def test_a_static_network() -> None:
    assert ethernets(wanted(**STATIC)) == {
        "eth0": {
            "dhcp4": False,
            "addresses": ["192.0.2.5/24", "192.0.2.6/24", "2001:db8::5/64"],
            "routes": [{"to": "0.0.0.0/0", "via": "192.0.2.1"}, {"to": "::/0", "via": "fe80::1"}],
            "nameservers": {"addresses": ["192.0.2.2", "2001:db8::2"], "search": ["cluster.example", "example"]},
            "mtu": 9000,
        }
    }


def test_one_interface_can_be_meant() -> None:
    assert ethernets(wanted(mac=MAC))["voc"]["match"] == {"macaddress": MAC}
    assert list(ethernets(wanted(interface="ens3"))) == ["ens3"]
