from __future__ import annotations

import typing as t

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.write import configure
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES, MAC
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import STATIC, options

WANTED: list[dict[str, t.Any]] = [{}, {"dns": ["192.0.2.2"], "search": ["example"], "mtu": 1400}, STATIC]


@pytest.mark.parametrize("given", WANTED, ids=["dhcp", "dhcp and name servers", "static"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_stack_in_charge_of_each_family_stays_so_and_a_second_time_changes_nothing(
    name: str, given: dict[str, t.Any]
) -> None:
    guest = FAMILIES[name].tree()
    plan = Plan(guest)
    configure(plan, options(**given))
    assert plan.changes()
    plan.apply()
    assert system.inspect(guest).network == FAMILIES[name].network
    again = Plan(guest)
    configure(again, options(**given))
    assert again.summary() == []


@pytest.mark.parametrize(
    ("name", "stack"), [(name, stack.name) for name in FAMILIES for stack in stacks.find(FAMILIES[name].tree())]
)
def test_any_stack_of_a_guest_can_be_put_in_charge(name: str, stack: str) -> None:
    guest = FAMILIES[name].tree()
    plan = Plan(guest)
    configure(plan, options(stack=stack))
    plan.apply()
    assert system.inspect(guest).network == stack
    started = [found.name for found in stacks.find(guest) if found.started and found.configured]
    assert set(started) <= {stack, *(("networkd",) if stack == "netplan" else ())}
    again = Plan(guest)
    configure(again, options(stack=stack))
    assert again.summary() == []


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_that_is_read_is_tied_to_the_mac_of_another_machine(name: str) -> None:
    guest = FAMILIES[name].tree()
    plan = Plan(guest)
    configure(plan, options())
    plan.apply()
    folders = (stacks.EL_FOLDER, stacks.SUSE_FOLDER, stacks.KEYFILE_FOLDER, stacks.NETWORKD_FOLDER, "/etc/netplan")
    files = [f"{folder}/{file}" for folder in folders for file in tree.names_in(guest, folder)]
    assert not [path for path in files if MAC in (tree.read_text(guest, path) or "").lower()]


def test_the_stack_that_is_wanted_must_be_there() -> None:
    with pytest.raises(GuestError, match=r"no wicked \(network stacks found: ifupdown, networkd\)"):
        configure(Plan(FAMILIES["debian13"].tree()), options(stack="wicked"))
    with pytest.raises(GuestError, match=r"network stack that could do it \(network stacks found: none\)"):
        configure(Plan(MemoryTree()), options())


def test_a_stack_that_cannot_do_it_is_passed_over() -> None:
    guest = FAMILIES["debian13"].tree()
    del guest.nodes["/usr/sbin/dhclient"]
    configure(plan := Plan(guest), options())
    plan.apply()
    assert system.inspect(guest).network == "networkd"
    configure(plan := Plan(guest), options(**STATIC, stack="ifupdown"))


def test_of_keyfiles_only_those_for_ethernet_go_and_the_new_one_is_roots_own() -> None:
    guest = FAMILIES["el9"].tree()
    folder = stacks.KEYFILE_FOLDER
    guest.add(f"{folder}/wlan.nmconnection", "[connection]\ntype=wifi\n")
    guest.add("/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf", "[keyfile]\n")
    configure(plan := Plan(guest), options())
    plan.apply()
    assert sorted(guest.listdir(folder)) == ["voc-cluster.nmconnection", "wlan.nmconnection"]
    entry = guest.lstat(f"{folder}/voc-cluster.nmconnection")
    assert entry
    assert entry.attributes.mode == 0o600
    assert guest.text("/etc/NetworkManager/conf.d/10-globally-managed-devices.conf") == ""
