from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, options, wanted


def test_dhcp_on_every_interface_is_the_default() -> None:
    settings = wanted()
    assert (settings.dhcp, settings.every, settings.first, settings.name) == (True, True, False, None)


def test_a_static_network_is_on_the_first_interface() -> None:
    settings = wanted(**STATIC)
    assert (settings.every, settings.first, settings.name) == (False, True, "eth0")
    assert [str(address) for address in settings.addresses_of(4)] == ["192.0.2.5/24", "192.0.2.6/24"]
    assert (str(settings.gateway(4)), str(settings.gateway(6))) == ("192.0.2.1", "fe80::1")


def test_an_interface_is_told_by_its_mac_or_its_name() -> None:
    settings = wanted(mac=MAC.upper().replace(":", "-"))
    assert (settings.mac, settings.every, settings.name) == (MAC, False, None)
    settings = wanted(interface="ens3", **STATIC)
    assert (settings.first, settings.name) == (False, "ens3")


@pytest.mark.parametrize(
    ("given", "finding"),
    [
        ({"mac": "52:54:00"}, "mac: '52:54:00' is not right"),
        ({"interface": "../x"}, r"interface: '\.\./x' is not right"),
        ({"interface": "eth0", "mac": MAC}, "exclude each other"),
        ({"addresses": ["192.0.2.5/24"]}, "come by DHCP"),
        ({"gateways": ["192.0.2.1"]}, "come by DHCP"),
        ({"method": "static"}, "needs addresses"),
        ({"method": "static", "addresses": ["192.0.2.5"]}, "addresses: '192.0.2.5' is no address; write it like"),
        ({"method": "static", "addresses": ["192.0.2.500/24"]}, "is no address"),
        ({**STATIC, "gateways": ["198.51.100.1"]}, "in the network of no address"),
        ({**STATIC, "gateways": ["192.0.2.1", "192.0.2.3"]}, "several gateways of IPv4"),
        ({"dns": ["ns.example"]}, "dns: 'ns.example' is no address"),
        ({"search": ["a b"]}, "search: 'a b' is not right"),
        ({"search": ["x\nnameserver 6.6.6.6"]}, "is not right"),
        ({"mtu": 100}, "mtu 100 is not from 576 to 65535"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, t.Any], finding: str) -> None:
    with pytest.raises(InputError, match=finding):
        wanted(**given)


@given(
    st.dictionaries(st.sampled_from(["mac", "interface"]), st.text(max_size=20)),
    st.dictionaries(st.sampled_from(["addresses", "gateways", "dns", "search"]), st.lists(st.text(max_size=20))),
)
def test_any_text_is_an_option_or_an_error(texts: dict[str, str], lists: dict[str, list[str]]) -> None:
    try:
        settings = wanted(**{**options(method="static"), **texts, **lists})
    except ImageError:
        return
    assert settings.addresses
    assert all(domain.isascii() and " " not in domain for domain in settings.search)
