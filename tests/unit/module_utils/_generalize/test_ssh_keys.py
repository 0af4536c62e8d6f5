from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._generalize.ssh_keys import NAME, UNIT
from ansible_collections.voc.cluster.tests.unit.images import tool
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize import families
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize.sweeping import clean, paths

UNIT_PATH = f"/etc/systemd/system/{UNIT}"
SCRIPT = f"/etc/init.d/{NAME}"
# family -> what it gets, because it would not make keys itself
ADDED = {
    "debian12": {UNIT_PATH},
    "debian13": {UNIT_PATH},
    "ubuntu": {UNIT_PATH},
    "ubuntu14": {f"/etc/init/{NAME}.conf"},
    "debian7": {SCRIPT, *(f"/etc/rc{level}.d/S02{NAME}" for level in "2345")},
}
LINKS = {
    f"/etc/systemd/system/multi-user.target.wants/{UNIT}",
    f"/etc/systemd/system/ssh.service.requires/{UNIT}",
}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_keys_go_and_only_a_family_that_would_not_make_them_gets_what_does(family: str) -> None:
    guest = families.tree(family)
    before = paths(guest)
    clean(guest, "ssh-host-keys")
    assert before - paths(guest) == {"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub"}
    added = ADDED.get(family, set())
    assert paths(guest) - before == (added | LINKS if UNIT_PATH in added else added)


@pytest.mark.parametrize(
    ("family", "path", "text", "added"),
    [
        ("el6", "/etc/sysconfig/sshd", "AUTOCREATE_SERVER_KEYS=NO\n", SCRIPT),
        ("el7", "/etc/sysconfig/sshd", ' AUTOCREATE_SERVER_KEYS="no"\n', UNIT_PATH),
        ("alpine", "/etc/conf.d/sshd", 'sshd_disable_keygen="yes"\n', SCRIPT),
        ("el9", "/etc/systemd/system/sshd-keygen.target", ("->", "/dev/null"), UNIT_PATH),
    ],
)
def test_a_family_that_was_told_not_to_make_keys_gets_it_too(
    family: str, path: str, text: str | tuple[str, str], added: str
) -> None:
    guest = families.tree(family)
    guest.add(path, text)
    clean(guest, "ssh-host-keys")
    assert "ssh-keygen" in guest.text("/etc/rc.d/init.d/" + NAME if family == "el6" else added)


def test_a_guest_without_ssh_gets_nothing() -> None:
    guest = MemoryTree({"/usr/bin/ssh-keygen": "", "/etc/ssh/ssh_config": ""})
    clean(guest, "ssh-host-keys")
    assert paths(guest) == {"/usr/bin/ssh-keygen", "/etc/ssh/ssh_config"}


@pytest.mark.parametrize("family", ["debian7", "ubuntu14", "alpine"])
def test_scripts_are_ones_that_a_shell_can_read_and_run_by_their_mode(family: str) -> None:
    guest = families.tree(family)
    guest.add("/etc/conf.d/sshd", "sshd_disable_keygen=yes\n")
    clean(guest, "ssh-host-keys")
    path = f"/etc/init/{NAME}.conf" if family == "ubuntu14" else SCRIPT
    text = guest.text(path)
    if family == "ubuntu14":
        text = text.split("script\n")[1].removesuffix("end ")
    tool("sh", "-n", data=text.encode())
    assert guest.nodes[path][0].attributes.mode == (0o644 if family == "ubuntu14" else 0o755)


def test_a_comment_about_keys_makes_none() -> None:
    guest = families.tree("debian7")
    guest.add("/etc/init.d/ssh", "# ssh-keygen -A is not run\n")
    clean(guest, "ssh-host-keys")
    assert guest.lstat(SCRIPT)
