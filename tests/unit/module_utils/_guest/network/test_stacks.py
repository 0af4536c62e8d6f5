from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.stacks import Stack
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

UNITS = "/usr/lib/systemd/system"
WANTS = "/etc/systemd/system/multi-user.target.wants"
MANAGER: dict[str, bytes | str | tuple[str, str] | None] = {
    "/usr/sbin/NetworkManager": "",
    f"{UNITS}/NetworkManager.service": "",
    f"{WANTS}/NetworkManager.service": ("->", f"{UNITS}/NetworkManager.service"),
}


def with_manager(interfaces: str) -> MemoryTree:
    guest = FAMILIES["debian13"].tree()
    for path, content in MANAGER.items():
        guest.add(path, content)
    guest.add("/etc/network/interfaces", interfaces)
    return guest


def test_the_installed_stack_that_starts_and_is_configured_is_the_first() -> None:
    """On Debian, NetworkManager leaves alone what ifupdown has, and takes what it has not."""
    found = stacks.find(with_manager("auto lo\niface lo inet loopback\nallow-hotplug ens3\niface ens3 inet dhcp\n"))
    assert found == (
        Stack("ifupdown", True, True),
        Stack("networkmanager", True, True),
        Stack("networkd", False, False),
    )
    assert stacks.find(with_manager("auto lo\niface lo inet loopback\n"))[0].name == "networkmanager"


def test_a_masked_service_is_not_in_charge() -> None:
    guest = with_manager("auto lo\n")
    guest.add("/etc/systemd/system/NetworkManager.service", ("->", "/dev/null"))
    assert stacks.find(guest)[0] == Stack("ifupdown", True, False)


def test_netplan_without_files_is_not_in_charge() -> None:
    guest = FAMILIES["ubuntu22.04"].tree()
    del guest.nodes["/etc/netplan/50-cloud-init.yaml"]
    for path, content in MANAGER.items():
        guest.add(path, content)
    assert [stack.name for stack in stacks.find(guest)] == ["networkmanager", "netplan", "networkd"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_stack_that_is_found_has_a_name_that_can_be_chosen(family: str) -> None:
    assert {stack.name for stack in stacks.find(FAMILIES[family].tree())} <= set(stacks.NAMES)
