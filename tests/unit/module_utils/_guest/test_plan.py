from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan, result
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Delete,
    HostFile,
    PutDirectory,
    PutFile,
    PutHostFile,
    PutSymlink,
    SetAttributes,
    SetXattr,
)
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

SECRET = Attributes(0o600, 5, 6)


@pytest.fixture
def guest() -> MemoryTree:
    guest = MemoryTree(
        {
            "/etc/motd": "hello\n",
            "/etc/dir/one": "1",
            "/etc/dir/sub/two": "2",
            "/etc/link": ("->", "motd"),
            "/folder": ("->", "/etc/dir"),
        }
    )
    guest.add("/etc/secret", "password\n", SECRET)
    return guest


def test_a_file_is_made_with_its_parents_first(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/srv/a/b", b"x", SECRET)
    assert plan.changes() == [
        PutDirectory("/srv", Attributes(0o755)),
        PutDirectory("/srv/a", Attributes(0o755)),
        PutFile("/srv/a/b", b"x", SECRET, replaces=False),
    ]


def test_a_replaced_file_keeps_its_attributes(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/secret", b"other")
    assert plan.changes() == [PutFile("/etc/secret", b"other", SECRET, replaces=True)]


@pytest.fixture
def host_file(tmp_path: Path) -> HostFile:
    (tmp_path / "big").write_bytes(b"hullo\n")
    return HostFile(str(tmp_path / "big"), 6, hashlib.sha256(b"hullo\n").hexdigest())


def test_a_file_of_the_builder_is_copied_in_until_it_is_there(guest: MemoryTree, host_file: HostFile) -> None:
    def planned() -> Plan:
        plan = Plan(guest)
        plan.copy_in("/etc/link", host_file)  # what is there has the same size
        plan.copy_in("/srv/big", host_file, SECRET)
        return plan

    plan = planned()
    assert plan.read("/srv/big") == b"hullo\n"
    assert plan.changes() == [
        PutDirectory("/srv", Attributes(0o755)),
        PutHostFile("/etc/motd", host_file, Attributes(), replaces=True),
        PutHostFile("/srv/big", host_file, SECRET, replaces=False),
    ]
    assert [change["action"] for change in plan.summary()] == ["make directory", "write", "write"]
    assert "not shown: 6 bytes" in plan.diff()[2]["after"]
    plan.apply()
    assert planned().changes() == []


def test_new_attributes_of_a_file_of_the_builder_keep_its_content(guest: MemoryTree, host_file: HostFile) -> None:
    plan = Plan(guest)
    plan.copy_in("/etc/motd", host_file)
    plan.set_attributes("/etc/motd", SECRET)
    assert plan.changes() == [PutHostFile("/etc/motd", host_file, SECRET, replaces=True)]


def test_a_host_file_that_is_too_large_to_read_is_refused(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.copy_in("/big", HostFile("/absent", tree.READ_LIMIT + 1, ""))
    with pytest.raises(GuestError, match="too many to read"):
        plan.read("/big")


def test_writing_through_a_link_changes_what_it_points_to(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/link", b"new")
    plan.write("/folder/three", b"3")
    assert [change.path for change in plan.changes()] == ["/etc/motd", "/etc/dir/three"]
    assert plan.read("/etc/motd") == b"new"


def test_only_new_attributes_leave_the_content_alone(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/motd", b"hello\n", SECRET)
    plan.set_attributes("/etc/dir", Attributes(0o700))
    assert plan.changes() == [SetAttributes("/etc/motd", SECRET), SetAttributes("/etc/dir", Attributes(0o700))]


def test_a_directory_is_made_or_takes_on_attributes(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.make_directory("/etc/dir", Attributes(0o700))
    plan.make_directory("/etc")
    plan.make_directory("/new", Attributes(0o711, 1, 1))
    assert plan.changes() == [
        PutDirectory("/new", Attributes(0o711, 1, 1)),
        SetAttributes("/etc/dir", Attributes(0o700)),
    ]


def test_a_directory_goes_with_all_it_holds_from_the_inside(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.remove("/etc/dir")
    changes = plan.changes()
    assert {change.path for change in changes} == {"/etc/dir", "/etc/dir/one", "/etc/dir/sub", "/etc/dir/sub/two"}
    plan.apply()
    assert guest.lstat("/etc/dir") is None


def test_removing_a_link_keeps_what_it_points_to(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.remove("/folder")
    assert plan.changes() == [Delete("/folder", "symlink")]


def test_a_link_takes_the_place_of_a_file_or_another_link(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.symlink("/etc/motd", "/run/motd")
    plan.symlink("/etc/link", "elsewhere")
    plan.symlink("/folder", "/etc/dir")
    assert sorted(plan.changes(), key=str) == [
        Delete("/etc/link", "symlink"),
        Delete("/etc/motd", "file"),
        PutSymlink("/etc/link", "elsewhere"),
        PutSymlink("/etc/motd", "/run/motd"),
    ]
    plan.apply()
    assert guest.readlink("/etc/motd") == "/run/motd"


def test_removals_come_before_additions(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/a", b"1")
    plan.remove("/etc/dir")
    plan.write("/etc/dir", b"now a file")
    kinds = [isinstance(change, Delete) for change in plan.changes()]
    assert kinds == sorted(kinds, reverse=True)
    plan.apply()
    assert guest.read("/etc/dir") == b"now a file"


def test_edits_that_cancel_out_leave_no_change(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/motd", b"other")
    plan.write("/etc/motd", b"hello\n")
    plan.symlink("/new", "x")
    plan.remove("/new")
    plan.remove("/etc/link")
    plan.symlink("/etc/link", "motd")
    plan.set_attributes("/etc/secret", Attributes(0o644))
    plan.set_attributes("/etc/secret", SECRET)
    assert plan.changes() == []
    assert result(plan) == {"changed": False, "changes": [], "notes": [], "diff": []}


def test_the_view_shows_the_guest_as_it_will_be(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.remove("/etc/dir")
    plan.write("/etc/new", b"n")
    assert plan.listdir("/etc") == ["link", "motd", "new", "secret"]
    assert plan.lstat("/etc/dir/one") is None
    plan.make_directory("/etc/dir")
    assert plan.listdir("/etc/dir") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.write("/etc", b""),
        lambda plan: plan.make_directory("/etc/motd"),
        lambda plan: plan.symlink("/etc/dir", "x"),
        lambda plan: plan.remove("/"),
        lambda plan: plan.remove("/etc/../.."),
        lambda plan: plan.set_attributes("/none", SECRET),
        lambda plan: plan.write("/etc/motd/below", b""),
    ],
)
def test_what_cannot_be_done_is_refused(guest: MemoryTree, change) -> None:
    plan = Plan(guest)
    with pytest.raises(GuestError):
        change(plan)
    assert plan.changes() == []


def test_a_change_that_does_not_take_is_noticed(guest: MemoryTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "apply", lambda changes: None)
    plan = Plan(guest)
    plan.write("/etc/motd", b"new")
    with pytest.raises(ToolError, match="/etc/motd: a change to the guest did not take"):
        plan.apply()


def test_a_diff_shows_text_links_and_attributes(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/motd", b"h\xff\x1b[1m\n", Attributes(0o755, 1, 2))
    plan.symlink("/etc/link", "secret")
    shown = {entry["after_header"]: (entry["before"], entry["after"]) for entry in plan.diff() if entry["after"]}
    assert shown["/etc/motd"] == (
        "file, mode 0644, owner 0:0\nhello\n",
        "file, mode 0755, owner 1:2\nh\ufffd\\x1b[1m\n",
    )
    assert shown["/etc/link"][1] == "link to secret\n"


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o600)])
def test_a_diff_hides_what_not_everybody_may_read(before: int, after: int) -> None:
    guest = MemoryTree()
    guest.add("/key", "old-secret" if not before & 4 else "public", Attributes(before))
    plan = Plan(guest)
    plan.write("/key", b"new-secret", Attributes(after))
    assert "secret" not in str(plan.diff())
    assert "content not shown" in plan.diff()[0]["after"]


def test_a_diff_hides_what_a_removed_secret_held(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.remove("/etc/secret")
    assert "password" not in str(plan.diff())


def test_a_diff_leaves_out_long_and_binary_content() -> None:
    plan = Plan(MemoryTree({"/long": b"x" * 70_000}))
    plan.write("/long", b"\0")
    (shown,) = plan.diff()
    assert "not shown" in shown["before"]
    assert "not shown" in shown["after"]


def test_a_summary_is_printable(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/etc/a\nb\udcff", b"")
    assert plan.summary() == [{"path": "/etc/a\\nb\\udcff", "action": "write"}]


NAMES = ("a", "b", "c")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
ATTRIBUTES = st.builds(Attributes, st.sampled_from([0o644, 0o600, 0o755]), st.integers(0, 2))
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=2), st.none() | ATTRIBUTES),
    st.tuples(st.just("make_directory"), PATHS, st.none() | ATTRIBUTES),
    st.tuples(st.just("symlink"), PATHS, PATHS | st.sampled_from(["a", "../b", "..", "/"])),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("set_attributes"), PATHS, ATTRIBUTES),
)


def _play(guest: MemoryTree, steps: list[tuple]) -> Plan:
    plan = Plan(guest)
    for name, *arguments in steps:
        with contextlib.suppress(GuestError):
            getattr(plan, name)(*arguments)
    return plan


def _snapshot(view: tree.View, path: str = "/") -> dict:
    entry = view.lstat(path)
    assert entry
    if entry.kind == "symlink":
        return {path: view.readlink(path)}
    if entry.kind == "file":
        return {path: (entry, view.read(path))}
    inner = {path: entry.attributes}
    for name in view.listdir(path):
        inner.update(_snapshot(view, f"{path.rstrip('/')}/{name}"))
    return inner


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=8), st.lists(STEPS, max_size=8))
def test_what_was_planned_is_what_is_there_afterwards(before: list[tuple], steps: list[tuple]) -> None:
    guest = MemoryTree()
    _play(guest, before).apply()
    plan = _play(guest, steps)
    expected = _snapshot(plan)
    plan.apply()
    assert _snapshot(guest) == expected
    assert plan.changes() == []
    assert plan.diff() == []


LABEL = b"system_u:object_r:etc_t:s0\0"


def test_attributes_are_set_on_what_stands_there_in_the_end(guest: MemoryTree) -> None:
    plan = Plan(guest)
    plan.write("/new/file", b"x")
    plan.symlink("/new/link", "file")
    plan.symlink("/etc/link", "elsewhere")
    plan.write("/gone", b"")
    for path in ("/new/file", "/new", "/new/link", "/etc/link", "/etc/motd", "/gone"):
        plan.set_xattr(path, "security.selinux", LABEL)
    plan.remove("/gone")
    assert plan.xattrs("/new/link") == {"security.selinux": LABEL}
    paths = ("/new/file", "/new", "/new/link", "/etc/link", "/etc/motd")
    assert plan.changes()[-5:] == [SetXattr(path, "security.selinux", LABEL) for path in paths]
    plan.apply()
    assert guest.extended == {path: {"security.selinux": LABEL} for path in paths}


def test_attributes_that_are_there_are_no_change(guest: MemoryTree) -> None:
    guest.extended = {path: {"trusted.a": b"1", "trusted.b": b"2"} for path in ("/etc/motd", "/etc/link")}
    plan = Plan(guest)
    for path in ("/etc/motd", "/etc/link"):
        plan.set_xattr(path, "trusted.a", b"1")
        plan.set_xattr(path, "trusted.b", b"3")
    plan.write("/etc/motd", b"other")  # keeps them
    plan.symlink("/etc/link", "elsewhere")  # is another link, without
    assert plan.changes()[-3:] == [
        SetXattr("/etc/motd", "trusted.b", b"3"),
        SetXattr("/etc/link", "trusted.a", b"1"),
        SetXattr("/etc/link", "trusted.b", b"3"),
    ]
    assert plan.diff()[-3]["before"] == "trusted.b=2\n"
    assert plan.diff()[-3]["after"] == "trusted.b=3\n"
    assert plan.diff()[-2]["before"] == ""


@pytest.mark.parametrize("name", ["system.posix_acl_access", "selinux", "user.", "security.a\nb", ""])
def test_attributes_of_other_kinds_are_refused(guest: MemoryTree, name: str) -> None:
    with pytest.raises(GuestError, match="extended attribute"):
        Plan(guest).set_xattr("/etc/motd", name, b"")


def test_attributes_of_nothing_are_refused(guest: MemoryTree) -> None:
    with pytest.raises(GuestError, match="no such file"):
        Plan(guest).set_xattr("/none", "trusted.a", b"")
