from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.protected import (
    APPEND_ONLY,
    IMMUTABLE,
    require_unprotected,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Change,
    Delete,
    PutDirectory,
    PutFile,
    PutSymlink,
    SetAttributes,
    SetXattr,
)

MADE: list[Change] = [
    PutFile("/d/f", b"", Attributes(), replaces=False),
    PutDirectory("/d/f", Attributes()),
    PutSymlink("/d/f", "x"),
]
GONE: list[Change] = [Delete("/d/f", "file"), PutFile("/d/f", b"", Attributes(), replaces=True)]
CHANGED: list[Change] = [SetAttributes("/d/f", Attributes()), SetXattr("/d/f", "user.a", None)]


def is_refused(change: Change, flags: dict[str, int]) -> bool:
    try:
        require_unprotected([change], lambda path: flags.get(path, 0))
    except GuestError:
        return True
    return False


@pytest.mark.parametrize("change", [*MADE, *GONE, *CHANGED])
def test_what_is_not_protected_may_change(change: Change) -> None:
    assert not is_refused(change, {"/": IMMUTABLE, "/d/other": APPEND_ONLY, "/d": 0x80000})


def test_names_neither_come_nor_go_in_an_immutable_directory() -> None:
    assert [is_refused(change, {"/d": IMMUTABLE}) for change in (*MADE, *GONE)] == [True] * 5
    assert [is_refused(change, {"/d": IMMUTABLE}) for change in CHANGED] == [False] * 2


def test_names_only_come_in_an_append_only_directory() -> None:
    assert [is_refused(change, {"/d": APPEND_ONLY}) for change in MADE] == [False] * 3
    assert [is_refused(change, {"/d": APPEND_ONLY}) for change in GONE] == [True] * 2


@pytest.mark.parametrize("flag", [IMMUTABLE, APPEND_ONLY])
def test_a_protected_file_is_left_alone(flag: int) -> None:
    assert [is_refused(change, {"/d/f": flag}) for change in (*GONE, *CHANGED)] == [True] * 4
