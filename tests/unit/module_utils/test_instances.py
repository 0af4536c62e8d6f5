"""The instances that hypervisors' variables describe."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instances import instances

SITE = {"voc_network": "10.16.0.0/24", "voc_max_slots": 2, "voc_name": "star"}


def test_each_slot_of_each_hypervisor_is_an_instance() -> None:
    found = instances({"node001.example.org": {**SITE, "voc_slots": 2}, "node002": SITE})
    assert [instance.name for instance in found] == ["node001-vm0", "node001-vm1", "node002-vm0"]
    assert found[1].variables() == {
        "instance_hypervisor": "node001.example.org",
        "instance_slot": 1,
        "instance_voc": "star",
        "instance_addressing": "functional",
        "instance_mac": "02:56:4f:00:00:11",
        "instance_ip": "10.16.0.3",
        "instance_uuid": found[1].uuid,
        "ansible_host": "10.16.0.3",
    }


def test_a_hypervisor_can_have_no_slot() -> None:
    assert [instance.name for instance in instances({"node1": {"voc_slots": 0}, "node2": {}})] == ["node2-vm0"]


def test_without_a_network_there_is_a_mac_but_no_address() -> None:
    (instance,) = instances({"node001": {}})
    assert instance.mac == "02:56:4f:00:00:10"
    assert "instance_ip" not in instance.variables()


def test_hashed_names_have_no_place_to_count_from() -> None:
    (instance,) = instances({"head": {"voc_mac_mode": "hashed", "voc_network": "10.16.0.0/24"}})
    assert instance.mac
    assert instance.ip is None


def test_leased_addresses_are_left_open() -> None:
    (instance,) = instances({"head": {**SITE, "voc_addressing": "leased"}})
    assert instance.variables() == {
        "instance_hypervisor": "head",
        "instance_slot": 0,
        "instance_voc": "star",
        "instance_addressing": "leased",
        "instance_uuid": instance.uuid,
    }


def test_macs_are_written_as_libvirt_wants_them_and_compared_as_numbers() -> None:
    (instance,) = instances({"node001": {"voc_mac_format": "cisco"}})
    assert instance.mac == "02:56:4f:00:00:10"
    with pytest.raises(InputError, match="the same MAC"):
        instances({"node1": {}, "gpu1": {"voc_mac_format": "cisco"}})


def test_numbers_of_an_ini_inventory_may_be_text() -> None:
    assert len(instances({"node1": {"voc_slots": "3", "voc_mac_slot_bits": "8"}})) == 3


@pytest.mark.parametrize(
    ("hypervisors", "words"),
    [
        ({"node1": {"voc_slots": "many"}}, ["node1", "voc_slots", "'many'"]),
        ({"node1": {"voc_slots": True}}, ["voc_slots"]),
        ({"node1": {"voc_mac_slot_bits": 0}}, ["slot_bits is 0"]),
        ({"node1": {"voc_slots": 17}}, ["node1", "no slot 16"]),
        ({"node1": {"voc_slots": 3, "voc_max_slots": 2}}, ["node1", "no slot 2"]),
        ({"node1": {"voc_network": "{{ net }}"}}, ["voc_network", "plain text"]),
        ({"node1": {"voc_network": 10}}, ["voc_network"]),
        ({"node1": {"voc_addressing": "magic"}}, ["magic", "functional, leased"]),
        ({"node1": {"voc_mac_mode": "magic"}}, ["magic"]),
        ({"node1": {"voc_mac_group_bits": ["x"]}}, ["voc_mac_group_bits"]),
        ({"head": {}}, ["head", "no number"]),
        ({"node1": {}, "gpu1": {}}, ["node1", "gpu1", "the same MAC"]),
        ({"node1": {}, "NODE1.b": {}}, ["node1", "the same name"]),
        (
            {"node1": SITE, "gpu1": {**SITE, "voc_mac_prefix": "06"}},
            ["node1", "gpu1", "the same IP address", "10.16.0.2"],
        ),
        ({"node1": {"voc_instance_name": "vm{slot}"}, "node2": {"voc_instance_name": "vm{slot}"}}, ["the same name"]),
        ({"node1": {"voc_instance_name": "{hypervisor}"}}, ["node1", "as a hypervisor is"]),
    ],
)
def test_what_cannot_be_is_one_sentence(hypervisors: dict[str, dict[str, t.Any]], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        instances(hypervisors)
    assert all(word in str(caught.value) for word in words), str(caught.value)
