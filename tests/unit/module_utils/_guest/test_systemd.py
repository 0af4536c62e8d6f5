from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

ADMIN = systemd.ADMIN_FOLDER
SSH = "[Unit]\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\nAlso=ssh.socket\n"


@pytest.fixture
def guest() -> MemoryTree:
    return MemoryTree(
        {
            "/lib": ("->", "usr/lib"),
            "/usr/lib/systemd/system/ssh.service": SSH,
            "/usr/lib/systemd/system/ssh.socket": "[Install]\nRequiredBy=sockets.target \\\n  other.target\n",
            "/usr/lib/systemd/system/static.service": "[Service]\nExecStart=/bin/true\n",
            f"{ADMIN}/own.service": "[Install]\nWantedBy=multi-user.target\n",
        }
    )


def _links(guest: MemoryTree) -> dict[str, str]:
    return {
        path.removeprefix(f"{ADMIN}/"): target
        for path, (entry, _content, target) in guest.nodes.items()
        if entry.kind == "symlink" and path.startswith(ADMIN)
    }


def _do(guest: MemoryTree, what, unit: str) -> int:
    plan = Plan(guest)
    what(plan, unit)
    count = len(plan.changes())
    plan.apply()
    return count


def test_enabling_makes_the_links_of_the_unit_and_of_its_also(guest: MemoryTree) -> None:
    assert _do(guest, systemd.enable, "ssh.service")
    unit, socket = "/usr/lib/systemd/system/ssh.service", "/usr/lib/systemd/system/ssh.socket"
    assert _links(guest) == {
        "multi-user.target.wants/ssh.service": unit,
        "sshd.service": unit,
        "sockets.target.requires/ssh.socket": socket,
        "other.target.requires/ssh.socket": socket,
    }
    assert _do(guest, systemd.enable, "ssh.service") == 0


def test_disabling_removes_the_links_again(guest: MemoryTree) -> None:
    for unit in ("ssh.socket", "own.service"):
        _do(guest, systemd.enable, unit)
        assert _links(guest)
        assert _do(guest, systemd.disable, unit)
        assert _links(guest) == {}
        assert _do(guest, systemd.disable, unit) == 0


def test_a_mask_is_a_link_to_nowhere_that_can_be_taken_back(guest: MemoryTree) -> None:
    _do(guest, systemd.mask, "ssh.service")
    assert _links(guest) == {"ssh.service": "/dev/null"}
    assert _do(guest, systemd.mask, "ssh.service") == 0
    _do(guest, systemd.unmask, "ssh.service")
    assert _links(guest) == {}
    assert _do(guest, systemd.unmask, "ssh.service") == 0


def test_enabling_takes_a_mask_away(guest: MemoryTree) -> None:
    guest.add("/dev/null", b"")
    _do(guest, systemd.mask, "ssh.service")
    _do(guest, systemd.enable, "ssh.service")
    assert "ssh.service" not in _links(guest)
    assert "multi-user.target.wants/ssh.service" in _links(guest)


def test_what_cannot_be_done_is_refused(guest: MemoryTree) -> None:
    for what, unit, finding in (
        (systemd.enable, "none.service", "has no unit none.service"),
        (systemd.enable, "static.service", "no .Install. section"),
        (systemd.mask, "own.service", "stands where its mask would"),
    ):
        with pytest.raises(GuestError, match=finding):
            _do(guest, what, unit)


def test_disabling_what_is_absent_changes_nothing(guest: MemoryTree) -> None:
    assert _do(guest, systemd.disable, "none.service") == 0


def test_units_that_name_each_other_come_to_an_end(guest: MemoryTree) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        guest.add(f"{ADMIN}/{one}.service", f"[Install]\nWantedBy=x.target\nAlso={other}.service\n")
    assert _do(guest, systemd.enable, "a.service") == 3


@pytest.mark.parametrize(
    ("name", "unit"),
    [("ssh", "ssh.service"), ("a.timer", "a.timer"), ("x@1", "x@1.service"), ("org.a", "org.a.service")],
)
def test_a_bare_name_means_a_service(name: str, unit: str) -> None:
    assert systemd.unit_name(name) == unit


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not the name of a unit"):
        systemd.unit_name(name)


@given(st.lists(st.sampled_from(["[Install]", "[Unit]", "WantedBy=../../x", "Alias=/etc/passwd", "Also=", "=", "\\"])))
def test_links_of_any_unit_stay_in_the_administrators_folder(lines: list[str]) -> None:
    guest = MemoryTree({f"{ADMIN}/a.service": "\n".join(lines)})
    plan = Plan(guest)
    try:
        systemd.enable(plan, "a.service")
    except GuestError:
        return
    assert all(change.path.startswith(ADMIN) for change in plan.changes())
