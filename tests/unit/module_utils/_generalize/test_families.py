"""Guests of every family as wholes, cleaned of what is a default."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize import families
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize.sweeping import clean, paths

TOKEN = "/etc/kernel/entry-token"

# What must be as before: configuration, and what packages own.
KEPT = re.compile(
    r"/(usr|lib|bin|sbin)/.*|/etc/(ssh/sshd_config|init\.d/sshd|rc\.d/.*|conf\.d/.*|sysconfig/sshd|cloud/.*)"
)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_nothing_of_one_machine_is_left_and_what_packages_own_is(family: str) -> None:
    guest, before = families.tree(family), families.tree(family)
    clean(guest, "defaults")
    for path in paths(guest):
        content = guest.read(path).decode() if guest.nodes[path][0].kind == "file" else ""
        assert families.MAC not in content, path
        assert "planted" not in content, path
        assert path == TOKEN or families.OLD_ID not in content, path
    gone = {path for path in paths(before) - paths(guest) if KEPT.fullmatch(path)}
    assert gone <= {"/usr/lib/sysimage/rpm/.rpm.lock"}
    changed = {path for path in paths(before) & paths(guest) if guest.nodes[path] != before.nodes[path]}
    assert not {path for path in changed if KEPT.fullmatch(path)}


@pytest.mark.parametrize("family", ["el8", "el9"])
def test_later_kernels_join_the_boot_entries_that_are_there(family: str) -> None:
    guest = families.tree(family)
    clean(guest, "machine-id")
    assert guest.text(TOKEN) == f"{families.OLD_ID}\n"
    assert guest.read("/etc/machine-id") == b""


@pytest.mark.parametrize("family", ["el10", "debian13"])
def test_no_token_is_kept_where_no_boot_entry_bears_the_old_id(family: str) -> None:
    guest = families.tree(family)
    clean(guest, "machine-id")
    assert guest.lstat(TOKEN) is None


@pytest.mark.parametrize(
    ("family", "path", "text"),
    [
        ("el6", "/etc/sysconfig/network-scripts/ifcfg-eth0", "DEVICE=eth0\nBOOTPROTO=dhcp\n"),
        ("el8", "/etc/sysconfig/network-scripts/ifcfg-ens3", "DEVICE=ens3\nBOOTPROTO=dhcp\n"),
        ("suse", "/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\n"),
        ("arch", "/etc/systemd/network/10-eth.network", "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n"),
        ("debian12", "/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n"),
        (
            "ubuntu",
            "/etc/netplan/01-site.yaml",
            "network:\n  version: 2\n  ethernets:\n    ens3:\n      dhcp4: true\n",
        ),
    ],
)
def test_network_configuration_is_still_one(family: str, path: str, text: str) -> None:
    guest = families.tree(family)
    clean(guest, "defaults")
    assert guest.text(path) == text


def test_cleaning_an_empty_tree_does_nothing() -> None:
    guest = MemoryTree()
    done = clean(guest, "all")
    assert guest.applied == []
    assert not any(account.count or account.left for account in done.values())
