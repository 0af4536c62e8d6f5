from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import generalize
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

NAMES = [operation.name for operation in generalize.OPERATIONS]

# operation -> what goes, what stays
FILES = {
    "ssh-host-keys": (
        ["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub"],
        ["/etc/ssh/sshd_config", "/etc/ssh/moduli"],
    ),
    "persistent-net-rules": (["/etc/udev/rules.d/70-persistent-net.rules"], ["/etc/udev/rules.d/60-own.rules"]),
    "dhcp-leases": (["/var/lib/dhcp/dhclient.eth0.leases", "/var/lib/NetworkManager/a.lease"], ["/var/lib/dhcp/x"]),
    "random-seed": (["/var/lib/systemd/random-seed"], ["/var/lib/systemd/other"]),
    "package-cache": (
        ["/var/cache/apt/archives/a.deb", "/var/cache/apt/pkgcache.bin"],
        ["/var/cache/apt/archives/lock"],
    ),
    "logs": (["/var/log/syslog", "/var/log/wtmp", "/var/log/a.log.1", "/var/log/apt/term.log"], ["/var/log/app/x.log"]),
}


def _clean(guest: MemoryTree, *words: str) -> int:
    plan = Plan(guest)
    generalize.clean(plan, generalize.select(words))
    count = len(plan.changes())
    plan.apply()
    return count


@pytest.mark.parametrize("name", FILES)
def test_an_operation_removes_its_files_and_no_others(name: str) -> None:
    goes, stays = FILES[name]
    guest = MemoryTree(dict.fromkeys([*goes, *stays], "x"))
    assert _clean(guest, name) == len(goes)
    assert [path for path in [*goes, *stays] if guest.lstat(path)] == stays
    assert _clean(guest, name) == 0


def test_the_machine_id_is_emptied_and_its_copy_removed() -> None:
    guest = MemoryTree({"/etc/machine-id": "0123\n", "/var/lib/dbus/machine-id": "0123\n"})
    _clean(guest, "machine-id")
    assert guest.read("/etc/machine-id") == b""
    assert guest.lstat("/var/lib/dbus/machine-id") is None
    assert _clean(guest, "machine-id") == 0


def test_a_guest_without_systemd_gets_no_machine_id() -> None:
    assert _clean(MemoryTree({"/etc/hosts": ""}), "machine-id") == 0


def test_a_guest_that_makes_host_keys_only_once_gets_a_unit_for_it() -> None:
    guest = MemoryTree(
        {
            "/etc/ssh/ssh_host_ed25519_key": "secret",
            "/usr/lib/systemd/system/ssh.service": "[Install]\nWantedBy=multi-user.target\n",
            "/usr/bin/ssh-keygen": "",
        }
    )
    _clean(guest, "ssh-host-keys")
    unit = f"/etc/systemd/system/{generalize.HOST_KEYS_UNIT}"
    assert "ssh-keygen -A" in guest.text(unit)
    assert guest.readlink(f"/etc/systemd/system/multi-user.target.wants/{generalize.HOST_KEYS_UNIT}") == unit
    assert _clean(guest, "ssh-host-keys") == 0


def test_a_link_in_a_cleaned_place_is_removed_and_not_followed() -> None:
    guest = MemoryTree({"/var/log/app.log": ("->", "/srv/data"), "/srv/data": "precious"})
    _clean(guest, "logs")
    assert guest.text("/srv/data") == "precious"
    assert guest.lstat("/var/log/app.log") is None


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["defaults"], NAMES),
        (["all", "-logs"], [name for name in NAMES if name != "logs"]),
        (["logs", "machine-id"], ["machine-id", "logs"]),
        (["-logs"], []),
        (["logs", "-all"], []),
        ([], []),
    ],
)
def test_words_select_operations_in_their_fixed_order(words: list[str], chosen: list[str]) -> None:
    assert [operation.name for operation in generalize.select(words)] == chosen


@pytest.mark.parametrize("word", ["log", "-none", "", "-"])
def test_an_unknown_operation_is_refused_with_the_known_ones(word: str) -> None:
    with pytest.raises(InputError, match="choose from all, defaults, dhcp-leases"):
        generalize.select([word])
