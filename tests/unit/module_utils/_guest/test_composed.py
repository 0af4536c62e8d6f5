from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.composed import (
    ComposedTree,
    UnreachableTree,
    below,
    holder,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry, GuestTree
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

POINTS = ("/boot", "/var", "/var/log")


def make() -> tuple[MemoryTree, ComposedTree, dict[str, MemoryTree]]:
    """Return the same directories as one tree and as several."""
    trees = {
        "/": MemoryTree({"/etc": None, "/boot": None, "/var": None}),
        "/boot": MemoryTree({"/grub": None}),
        "/var": MemoryTree({"/log": None, "/lib": None}),
        "/var/log": MemoryTree(),
    }
    whole = MemoryTree({"/etc": None, "/boot/grub": None, "/var/lib": None, "/var/log": None})
    return whole, ComposedTree(trees), trees


def everything(files: GuestTree, folder: str = "/") -> dict[str, tuple[Entry, object]]:
    found: dict[str, tuple[Entry, object]] = {}
    for name in files.listdir(folder):
        path = posixpath.join(folder, name)
        entry = files.lstat(path)
        assert entry
        content: object = None
        if entry.kind == "directory":
            found.update(everything(files, path))
        elif entry.kind == "symlink":
            content = files.readlink(path)
        else:
            content = files.read(path)
            assert files.digests([path]) == {path: MemoryTree({"/a": files.read(path)}).digests(["/a"])["/a"]}
        found[path] = (entry, content)
    return found


NAMES = st.sampled_from(["a", "log", "grub", "link", "boot"])
PATHS = st.builds(
    lambda start, names: posixpath.join(start, *names),
    st.sampled_from(["/", "/etc", "/boot", "/var", "/var/log", "/boot/link", "/var/log/link"]),
    st.lists(NAMES, min_size=1, max_size=2),
).filter(lambda path: path not in POINTS)
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=8)),
    st.tuples(st.just("make_directory"), PATHS),
    st.tuples(st.just("symlink"), PATHS, st.sampled_from(["/boot", "../etc", "/var/log/a", "a", "/"])),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("set_attributes"), st.sampled_from(POINTS), st.just(Attributes(0o711, 1, 2))),
)


def _plan(files: GuestTree, steps: list[tuple]) -> tuple[Plan, list[bool]]:
    plan = Plan(files)
    return plan, [_is_refused(getattr(plan, name), arguments) for name, *arguments in steps]


def _is_refused(step: Callable[..., None], arguments: list[object]) -> bool:
    try:
        step(*arguments)
    except GuestError:
        return True
    return False


@given(st.lists(st.lists(STEPS, max_size=6), max_size=3))
def test_several_trees_behave_as_one(batches: list[list[tuple]]) -> None:
    whole, composed, trees = make()
    for steps in batches:
        planned, refused = _plan(whole, steps)
        other, other_refused = _plan(composed, steps)
        assert other_refused == refused
        assert other.summary() == planned.summary()
        planned.apply()
        other.apply()
        assert everything(composed) == everything(whole)
    # What lies on another filesystem is never put below its mount point.
    assert all(holder(path, ["/", *POINTS]) == "/" or path in POINTS for path in trees["/"].nodes)


@given(st.lists(st.sampled_from(["", "boot", "bootx", "var", "log"]), max_size=4))
def test_a_path_is_held_by_the_nearest_mount_point_above_it(names: list[str]) -> None:
    path = posixpath.normpath("/" + "/".join(names)).replace("//", "/")
    point = holder(path, ["/", *POINTS])
    assert posixpath.normpath(f"{point}/{below(path, point)}").replace("//", "/") == path
    assert not any(len(other) > len(point) and (f"{path}/").startswith(f"{other}/") for other in POINTS)


def test_a_mount_point_is_listed_though_its_directory_is_missing() -> None:
    files = ComposedTree({"/": MemoryTree({"/etc": None}), "/srv": MemoryTree({"/a": "x"})})
    assert files.listdir("/") == ["etc", "srv"]
    assert tree.read_text(files, "/srv/a") == "x"


def test_a_mount_point_cannot_be_removed() -> None:
    _whole, composed, trees = make()
    plan = Plan(composed)
    plan.remove("/boot")
    with pytest.raises(GuestError, match="a filesystem is mounted there"):
        plan.apply()
    assert [files.applied for files in trees.values()] == [[]] * 4


def test_nothing_is_done_to_one_tree_where_another_has_no_room() -> None:
    class Full(MemoryTree):
        def foresee(self, changes: Sequence[tree.Change]) -> None:
            raise SpaceError("the image is full")

    trees = {"/": MemoryTree(), "/var": Full()}
    plan = Plan(ComposedTree(trees))
    plan.write("/first", b"")
    plan.write("/var/second", b"")
    with pytest.raises(SpaceError):
        plan.apply()
    assert [files.applied for files in trees.values()] == [[], []]


def test_an_error_in_the_middle_says_so() -> None:
    class Broken(MemoryTree):
        def apply(self, changes: Sequence[tree.Change]) -> None:
            raise GuestError("it broke")

    for trees, again in (
        ({"/": MemoryTree(), "/var": Broken()}, True),
        ({"/": Broken(), "/var": MemoryTree()}, False),
    ):
        plan = Plan(ComposedTree(trees))
        plan.write("/first", b"")
        plan.write("/var/second", b"")
        with pytest.raises(GuestError) as caught:
            plan.apply()
        assert ("some of the changes were made" in str(caught.value)) == again


def test_errors_name_the_guests_path() -> None:
    class Full(MemoryTree):
        def read(self, path: str) -> bytes:
            raise tree.too_large(path, 99)

    composed = ComposedTree({"/": MemoryTree(), "/boot": Full({"/initrd": ""})})
    with pytest.raises(GuestError, match=r"too many to read") as caught:
        composed.read("/boot/initrd")
    assert caught.value.where == "/boot/initrd"


def test_what_cannot_be_reached_says_why_but_only_to_those_who_look() -> None:
    reason = InputError("xfs can only be reached by a mount", where="disk, partition 3", hint="be root")
    files = ComposedTree({"/": MemoryTree({"/etc/fstab": "", "/data": None}), "/data": UnreachableTree(reason)})
    plan = Plan(files)
    plan.write("/etc/fstab", b"new")
    plan.make_directory("/data")
    plan.apply()
    for look in (
        lambda: tree.read_text(files, "/data/a"),
        lambda: files.listdir("/data"),
        lambda: plan.remove("/data"),
    ):
        with pytest.raises(InputError, match="can only be reached by a mount"):
            look()
