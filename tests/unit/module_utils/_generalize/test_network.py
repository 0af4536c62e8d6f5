from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _cpu_time
from ansible_collections.voc.cluster.plugins.module_utils._generalize import network

MAC = "52:54:00:12:34:56"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"DEVICE=eth0\nHWADDR={MAC}\nONBOOT=yes\n", "DEVICE=eth0\nONBOOT=yes\n"),
        (f'UUID="1-2"\n  HWADDR="{MAC}"\nIPADDR=10.0.0.1\n# HWADDR=x', "IPADDR=10.0.0.1\n# HWADDR=x"),
        (f"BOOTPROTO='dhcp'\nLLADDR='{MAC}'", "BOOTPROTO='dhcp'\n"),
        (f"MACADDR={MAC}\n", ""),
        ("MY_HWADDR=x\nUUIDX=y\n", "MY_HWADDR=x\nUUIDX=y\n"),
    ],
)
def test_ifcfg_files_lose_macs_and_uuids_alone(before: str, after: str) -> None:
    assert network.unpin_ifcfg(before) == after


def test_keyfiles_lose_macs_and_the_uuid_of_their_connection_alone() -> None:
    before = (
        f"[connection]\nid=eth0\nuuid=1-2\nmaster=uuid-of-bond\n[ethernet]\nmac-address = {MAC}\n"
        f"cloned-mac-address={MAC}\nmtu=9000\n[vpn]\nuuid=theirs\n[wifi-security]\npsk=planted\n"
    )
    assert network.unpin_keyfile(before) == (
        "[connection]\nid=eth0\nmaster=uuid-of-bond\n[ethernet]\nmtu=9000\n[vpn]\nuuid=theirs\n[wifi-security]\npsk=planted\n"
    )


NETPLAN = """\
network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true  # from the site
      match:
        macaddress: "52:54:00:12:34:56"
      set-name: eth0
    eth1:
      match:
        # the second card
        name: "en*"
        macaddress: 52:54:00:12:34:57
      optional: true
    eth2: {match: {macaddress: '52:54:00:12:34:58'}, dhcp4: true}
    eth3:
      match: {macaddress: "52:54:00:12:34:59"}
      dhcp6: true
"""
FREE = """\
network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true  # from the site
    eth1:
      match:
        # the second card
        name: "en*"
      optional: true
    eth2: {dhcp4: true}
    eth3:
      dhcp6: true
"""


def test_netplan_files_lose_macs_and_set_name_and_matches_that_say_nothing_else() -> None:
    assert network.unpin_netplan(NETPLAN) == FREE
    assert network.unpin_netplan(FREE) == FREE


def test_a_network_file_without_its_mac_matches_what_else_it_says_or_every_ethernet() -> None:
    alone = f"[Match]\nMACAddress={MAC}\n\n[Network]\nDHCP=yes\n"
    assert network.unpin_network(alone) == "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n"
    named = f"[Match]\nName=en*\nPermanentMACAddress={MAC}\n[Link]\nMACAddress={MAC}\nMTUBytes=9000\n"
    assert network.unpin_network(named) == "[Match]\nName=en*\n[Link]\nMTUBytes=9000\n"


TEXT = st.lists(
    st.sampled_from(
        [
            *(f"HWADDR={MAC}", "[Match]", "[connection]", f"MACAddress={MAC}", "uuid=1", f"    macaddress: {MAC}"),
            *("  match:", "  match: {}", "", "{ set-name: x }", "mac-address=1"),
        ]
    )
    | st.text(max_size=20)
).map("\n".join)


@given(TEXT)
def test_any_text_is_unpinned_once_and_never_breaks(text: str) -> None:
    for unpin in (network.unpin_ifcfg, network.unpin_keyfile, network.unpin_network):
        once = unpin(text)
        assert unpin(once) == once
    assert len(network.unpin_netplan(text)) <= len(text)


@pytest.mark.parametrize(
    "repeated", ["match:\n", "match:\n#\n", "\n", " ", "set-name: #", "a: {match: {", "hwaddress\n"]
)
@pytest.mark.parametrize(
    "unpin",
    [
        network.unpin_ifcfg,
        network.unpin_keyfile,
        network.unpin_netplan,
        network.unpin_network,
        network.unpin_interfaces,
    ],
)
def test_a_hostile_file_is_read_to_its_end(unpin: Callable[[str], str], repeated: str) -> None:
    with _cpu_time.at_most(10):
        unpin("macaddress: x\nMACAddress=x\n" + repeated * 200_000)
