"""What the guest's own files are while something else is mounted over them, and afterwards."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._stand_ins import PLACEHOLDER, StandIn, forget, places
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

PATH = "/etc/resolv.conf"
WANTED = [StandIn(PATH, b"nameserver 192.0.2.1\n")]


def test_a_file_of_the_guests_is_covered_and_never_written() -> None:
    guest = MemoryTree({PATH: "own\n"})
    with places(guest, WANTED, []) as found:
        assert [one.path for one in found] == [PATH]
    assert not guest.applied
    assert guest.text(PATH) == "own\n"


def test_a_link_is_followed_inside_the_guest() -> None:
    guest = MemoryTree({PATH: ("->", "../opt/resolver"), "/opt/resolver": "own\n"})
    with places(guest, WANTED, []) as found:
        assert [one.path for one in found] == ["/opt/resolver"]


def test_what_is_below_a_private_folder_needs_nothing_in_the_guest() -> None:
    guest = MemoryTree({PATH: ("->", "../run/systemd/resolve/stub-resolv.conf"), "/run": None})
    with places(guest, WANTED, ["/run"]) as found:
        assert [one.path for one in found] == ["/run/systemd/resolve/stub-resolv.conf"]
    assert not guest.applied


@pytest.mark.parametrize("left", [False, True], ids=["nothing", "a killed run's"])
def test_a_placeholder_stands_where_nothing_is_only_meanwhile(left: bool) -> None:
    guest = MemoryTree({"/etc": None, **({PATH: PLACEHOLDER} if left else {})})
    with places(guest, WANTED, []):
        assert guest.read(PATH) == PLACEHOLDER
        assert not guest.nodes[PATH][0].attributes.mode & 0o111
    assert guest.lstat(PATH) is None


def test_a_placeholder_that_the_guest_replaced_stays_replaced() -> None:
    guest = MemoryTree({"/etc": None})
    with places(guest, WANTED, []):
        guest.add(PATH, "new\n")
    assert guest.text(PATH) == "new\n"


def test_what_a_killed_run_left_is_removed_by_one_that_needs_it_not() -> None:
    guest = MemoryTree({PATH: PLACEHOLDER, "/etc/hosts": PLACEHOLDER + b"own\n"})
    forget(guest, [PATH, "/etc/hosts", "/etc/none", "/etc/none/none"])
    assert guest.lstat(PATH) is None
    assert guest.lstat("/etc/hosts") is not None


def test_where_no_file_can_stand_none_is_seen() -> None:
    guest = MemoryTree({PATH: ("->", "../srv/none/resolver"), "/srv": None})
    with places(guest, WANTED, []) as found:
        assert found == []
    assert not guest.applied


@pytest.mark.parametrize("target", ["/dev/null", "/proc/net/resolver"])
def test_where_the_sandbox_mounts_its_own_nothing_stands_in(target: str) -> None:
    guest = MemoryTree({PATH: ("->", target), "/dev": None, "/proc/net": None})
    with places(guest, WANTED, []) as found:
        assert found == []
    assert not guest.applied


def test_something_else_than_a_file_is_refused() -> None:
    with (
        pytest.raises(GuestError, match="a directory stands where a file should be"),
        places(MemoryTree({PATH: None}), WANTED, []),
    ):
        pass
