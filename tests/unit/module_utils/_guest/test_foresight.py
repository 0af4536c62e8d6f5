from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import foresight
from ansible_collections.voc.cluster.plugins.module_utils._guest.foresight import Room
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Change,
    Delete,
    HostFile,
    PutDirectory,
    PutFile,
    PutHostFile,
    PutSymlink,
)
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

BEFORE = MemoryTree({"/old": b"x" * 5000, "/d": None})
FOUR = PutFile("/four", b"x" * 3000 + bytes(9000) + b"x", Attributes(), replaces=False)


def _fits(room: Room, *changes: Change) -> bool:
    try:
        foresight.require_room(changes, room, BEFORE.lstat)
    except SpaceError:
        return False
    return True


def test_files_take_whole_blocks_but_for_zeros_that_may_become_holes() -> None:
    assert _fits(Room(4096, 4096), FOUR)
    assert not _fits(Room(4095, 4096), FOUR)
    assert not _fits(Room(4096, 4096), FOUR, PutFile("/one", b"x", Attributes(), replaces=False))
    assert _fits(Room(0, 4096), PutFile("/empty", b"", Attributes(), replaces=False), PutDirectory("/n", Attributes()))


@pytest.mark.parametrize("gone", [Delete("/old", "file"), PutFile("/old", b"", Attributes(), replaces=True)])
def test_what_goes_makes_room(gone: Change) -> None:
    large = PutFile("/large", b"x" * 8192, Attributes(), replaces=False)
    assert not _fits(Room(4096, 4096), large)
    assert _fits(Room(4096, 4096), gone, large)


def test_holes_of_a_file_of_the_builder_take_none(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.write_bytes(b"x")
    os.truncate(path, 1 << 30)
    source = HostFile(str(path), 1 << 30, "")
    assert _fits(Room(1 << 20, 4096), PutHostFile("/sparse", source, Attributes(), replaces=False))
    (tmp_path / "dense").write_bytes(os.urandom(2 << 20))
    dense = HostFile(str(tmp_path / "dense"), 2 << 20, "")
    assert not _fits(Room(1 << 20, 4096), PutHostFile("/dense", dense, Attributes(), replaces=False))


def test_inodes_are_counted_where_they_are_limited() -> None:
    new = [
        PutDirectory("/n", Attributes()),
        PutSymlink("/n/l", "x"),
        PutFile("/n/f", b"", Attributes(), replaces=False),
    ]
    assert _fits(Room(1 << 20, 4096, 3), *new)
    assert not _fits(Room(1 << 20, 4096, 2), *new)
    assert _fits(Room(1 << 20, 4096, 2), Delete("/old", "file"), *new)
    assert _fits(Room(1 << 20, 4096), *new)


@pytest.mark.parametrize(("begun", "again"), [(False, False), (True, True)])
def test_an_error_says_that_a_batch_had_begun(begun: bool, again: bool) -> None:
    for hint in (None, "look"):
        with pytest.raises(GuestError) as caught, foresight.in_the_middle(begun):
            raise GuestError("it failed", hint=hint)
        assert ("make the working image from its source again" in str(caught.value)) == again
        assert ("look" in str(caught.value)) == (hint is not None)
