from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils import _cpu_time
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import accounts
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

KEY = "ssh-ed25519 AAAAkey one@site"
PASSWD = "\n".join(
    [
        "root:x:0:0:root:/root:/bin/bash",
        "broken",
        "odd:x:²:0::/home:/bin/sh",
        f"vast:x:{'9' * 5000}:0::/home:/bin/sh",
        "griduser:x:1001:1002::/home/griduser:/bin/bash",
    ]
)


@pytest.fixture
def guest() -> MemoryTree:
    return MemoryTree({"/etc/passwd": PASSWD, "/etc/group": "root:x:0:\nbad:x:²:\ngrid:x:1002:a,b\n"})


def _authorize(guest: MemoryTree, key: str) -> int:
    plan = Plan(guest)
    accounts.authorize_key(plan, "griduser", key)
    count = len(plan.changes())
    plan.apply()
    return count


def test_accounts_are_found_by_the_guests_own_files(guest: MemoryTree) -> None:
    assert accounts.find_account(guest, "griduser") == accounts.Account("griduser", 1001, 1002, "/home/griduser")
    assert (accounts.user_id(guest, "griduser"), accounts.user_id(guest, "77")) == (1001, 77)
    assert (accounts.group_id(guest, "grid"), accounts.group_id(guest, "77")) == (1002, 77)


@pytest.mark.parametrize("name", ["none", "broken", "odd", "vast", "²", ""])
def test_an_account_that_is_not_there_is_refused(guest: MemoryTree, name: str) -> None:
    with pytest.raises(GuestError, match="the guest has no user"):
        accounts.user_id(guest, name)
    with pytest.raises(GuestError, match="the guest has no group"):
        accounts.group_id(guest, name)


def test_a_key_is_added_for_its_user_alone_and_once(guest: MemoryTree) -> None:
    assert _authorize(guest, KEY)
    folder, file = guest.lstat("/home/griduser/.ssh"), guest.lstat("/home/griduser/.ssh/authorized_keys")
    assert folder
    assert file
    assert folder.attributes == Attributes(0o700, 1001, 1002)
    assert file.attributes == Attributes(0o600, 1001, 1002)
    assert guest.text("/home/griduser/.ssh/authorized_keys") == f"{KEY}\n"
    assert _authorize(guest, KEY) == 0
    assert _authorize(guest, "ssh-ed25519 AAAAkey renamed") == 0


def test_other_keys_stay(guest: MemoryTree) -> None:
    path = "/home/griduser/.ssh/authorized_keys"
    guest.add(path, 'from="10.*" ssh-rsa AAAAother\n# ssh-ed25519 AAAAkey switched off')
    _authorize(guest, KEY)
    assert guest.text(path).splitlines()[2:] == [KEY]
    assert _authorize(guest, "ssh-rsa AAAAother") == 0


def test_comments_among_the_keys_are_no_keys(guest: MemoryTree) -> None:
    assert _authorize(guest, f"# ann's laptop\n\n{KEY}\n")
    assert guest.text("/home/griduser/.ssh/authorized_keys") == f"{KEY}\n"
    assert _authorize(guest, f"# ann's laptop\n\n{KEY}\n") == 0


def test_keys_are_told_apart_by_what_is_outside_of_quotes(guest: MemoryTree) -> None:
    lines = [
        'command="exec ssh-gateway a" ssh-ed25519 AAAAKEY1 one',
        'command="exec ssh-gateway a" ssh-ed25519 AAAAKEY2 two',
        r'no-pty,command="echo \"ssh-rsa AAAAKEY1\"" ecdsa-sha2-nistp256 AAAAKEY1 ssh-rsa AAAAKEY4',
        "sk-ssh-ed25519@openssh.com AAAAKEY3== ssh-ed25519 AAAAKEY2",
    ]
    _authorize(guest, "\n".join(lines))
    path = "/home/griduser/.ssh/authorized_keys"
    assert guest.text(path).splitlines() == lines
    assert _authorize(guest, 'from="10.*" ssh-ed25519 AAAAKEY2') == 0
    plan = Plan(guest)
    accounts.withdraw_key(plan, "griduser", "# two\nssh-ed25519 AAAAKEY2")
    plan.apply()
    assert guest.text(path).splitlines() == [lines[0], *lines[2:]]


@pytest.mark.parametrize("line", ["AAAAKEY1", "ssh-rsa", "my ssh-rsa", 'command="ssh-rsa AAAA', "a b ssh-rsa AAAA"])
def test_what_is_no_key_is_refused(guest: MemoryTree, line: str) -> None:
    for change in (accounts.authorize_key, accounts.withdraw_key):
        with pytest.raises(InputError, match="not an ssh public key"):
            change(Plan(guest), "griduser", f"{KEY}\n{line}")


def test_a_hostile_line_is_read_in_time(guest: MemoryTree) -> None:
    for piece in ('"', '\\"', '"a" ', 'a="\\" ', "ssh-", "ssh-a "):
        guest.add("/home/griduser/.ssh/authorized_keys", piece * (1 << 17))
        with _cpu_time.at_most(5):
            _authorize(guest, KEY)
