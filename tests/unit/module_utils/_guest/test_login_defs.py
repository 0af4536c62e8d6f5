from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.login_defs import LoginDefs, parse

DEBIAN = "UID_MIN\t\t\t 1000\nUID_MAX 60000 # a comment\n#SYS_UID_MIN 100\nUMASK\t022\nUSERGROUPS_ENAB yes\n"


def test_values_are_read_as_shadow_writes_them() -> None:
    defs = LoginDefs(parse(f'{DEBIAN}PASS_MAX_DAYS 0x10\nHOME_MODE 0750\nMAIL_DIR "/var/mail"\nGROUP=100\nALONE\n'))
    assert (defs.number("UID_MIN", 1), defs.number("SYS_UID_MIN", 7), defs.number("PASS_MAX_DAYS", 1)) == (1000, 7, 16)
    assert (defs.values["MAIL_DIR"], defs.values["GROUP"]) == ("/var/mail", "100")
    assert defs.says_yes("USERGROUPS_ENAB")
    assert defs.home_mode() == 0o750
    assert LoginDefs({"UMASK": "077"}).home_mode() == 0o700
    assert LoginDefs({}).home_mode() == 0o755


def test_new_numbers_follow_the_highest_and_those_of_the_system_go_down() -> None:
    defs = LoginDefs(parse(DEBIAN))
    assert defs.free_id("UID", {0, 1, 65534}, system=False) == 1000
    assert defs.free_id("UID", {0, 1000, 1004}, system=False) == 1005
    assert defs.free_id("UID", {0, 1000, 60000}, system=False) == 1001
    assert defs.free_id("UID", {0, 1, 1000}, system=True) == 999
    assert defs.free_id("UID", {998, 990}, system=True) == 989
    assert defs.free_id("UID", {999, 998, 101}, system=True) == 997
    assert LoginDefs({"UID_MIN": "500"}).free_id("UID", {0}, system=True) == 499


@given(st.sets(st.integers(0, 12)), st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_a_number_is_free_and_in_its_range_or_refused(used: set[int], first: int, last: int, system: bool) -> None:
    prefix = "SYS_" if system else ""
    defs = LoginDefs({f"{prefix}UID_MIN": str(first), f"{prefix}UID_MAX": str(last)})
    free = set(range(first, last + 1)) - used
    if free:
        assert defs.free_id("UID", used, system=system) in free
    else:
        with pytest.raises(GuestError):
            defs.free_id("UID", used, system=system)


@given(st.text(st.sampled_from("UID_MIN 01x#=\n\t\udc80"), max_size=40))
def test_any_text_can_be_read(text: str) -> None:
    defs = LoginDefs(parse(text))
    assert defs.number("UID_MIN", 1) >= 0
    assert 0 <= defs.home_mode() <= 0o777


@pytest.mark.parametrize("word", ["9999999999", "0xFFFFFFFF", "4294967295"])
def test_a_number_that_no_user_can_have_is_never_given(word: str) -> None:
    for system in (False, True):
        prefix = "SYS_" if system else ""
        with pytest.raises(GuestError, match="is free"):
            LoginDefs({f"{prefix}UID_MIN": word, f"{prefix}UID_MAX": word}).free_id("UID", {0}, system=system)
    assert LoginDefs({"SYS_GID_MIN": "1", "SYS_GID_MAX": word}).free_id("GID", {0}, system=True) == 0xFFFFFFFE
