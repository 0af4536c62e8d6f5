from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import resolver
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import wanted


def test_resolved_is_started_and_asked_where_there_is_one() -> None:
    guest = FAMILIES["arch"].tree()
    plan = Plan(guest)
    resolver.give_to_resolved(plan, wanted())
    plan.apply()
    assert guest.readlink("/etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
    assert guest.lstat("/etc/systemd/system/multi-user.target.wants/systemd-resolved.service")


def test_what_is_wanted_takes_the_place_of_a_link() -> None:
    guest = MemoryTree({"/etc/resolv.conf": ("->", "../run/resolvconf/resolv.conf")})
    plan = Plan(guest)
    resolver.give_to_resolved(plan, wanted(dns=["192.0.2.2"]))
    plan.apply()
    assert guest.text("/etc/resolv.conf") == "# Written by voc.cluster.\nnameserver 192.0.2.2\n"
    assert guest.lstat("/run") is None


def test_without_a_wish_the_file_stays() -> None:
    plan = Plan(MemoryTree({"/etc/resolv.conf": "nameserver 192.0.2.9\n"}))
    resolver.write_down(plan, wanted())
    assert plan.changes() == []
