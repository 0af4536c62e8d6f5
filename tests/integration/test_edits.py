"""Every kind of edit on a real filesystem, by both drivers: planned, done once, and with the same trees at the end."""

from __future__ import annotations

import shutil
import stat
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError
from ansible_collections.voc.cluster.plugins.module_utils._guest import access, edits
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox
from ansible_collections.voc.cluster.tests.unit.every_edit import EACH_KIND, FILES, validated

from .machine import tool
from .test_guest_trees import snapshot, whole

DRIVERS = ["ext", pytest.param("mounted", marks=pytest.mark.root)]
POLICY = "/etc/selinux/targeted/contexts/files"
LABELS = {
    "etc/motd": b"system_u:object_r:etc_t:s0\0",
    "home/jobs": b"unconfined_u:object_r:user_home_dir_t:s0\0",
    "home/grid/.ssh/authorized_keys": b"unconfined_u:object_r:ssh_home_t:s0\0",
    "grid/app": b"system_u:object_r:default_t:s0\0",
    "etc/systemd/system/multi-user.target.wants/cron.service": b"system_u:object_r:systemd_unit_file_t:s0\0",
}
CONTEXTS = """\
/.*\t\tsystem_u:object_r:default_t:s0
/etc(/.*)?\t\tsystem_u:object_r:etc_t:s0
/etc/systemd/system(/.*)?\t\tsystem_u:object_r:systemd_unit_file_t:s0
"""
HOMES = """\
/home/[^/]+\t-d\tunconfined_u:object_r:user_home_dir_t:s0
/home/[^/]+/\\.ssh(/.*)?\t\tunconfined_u:object_r:ssh_home_t:s0
"""


@pytest.fixture
def image(make_partition: Callable[..., Path]) -> Path:
    """Return a partition with what all edits need, and a policy of SELinux."""
    files = {path: content for path, content in FILES.items() if content is not None}
    files |= {"/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n"}
    files |= {f"{POLICY}/file_contexts": CONTEXTS, f"{POLICY}/file_contexts.homedirs": HOMES}

    def fill(root: Path) -> None:
        for path, content in FILES.items():
            if content is None:
                (root / path[1:]).mkdir(parents=True)

    return make_partition(files, fill=fill)


@pytest.fixture
def edit(runner: Runner) -> Callable[..., dict[str, t.Any]]:
    """Return a function that edits an image as the module does."""

    def do(image: Path, driver: str, *wanted: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
        options = {"image": str(image), "access": driver, "root": None}
        asked = validated(list(wanted))
        return access.change_guest(runner, options, lambda plan: edits.plan_edits(plan, asked), apply=not check)

    return do


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_edit_is_told_before_it_is_done_and_done_once(
    edit: Callable[..., dict[str, t.Any]], image: Path, driver: str
) -> None:
    for wanted in EACH_KIND:
        before = image.read_bytes()
        told = edit(image, driver, wanted, check=True)
        assert image.read_bytes() == before
        done = edit(image, driver, wanted)
        assert told == done
        assert done["changed"], wanted
        assert done["diff"]
        assert all(change["edits"] == [1] for change in done["changes"])
        assert not edit(image, driver, wanted)["changed"], wanted
    tool("e2fsck", "-f", "-n", image)


@pytest.mark.root
def test_both_drivers_leave_the_same_tree_and_labels(
    edit: Callable[..., dict[str, t.Any]], runner: Runner, image: Path, tmp_path: Path
) -> None:
    trees = {}
    for driver in ("ext", "mounted"):
        copy = Path(shutil.copyfile(image, tmp_path / f"{driver}.img"))
        assert edit(copy, driver, *EACH_KIND)["changed"]
        assert edit(copy, driver, *EACH_KIND)["changes"] == []
        tool("e2fsck", "-f", "-n", copy)
        trees[driver] = snapshot(runner, copy)
    by_debugfs, by_mount = trees["ext"], trees["mounted"]
    assert by_debugfs.keys() == by_mount.keys()
    assert [path for path in by_mount if by_debugfs[path] != by_mount[path]] == []
    assert {path: by_mount[path][5]["security.selinux"] for path in LABELS} == LABELS
    assert by_mount["etc/fstab"][5] == {}, "what was there keeps what it had"
    token = by_mount["etc/condor/tokens.d/pool"]
    assert token[:5] == (stat.S_IFREG | 0o600, 0, 0, 1, b"token\n")


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_edit_that_cannot_be_done_leaves_all_undone(
    edit: Callable[..., dict[str, t.Any]], runner: Runner, image: Path, driver: str
) -> None:
    before = image.read_bytes(), snapshot(runner, image) if driver == "mounted" else None
    with pytest.raises(ImageError, match=r"^edit 29 \(line\)"):
        edit(image, driver, *EACH_KIND, {"line": {"path": "/none", "line": "x"}})
    if driver == "mounted":  # which writes to the superblock
        assert snapshot(runner, image) == before[1]
    else:
        assert image.read_bytes() == before[0]


# What the guest's own programs say of it.

OF_THE_SAMPLE: list[dict[str, t.Any]] = [
    {"group": {"name": "grid", "gid": 5000}},
    {"group": {"name": "daemons", "system": True}},
    {
        "user": {
            "name": "jobs",
            "group": "grid",
            "groups": ["users", "daemons"],
            "comment": "Grid jobs",
            "password": "*",
        }
    },
    {"user": {"name": "condor", "system": True, "home": "/var/lib/condor", "shell": "/usr/sbin/nologin"}},
    {"user": {"name": "root", "password_lock": True}},
    {"environment": {"OSG_APP": "/grid/app", "QUOTED": 'it\'s "50%" $HOME \\ `x`'}},
    {"service": {"name": "systemd-networkd", "enabled": True}},
    {"service": {"name": "serial-getty@ttyS1", "enabled": True}},
    {"service": {"name": "apt-daily.timer", "masked": True}},
    {"kernel_module": {"name": "floppy", "blacklist": True}},
    {"kernel_module": {"name": "nfs", "params": "nfs4_unique_id=site"}},
]


@pytest.mark.root
def test_the_guests_own_programs_find_what_was_edited(
    edit: Callable[..., dict[str, t.Any]], runner: Runner, sample: Path, tmp_path: Path
) -> None:
    image = tmp_path / "sample.img"
    tool("cp", "--sparse=always", "--reflink=auto", sample, image)
    edit(image, "ext", *OF_THE_SAMPLE)
    with mounted(runner, whole(image), "ext4") as root, sandbox(runner, root, network=False) as box:

        def ask(script: str) -> list[str]:
            return box.run(["/bin/sh", "-c", script]).text.split("\n")

        assert ask("pwck -r -q && grpck -r && echo fine")[0] == "fine"
        assert ask("id -un 1000; id -gn jobs; id -Gn jobs")[:3] == ["jobs", "grid", "grid users daemons"]
        name, _password, uid, gid, *rest = ask("getent passwd condor")[0].split(":")
        assert (name, rest) == ("condor", ["", "/var/lib/condor", "/usr/sbin/nologin"])
        assert 100 < int(uid) < 1000
        assert ask("getent group condor")[0] == f"condor:x:{gid}:"
        assert ask("passwd -S root")[0].split()[:2] == ["root", "L"]
        assert ask("ls -A ~jobs; stat -c '%U %G %a' ~jobs")[-2] == "jobs grid 700"
        assert ask('. /etc/profile; printf "%s %s" "$OSG_APP" "$QUOTED"') == ['/grid/app it\'s "50%" $HOME \\ `x`']
        assert ask(
            "systemctl is-enabled systemd-networkd serial-getty@ttyS1; systemctl is-enabled apt-daily.timer || :"
        )[:3] == ["enabled", "enabled", "masked"]


AS_EDITS: list[dict[str, t.Any]] = [
    {"group": {"name": "grid"}},
    {"group": {"name": "daemons", "system": True}},
    {"user": {"name": "jobs", "groups": ["users", "grid"], "comment": "Grid jobs"}},
    {"user": {"name": "other", "uid": 4321, "group": "grid", "create_home": False, "password": "$6$a$b"}},
    {"user": {"name": "condor", "system": True, "home": "/var/lib/condor", "create_home": False}},
    {"user": {"name": "jobs", "groups": ["daemons"], "append": True}},
    {"user": {"name": "other", "shell": "/bin/bash", "password_lock": True}},
    {"user": {"name": "gone"}},
    {"user": {"name": "gone", "state": "absent", "remove": True}},
    {"group": {"name": "grid", "gid": 7000}},
]
AS_COMMANDS = """
groupadd grid
groupadd -r daemons
useradd -m -G users,grid -c 'Grid jobs' jobs
useradd -u 4321 -g grid -p '$6$a$b' other
useradd -r -d /var/lib/condor condor
usermod -a -G daemons jobs
usermod -s /bin/bash -L other
useradd -m gone
userdel -r gone 2>/dev/null
groupmod -g 7000 grid
"""


@pytest.mark.root
def test_users_and_groups_are_those_that_the_guests_own_programs_make(
    edit: Callable[..., dict[str, t.Any]], runner: Runner, sample: Path, tmp_path: Path
) -> None:
    trees = {}
    for way in ("edits", "commands"):
        image = tmp_path / f"{way}.img"
        tool("cp", "--sparse=always", "--reflink=auto", sample, image)
        if way == "edits":
            edit(image, "ext", *AS_EDITS)
        with mounted(runner, whole(image), "ext4") as root:
            if way == "commands":
                with sandbox(runner, root, network=False) as box:
                    box.run(["/bin/sh", "-e", "-c", AS_COMMANDS])
            files = [
                Path(root) / path for path in ("etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid")
            ]
            homes = [*(Path(root) / "home").rglob("*")]
            trees[way] = {path.relative_to(root): path.read_text().split("\n") for path in files} | {
                path.relative_to(root): (path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid)
                for path in homes
            }
    assert trees["edits"] == trees["commands"]
