"""What a stranger's tree could do to somebody who empties its folders."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._generalize import homes, leftovers
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize.sweeping import clean, paths


class Speechless(MemoryTree):
    """A tree with a driver that cannot express names with a newline."""

    def expresses(self, path: str) -> bool:
        return "\n" not in path


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/var/log", "/etc"),
        ("/var/log", "/"),
        ("/var/log", "/home/ann"),
        ("/var/tmp", "/usr/lib"),
        ("/tmp", "/etc"),
        ("/var/log", "/var/lib/precious"),
        ("/var/lib/cloud", "../../opt"),
        ("/etc/condor/tokens.d", "/etc/ssl"),
    ],
)
def test_a_folder_that_leads_elsewhere_is_not_emptied_and_told(link: str, target: str) -> None:
    precious = [
        "/etc/app.log",
        "/home/ann/a.log",
        "/usr/lib/x",
        "/var/lib/precious/data.1",
        "/opt/x",
        "/etc/ssl/x",
        "/x.log",
    ]
    guest = MemoryTree({**dict.fromkeys(precious, "x"), link: ("->", target)})
    done = clean(guest, "all")
    assert paths(guest) == {*precious, link}
    assert [left for account in done.values() for left in account.left if left.startswith(f"{link}: it leads to ")]


def test_a_folder_that_was_moved_by_an_administrator_is_emptied() -> None:
    guest = MemoryTree(
        {
            "/var/tmp": ("->", "/tmp"),
            "/tmp/x": "",
            "/var/log": ("->", "/data/log"),
            "/data/log/syslog": "x",
            "/data/y": "",
        }
    )
    done = clean(guest, "defaults")
    assert paths(guest) == {"/var/tmp", "/var/log", "/data/y"}
    assert not any(account.left for account in done.values())


def test_links_in_a_cleaned_place_are_removed_or_stay_and_are_never_followed() -> None:
    guest = MemoryTree(
        {
            "/tmp/link": ("->", "/srv"),
            "/var/log/app.log": ("->", "/srv/data"),
            "/srv/data": "precious",
            "/tmp/loop": ("->", "loop"),
            "/root/.bash_history": ("->", "/srv/data"),
        }
    )
    clean(guest, "defaults")
    assert paths(guest) == {"/srv/data", "/var/log/app.log"}


def test_loops_of_links_are_passed_over() -> None:
    loops = [
        "/var/log",
        "/tmp",
        "/home",
        "/etc/passwd",
        "/etc/netplan",
        "/root",
        "/etc/ssh",
        "/var/lib/cloud",
        "/etc/shadow",
    ]
    guest = MemoryTree({path: ("->", path) for path in loops})
    clean(guest, "all")
    assert paths(guest) == set(loops)
    assert leftovers.find(Plan(guest)) == []


def test_a_very_deep_folder_stays_and_is_told() -> None:
    deep = "/tmp" + "/d" * 300
    guest = MemoryTree({f"{deep}/x": "x", "/tmp/other/y": "y"})
    account = clean(guest, "temporary-files")["temporary-files"]
    assert guest.lstat("/tmp/other") is None
    assert guest.lstat(f"{deep}/x")
    assert len(account.left) == 1
    assert "too deep" in account.left[0]


def test_names_that_a_driver_cannot_express_stay_with_the_folders_above_and_are_told() -> None:
    guest = Speechless({"/tmp/a\nb": "", "/tmp/x/c\nd/e": "", "/tmp/x/f": "", "/tmp/g": ""})
    account = clean(guest, "temporary-files")["temporary-files"]
    assert paths(guest) == {"/tmp/a\nb", "/tmp/x/c\nd/e"}
    assert len(account.left) == 2


def test_a_mount_point_in_a_cleaned_folder_stays() -> None:
    guest = MemoryTree({"/tmp/disk/x": "", "/tmp/y": "", "/var/log/z.log": ""})
    account = clean(guest, "temporary-files", "logs", mounts=["/", "/tmp/disk", "/var/log"])["temporary-files"]
    assert paths(guest) == {"/tmp/disk/x"}
    assert "mount point" in account.left[0]


def test_many_files_are_told_by_their_folder_and_only_the_first_of_a_flat_one() -> None:
    flat, deep = ([f"/tmp/{folder}{number}" for number in range(300)] for folder in ("", "many/"))
    guest = MemoryTree({**dict.fromkeys(flat, "a"), **dict.fromkeys(deep, "ab")})
    account = clean(guest, "temporary-files")["temporary-files"]
    assert (account.count, account.bytes) == (601, 900)
    assert len(account.paths) == 200


def test_homes_are_those_that_are_there_and_never_the_root() -> None:
    lines = [
        "root:x:0:0::/root:/bin/sh",
        "a:x:1:1::/:/bin/sh",
        "b:x:2:2::/../..:/x",
        "c:x:3:3:::/x",
        "d:x:4:4::/none:/x",
    ]
    many = [f"u{number}:x:{number}:1::/home/u{number}:/bin/sh" for number in range(50_000)]
    guest = MemoryTree({"/etc/passwd": "\n".join([*lines, *many]), "/root": None, "/home/ann": None})
    assert homes.find(guest) == ["/root", "/home/ann"]


@pytest.mark.parametrize("folder", ["/var/mail", "/var/spool/mail", "/var/log/journal"])
def test_files_that_are_emptied_are_not_reached_through_a_folder_that_leads_elsewhere(folder: str) -> None:
    journal = "/etc/0123456789abcdef0123456789abcdef/x"
    guest = MemoryTree({folder: ("->", "/etc"), "/etc/precious": "x", journal: "x"})
    clean(guest, "defaults")
    assert guest.text("/etc/precious") == "x"
    assert guest.text(journal) == "x"
