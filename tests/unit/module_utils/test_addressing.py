"""MACs, addresses, names and UUIDs: the same everywhere, never the same for two."""

from __future__ import annotations

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _addressing as addressing
from ansible_collections.voc.cluster.plugins.module_utils._addressing import Hashed, Positional, make_scheme
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError


def positional(**options: object) -> Positional:
    scheme = make_scheme(**options)  # type: ignore[arg-type]
    assert isinstance(scheme, Positional)
    return scheme


@pytest.mark.parametrize(
    ("name", "slot", "mac"),
    [
        ("node042", 0, "02:56:4f:00:02:a0"),
        ("node042", 1, "02:56:4f:00:02:a1"),
        ("node042.cluster7.example.org", 1, "02:56:4f:00:02:a1"),
        ("NODE42", 1, "02:56:4f:00:02:a1"),
        ("r12n07", 3, "02:56:4f:00:c0:73"),
        ("rack1-node2", 15, "02:56:4f:00:10:2f"),
        ("n0", 0, "02:56:4f:00:00:00"),
    ],
)
def test_a_name_and_a_slot_can_be_read_in_the_mac(name: str, slot: int, mac: str) -> None:
    assert addressing.format_mac(positional().mac(name, slot)) == mac


def test_no_two_of_65536_hypervisors_with_16_slots_share_a_mac() -> None:
    scheme = positional()
    macs = {scheme.mac(f"node{number}", slot) for number in range(65536) for slot in range(16)}
    assert len(macs) == 65536 * 16


def test_no_two_nodes_of_racks_share_a_mac() -> None:
    scheme = positional()
    names = [f"r{rack}n{node:02}" for rack in range(200) for node in range(100)]
    scheme.require_distinct(names)
    assert len({scheme.mac(name, 0) for name in names}) == len(names)


@given(
    first=st.tuples(st.integers(0, 2**20 - 1), st.integers(0, 15)),
    second=st.tuples(st.integers(0, 2**20 - 1), st.integers(0, 15)),
)
def test_different_places_have_different_macs(first: tuple[int, int], second: tuple[int, int]) -> None:
    scheme = positional()
    macs = [scheme.mac(f"node{number}", slot) for number, slot in (first, second)]
    assert (macs[0] == macs[1]) == (first == second)


@given(
    octets=st.lists(st.integers(0, 255), min_size=1, max_size=5),
    slot_bits=st.integers(1, 7),
    number=st.integers(0, 2**40),
    data=st.data(),
)
def test_every_mac_is_unicast_has_its_prefix_and_leads_back(
    octets: list[int], slot_bits: int, number: int, data: st.DataObject
) -> None:
    octets[0] &= 0xFE
    prefix = ":".join(f"{octet:02x}" for octet in octets)
    try:
        scheme = positional(prefix=prefix, slot_bits=slot_bits)
    except InputError:
        assert 8 * len(octets) + slot_bits >= 48
        return
    name = f"node{number % (1 << scheme.number_bits) or 1}"
    slot = data.draw(st.integers(0, (1 << slot_bits) - 1))
    mac = scheme.mac(name, slot)
    text = addressing.format_mac(mac)
    assert text.startswith(prefix)
    assert not netaddr.EUI(text).words[0] & 1
    assert scheme.place(mac, ["n0", name]) == (name, slot)


def test_the_default_prefix_is_locally_administered() -> None:
    assert netaddr.EUI(addressing.format_mac(positional().mac("node1", 0))).words[0] & 2


@pytest.mark.parametrize(
    ("name", "slot", "options", "words"),
    [
        ("head", 0, {}, ["'head'", "no number"]),
        ("", 0, {}, ["''", "no number"]),
        ("10.16.0.7", 0, {}, ["no host name"]),
        ("fd00::7", 0, {}, ["no host name"]),
        ("node1048576", 0, {}, ["1048576", "at most 1048575"]),
        ("node" + "9" * 5000, 0, {}, ["at most"]),
        ("node1" + "0" * 20, 0, {}, ["at most"]),
        ("r12n300", 0, {}, ["300", "at most 255"]),
        ("a1b2c3d4", 0, {}, ["4 numbers"]),
        ("node1", 16, {}, ["no slot 16", "0 to 15"]),
        ("node1", -1, {}, ["no slot -1"]),
        ("node1", 4, {"slots": 4}, ["no slot 4", "0 to 3"]),
        ("node1", 0, {"pattern": "rack([0-9]+)"}, ["no number", "rack"]),
        ("nodex", 0, {"pattern": "node(.)"}, ["no number"]),
        ("node1-2", 0, {"group_bits": [20]}, ["2 numbers"]),
        ("node\u0661", 0, {}, ["no number"]),
    ],
)
def test_a_name_or_slot_without_a_mac_is_named(
    name: str, slot: int, options: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        positional(**options).mac(name, slot)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefix": "03:00:00"}, ["multicast"]),
        ({"prefix": "02:00:00:00:00:00"}, ["no prefix"]),
        ({"prefix": "2:0"}, ["no prefix"]),
        ({"prefix": ""}, ["no prefix"]),
        ({"prefix": "02:00:00:00:00", "slot_bits": 8}, ["48 bits"]),
        ({"group_bits": [16, 8]}, ["48 bits"]),
        ({"group_bits": [0, 8]}, ["48 bits"]),
        ({"slot_bits": 0}, ["slot_bits"]),
        ({"slots": 17}, ["17 slots"]),
        ({"slots": 0}, ["0 slots"]),
        ({"pattern": "("}, ["regular expression"]),
        ({"pattern": "node"}, ["no group"]),
        ({"mode": "hashed", "prefix": "02"}, ["hashed"]),
    ],
)
def test_options_that_make_no_scheme_are_refused(options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        make_scheme(**options)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_pattern_finds_numbers_anywhere_in_the_name() -> None:
    scheme = positional(pattern=r"node([0-9]+)\.r([0-9]+)", group_bits=[12, 8])
    assert scheme.number("node042.r07.example.org") == 42 << 8 | 7


def test_two_hypervisors_with_the_same_number_are_both_named() -> None:
    with pytest.raises(InputError) as caught:
        positional().require_distinct(["node1", "node2", "gpu02"])
    assert "node2 and gpu02" in str(caught.value)


def test_the_same_hypervisor_twice_is_no_collision() -> None:
    for scheme in (positional(), make_scheme(mode="hashed")):
        scheme.require_distinct(["node1", "node1"])


def test_hashed_macs_never_change() -> None:
    # What running instances have; worked out by: printf node042/1 | sha256sum
    scheme = make_scheme(mode="hashed")
    assert addressing.format_mac(scheme.mac("node042", 1)) == "9e:59:56:8f:76:fd"
    assert scheme.mac("Node042", 1) == scheme.mac("node042", 1)


@given(name=st.text(min_size=1), slot=st.integers(0, 15))
def test_hashed_macs_are_unicast_local_and_lead_back(name: str, slot: int) -> None:
    scheme = make_scheme(mode="hashed")
    mac = scheme.mac(name, slot)
    assert mac >> 40 & 3 == 2
    assert scheme.place(mac, ["other", name]) == (name, slot)


def test_two_hashed_macs_that_meet_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # 46 bits never meet in a test; a digest of one byte does.
    monkeypatch.setattr(Hashed, "mac", lambda self, name, slot: len(name) * 100 + slot)
    with pytest.raises(InputError) as caught:
        Hashed(4).require_distinct(["ab", "c", "de"])
    assert "slot 0 on ab" in str(caught.value)
    assert "slot 0 on de" in str(caught.value)


@pytest.mark.parametrize("mac", [0, 0xFFFFFFFFFFFF, 0x02564F0002A1, 0x0123456789AB])
@pytest.mark.parametrize("dialect", addressing.DIALECTS)
def test_macs_are_written_as_netaddr_writes_them_and_read_again(mac: int, dialect: str) -> None:
    shape = netaddr.mac_eui48 if dialect == "eui48" else getattr(netaddr, f"mac_{dialect}")
    text = addressing.format_mac(mac, dialect)
    assert text == str(netaddr.EUI(mac, version=48, dialect=shape))
    assert addressing.parse_mac(text) == mac


@pytest.mark.parametrize(
    "text", ["02-56-4F-00-02-A1", "02:56:4f:0:2:a1", "0256.4f00.02a1", "02564f0002a1", "02564f:0002a1"]
)
def test_macs_are_read_in_all_usual_forms(text: str) -> None:
    assert addressing.parse_mac(text) == 0x02564F0002A1


@pytest.mark.parametrize(
    "text",
    ["", "1", "02:56", "02:56:4f:00:02:a1:ff:ff", "0x02564f0002a1", "g" * 12, " 02564f0002a1", "02:56:4f:00:02:a1g"],
)
def test_what_is_no_mac_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no MAC address"):
        addressing.parse_mac(text)


@given(text=st.text(alphabet="0123456789abcdefABCDEFg:.- ", max_size=24))
def test_what_is_read_as_a_mac_is_one_to_netaddr_too(text: str) -> None:
    try:
        mac = addressing.parse_mac(text)
    except InputError:
        return
    assert mac == int(netaddr.EUI(text, version=48))


def test_addresses_count_up_by_number_and_slot() -> None:
    scheme = positional(slots=2)
    places = [("node1", 0), ("node1", 1), ("node2", 0), ("node127", 0)]
    assert [scheme.address("10.16.0.0/24", *place) for place in places] == [
        "10.16.0.2",
        "10.16.0.3",
        "10.16.0.4",
        "10.16.0.254",
    ]
    assert scheme.address("fd00::/64", "node1", 1) == "fd00::3"
    # A network is also named by any address in it.
    assert scheme.address("10.16.0.77/24", "node1", 0) == "10.16.0.2"


@pytest.mark.parametrize(
    ("network", "name", "slot", "words"),
    [
        ("10.16.0.0/24", "node0", 0, "number 0"),
        ("10.16.0.0/24", "node127", 1, "1 to 254"),
        ("10.16.0.0/24", "node1", 2, "no slot 2"),
        ("10.16.0.0/33", "node1", 0, "no network"),
        ("ten", "node1", 0, "no network"),
    ],
)
def test_addresses_outside_the_network_are_refused(network: str, name: str, slot: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        positional(slots=2).address(network, name, slot)
    assert words in str(caught.value)


@given(places=st.sets(st.tuples(st.integers(1, 4000), st.integers(0, 15)), min_size=2, max_size=2))
def test_different_places_have_different_addresses_in_the_network(places: set[tuple[int, int]]) -> None:
    first, second = (positional().address("10.16.0.0/16", f"node{number}", slot) for number, slot in places)
    assert first != second
    assert netaddr.IPAddress(first) in netaddr.IPNetwork("10.16.0.0/16")


def test_names_are_host_names() -> None:
    assert addressing.instance_name("{hypervisor}-vm{slot}", "Node042.example.org", 3) == "node042-vm3"


@pytest.mark.parametrize(
    ("template", "hypervisor"),
    [("{slot}/{hypervisor}", "n1"), ("{hypervisor}", "n" * 64), ("{hypervisor}", "n_1"), ("", "n1")],
)
def test_what_is_no_host_name_is_refused(template: str, hypervisor: str) -> None:
    with pytest.raises(InputError, match="cannot be called"):
        addressing.instance_name(template, hypervisor, 0)


def test_uuids_never_change_and_differ() -> None:
    assert addressing.domain_uuid("node042-vm1") == "c883b589-10f1-5d8e-9dcf-7d12fbeefcf0"
    assert addressing.domain_uuid("node042-vm1") != addressing.domain_uuid("node042-vm2")
