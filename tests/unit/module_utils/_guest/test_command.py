from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import command, databases
from ansible_collections.voc.cluster.plugins.module_utils._guest.accounts import Account
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

PASSWD = "root:x:0:0:root:/root:/bin/sh\nodd:x:-1:0::/:\nstar:x:1001:100:STAR:/home/star:/bin/sh\n"
STAR = Account("star", 1001, 100, "/home/star")


def test_what_is_created_or_removed_already_needs_no_command() -> None:
    guest = MemoryTree({"/opt/done": "", "/opt/link": ("->", "/opt/done"), "/opt/dangling": ("->", "/srv/none")})
    assert command.unneeded(guest, "/opt/done", None) == "skipped, since /opt/done exists"
    assert command.unneeded(guest, "/opt/link", None)
    assert command.unneeded(guest, "/opt/dangling", None) is None
    assert command.unneeded(guest, None, "/opt/none") == "skipped, since /opt/none does not exist"
    assert command.unneeded(guest, None, "/opt/done") is None
    assert command.unneeded(guest, None, None) is None


def test_an_account_is_the_guests() -> None:
    assert command.account(MemoryTree({databases.PASSWD: PASSWD}), "star") == STAR


@pytest.mark.parametrize("name", ["none", "odd", "", "0"])
def test_who_is_no_user_of_the_guest_is_refused(name: str) -> None:
    with pytest.raises(GuestError, match="there is no user"):
        command.account(MemoryTree({databases.PASSWD: PASSWD}), name)


@given(st.text())
def test_any_passwd_is_read(text: str) -> None:
    assert command.account(MemoryTree({databases.PASSWD: PASSWD + text}), "star") == STAR


def test_a_user_is_taken_on_by_setpriv_or_by_su() -> None:
    argv = ["id", "-u"]
    full = command.as_user(MemoryTree({"/usr/bin/setpriv": ""}), STAR, argv)
    assert full == ["setpriv", "--reuid=1001", "--regid=100", "--init-groups", "--", "id", "-u"]
    small = MemoryTree({"/usr/bin/setpriv": ("->", "/bin/busybox"), "/bin/busybox": ""})
    for guest in (MemoryTree(), small):
        assert command.as_user(guest, STAR, argv)[0] == "su"
        assert command.as_user(guest, STAR, argv)[-2:] == argv


def test_variables_that_are_given_win() -> None:
    assert command.variables(None, {"A": "b"}) == {"A": "b"}
    assert command.variables(STAR, {"HOME": "/x"}) == {"HOME": "/x", "USER": "star", "LOGNAME": "star"}
