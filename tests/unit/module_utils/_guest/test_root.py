from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.root import find, is_system
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext, make_xfs_head, plant
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

DEBIAN = {"/etc/os-release": ("->", "../usr/lib/os-release"), "/bin": ("->", "usr/bin"), "/usr": None}
OLD = {"/etc/hosts": "", "/bin/sh": ""}
BOOT = {"/vmlinuz-6.1": "", "/grub/grub.cfg": "", "/efi": None}
USR = {"/bin/env": "", "/etc/skel/x": "", "/lib/os-release": "", "/share": None}
VAR = {"/log/syslog": "", "/lib/dpkg/status": "", "/spool": None}
HOME = {"/alice/etc/fstab": "", "/alice/bin/sh": ""}
ROOTFUL: dict[str, str | bytes] = {"/etc/fstab": "", "/usr/bin/env": ""}


@pytest.mark.parametrize("files", [DEBIAN, OLD, {**OLD, "/etc/fstab": ("->", "/run/loop")}])
def test_a_root_has_what_a_system_has(files: dict) -> None:
    assert is_system(MemoryTree(files))


@pytest.mark.parametrize("files", [{}, BOOT, USR, VAR, HOME, {"/etc/fstab": ""}, {"/etc": "", "/bin": None}])
def test_what_lies_beside_a_root_is_none(files: dict) -> None:
    assert not is_system(MemoryTree(files))


NAMES = st.sampled_from(["/etc", "/bin", "/usr", "/etc/fstab", "/etc/os-release", "/usr/lib/os-release", "/boot"])
KINDS = st.sampled_from([None, "", ("->", "/etc"), ("->", "loop"), ("->", "../" * 50)])


@given(st.dictionaries(NAMES, KINDS))
def test_any_tree_has_an_answer(files: dict) -> None:
    tree = MemoryTree()
    for path, content in files.items():
        if tree.nodes.get(os.path.dirname(path), (None,))[0] == tree.nodes["/"][0]:
            tree.add(path, content)
    assert is_system(tree) in (True, False)


def _found(runner: Runner, disk: Path) -> int | None:
    return find(runner, contents.look(str(disk)), str(disk)).partition


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "root", plant(tmp_path / "tree", ROOTFUL))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "other", plant(tmp_path / "kernels", {"/vmlinuz-6.1": "", "/etc/fstab": ""}))


def test_the_one_with_a_system_is_found_among_several(runner: Runner, root: Path, other: Path, tmp_path: Path) -> None:
    assert _found(runner, make_disk(tmp_path / "disk", other, other, root)) == 3
    # Nothing needs to be mounted for that, whatever else is there.
    beside = make_xfs_head(tmp_path / "xfs")
    assert _found(runner, make_disk(tmp_path / "disk", beside, root, other, beside)) == 2


def test_the_only_one_left_is_the_root(runner: Runner, other: Path, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", other, make_xfs_head(tmp_path / "xfs"))
    assert _found(runner, disk) == 2


def test_two_systems_are_refused_by_their_numbers(runner: Runner, root: Path, other: Path, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", root, other, root)
    with pytest.raises(GuestError, match=r"on partition 1 and 3; say which is meant, for example with root: 1"):
        _found(runner, disk)
    assert find(runner, contents.look(str(disk)), str(disk), 3).partition == 3


def test_an_ordinary_user_is_told_what_helps(
    runner: Runner, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    xfs = make_xfs_head(tmp_path / "xfs")
    disk = make_disk(tmp_path / "disk", xfs, other, xfs)
    with pytest.raises(InputError, match=r"needs root, can tell which of the partitions 1 and 3.*root: 1"):
        _found(runner, disk)
    assert find(runner, contents.look(str(disk)), str(disk), 1).partition == 1


def test_no_system_is_no_root(runner: Runner, other: Path, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"cannot be told \(filesystems found: ext4, ext4\).*option root"):
        _found(runner, make_disk(tmp_path / "disk", other, other))
    assert make_disk(tmp_path / "one", other).stat().st_size == MIB + other.stat().st_size
