from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import databases as db

ANY_TEXT = st.text(st.sampled_from("ab:+-#x19,\n\r \udc80"), max_size=60)
PATHS = st.sampled_from([db.PASSWD, db.SHADOW, db.GROUP, db.GSHADOW, db.SUBUID])
NAMES = st.sampled_from(["a", "b", "new"])
FIELDS = ["x", "1001", "1001", "", "/home/a", "/bin/sh"]


@given(ANY_TEXT, PATHS, NAMES)
def test_an_entry_is_written_once_and_no_other_line_changes(text: str, path: str, name: str) -> None:
    once = db.with_entry(text, path, [name, *FIELDS])
    assert db.find(once, path, name) == [name, *FIELDS]
    assert db.with_entry(once, path, [name, *FIELDS]) == once
    before, after = text.split("\n"), once.split("\n")
    changed = [line for line in after if line and line not in before]
    assert changed in ([], [":".join([name, *FIELDS])])
    assert len(after) - len(before) in (0, 1, 2)  # a last line may have had no end


@given(ANY_TEXT, PATHS, NAMES)
def test_entries_of_a_name_go_and_no_other_line(text: str, path: str, name: str) -> None:
    gone = db.without_entry(text, path, name)
    assert db.find(gone, path, name) is None
    kept = iter(text.split("\n"))
    assert all(line in kept for line in gone.split("\n") if line)
    assert db.without_entry(gone, path, name) == gone


@given(ANY_TEXT, st.sampled_from([db.GROUP, db.GSHADOW]), NAMES, NAMES)
def test_members_come_and_go(text: str, path: str, group: str, user: str) -> None:
    joined = db.with_member(text, path, group, user)
    if db.find(text, path, group) is None:
        assert joined == text
        return
    fields = db.find(joined, path, group)
    assert fields
    assert user in db.members(fields)
    assert db.with_member(joined, path, group, user) == joined
    left = db.find(db.without_member(joined, path, [group], user), path, group)
    assert left
    assert user not in db.members(left)


def test_new_entries_stand_before_those_of_nis() -> None:
    text = "root:x:0:0::/root:/bin/sh\n+@grid::::::\n-bad::::::\n+::::::\n"
    assert db.with_entry(text, db.PASSWD, ["a", *FIELDS]).split("\n")[1] == ":".join(["a", *FIELDS])
    assert db.find(text, db.PASSWD, "+") is None
    assert db.without_entry(text, db.PASSWD, "root") == text.partition("\n")[2]


def test_the_first_of_two_entries_counts() -> None:
    text = "a:x:1:1::/:/a\na:x:2:2::/:/b\n"
    assert db.find(text, db.PASSWD, "a") == ["a", "x", "1", "1", "", "/", "/a"]
    assert db.with_entry(text, db.PASSWD, ["a", *FIELDS]).endswith("\na:x:2:2::/:/b\n")
    assert db.without_entry(text, db.PASSWD, "a") == ""


@pytest.mark.parametrize("field", ["a:b", "a\nb", "a\0b"])
def test_a_field_that_would_make_others_is_refused(field: str) -> None:
    with pytest.raises(InputError):
        db.with_entry("", db.PASSWD, ["a", field])


@pytest.mark.parametrize("name", ["", "1a", "a b", "a:b", "-a", "+a", "a/b", "a" * 300, "é", "a\n"])
def test_a_name_that_no_account_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        db.require_name(name)


@pytest.mark.parametrize("name", ["a", "condor", "_apt", "systemd-network", "host$", "first.last"])
def test_usual_names_are_taken(name: str) -> None:
    db.require_name(name)
