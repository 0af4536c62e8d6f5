from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import services, startup
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

STARTED = [
    ("debian7", "networking"),
    ("debian8", "networking"),
    ("debian13", "networking"),
    ("ubuntu14.04", "networking"),
    ("ubuntu22.04", "systemd-networkd"),
    ("el5", "network"),
    ("el6", "network"),
    ("el7", "network"),
    ("el9", "NetworkManager"),
    ("sles11", "network"),
    ("sles15", "wicked"),
    ("alpine", "networking"),
    ("arch", "systemd-networkd"),
]


@pytest.mark.parametrize(("family", "name"), STARTED)
def test_a_service_is_switched_off_and_on_again(family: str, name: str) -> None:
    guest = FAMILIES[family].tree()
    assert startup.is_started(guest, name)
    plan = Plan(guest)
    services.switch_off(plan, name)
    plan.apply()
    assert not startup.is_started(guest, name)
    again = Plan(guest)
    services.switch_off(again, name)
    assert again.changes() == []
    services.switch_on(again, name)
    again.apply()
    assert startup.is_started(guest, name)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_not_there_is_off_already(family: str) -> None:
    plan = Plan(FAMILIES[family].tree())
    services.switch_off(plan, "connman")
    assert plan.changes() == []


def test_a_service_that_is_not_there_cannot_start() -> None:
    with pytest.raises(GuestError, match=r"no unit wicked\.service"):
        services.switch_on(Plan(FAMILIES["debian13"].tree()), "wicked")


def test_a_unit_of_the_administrators_own_is_not_overwritten() -> None:
    unit = "/etc/systemd/system/connman.service"
    link = "/etc/systemd/system/multi-user.target.wants/connman.service"
    guest = MemoryTree({unit: "[Install]\nWantedBy=multi-user.target\n", link: ("->", unit)})
    plan = Plan(guest)
    services.switch_off(plan, "connman")
    plan.apply()
    assert guest.lstat(link) is None
    assert guest.text(unit)
