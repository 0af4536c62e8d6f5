from __future__ import annotations

import struct

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import acl

NOBODY = 0xFFFFFFFF


def listed(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


SHARED = listed((1, 7, NOBODY), (2, 6, 1234), (4, 5, NOBODY), (16, 7, NOBODY), (32, 1, NOBODY))
PLAIN = listed((1, 7, NOBODY), (4, 5, NOBODY), (32, 0, NOBODY))


def test_a_mode_becomes_owner_mask_and_others_of_a_list() -> None:
    expected = listed((1, 6, NOBODY), (2, 6, 1234), (4, 5, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))
    assert acl.fit(SHARED, 0o640) == expected


def test_a_list_without_a_mask_has_the_groups_bits_themselves() -> None:
    assert acl.fit(PLAIN, 0o641) == listed((1, 6, NOBODY), (4, 4, NOBODY), (32, 1, NOBODY))


def test_a_new_file_inherits_what_a_mode_cannot_say() -> None:
    assert acl.inherited(SHARED, 0o640) == acl.fit(SHARED, 0o640)
    assert acl.inherited(PLAIN, 0o640) is None


def test_entries_of_nobody_are_shown_as_the_kernel_shows_them() -> None:
    by_debugfs = listed((1, 7, 0), (2, 6, 1234), (4, 5, 0), (8, 5, 77), (16, 7, 0), (32, 1, 0))
    by_kernel = listed((1, 7, NOBODY), (2, 6, 1234), (4, 5, NOBODY), (8, 5, 77), (16, 7, NOBODY), (32, 1, NOBODY))
    assert acl.as_kernel_shows(by_debugfs) == by_kernel


@pytest.mark.parametrize("damaged", [b"", b"\2\0\0", SHARED[:-1], SHARED + b"\0"])
def test_a_damaged_list_is_an_error(damaged: bytes) -> None:
    with pytest.raises(GuestError, match="damaged"):
        acl.fit(damaged, 0o644)
