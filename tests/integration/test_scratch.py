"""The role scratch: what lands in guests, and what its program does to real disks. Booted in molecule/quickstart."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.families import FAMILIES

from .fitting import Fitted, fit, make_guest, names, permissions, read
from .machine import environment, tool
from .playbooks import ROOT

MIB = 1 << 20
SIZE = 256 * MIB
PROGRAM = ROOT / "roles/scratch/files/voc-cluster-scratch"

DISK = {"path": "/var/scratch-area", "type": "disk", "device": "SERIAL=scratch0"}
GOOD = {"debian13": DISK, "el9": DISK, "el6": DISK, "leap15": {"path": "/scratch", "type": "tmpfs"}}
BAD = {
    "nameless": {"path": "/scratch", "type": "disk"},
    "strange": {**DISK, "device": "SERIAL=a b"},
    "longer": {**DISK, "device": "SERIAL=a\n"},
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("scratch")
    guests = {name: make_guest(folder / name, FAMILIES[name]) for name in GOOD}
    variables = {name: {"site_scratch": scratch} for name, scratch in {**GOOD, **BAD}.items()}
    return fit(folder, ["scratch"], {**guests, **dict.fromkeys(BAD, guests["debian13"])}, variables, again=GOOD)


@pytest.mark.parametrize("guest", ["debian13", "el9"])
def test_a_unit_puts_it_on_its_disk(guest: str, fitted: Fitted) -> None:
    image = fitted.images[guest]
    unit = read(image, "/etc/systemd/system/voc-cluster-scratch.service")
    assert "ExecStart=/usr/local/sbin/voc-cluster-scratch SERIAL=scratch0 /var/scratch-area\n" in unit
    assert "voc-cluster-scratch.service" in names(image, "/etc/systemd/system/multi-user.target.wants")
    assert "Before=condor" in read(image, r"/etc/systemd/system/var-scratch\\x2darea.mount.d/50-voc-cluster.conf")
    assert permissions(image, "/usr/local/sbin/voc-cluster-scratch") == ("0755", 0, 0)
    assert int(permissions(image, "/var/scratch-area")[0], 8) == 0o1777


def test_a_script_does_without_systemd(fitted: Fitted) -> None:
    image = fitted.images["el6"]
    assert " SERIAL=scratch0 /var/scratch-area\n" in read(image, "/etc/init.d/voc-cluster-scratch")
    assert "S15voc-cluster-scratch" in names(image, "/etc/rc.d/rc3.d")


def test_a_tmpfs_is_of_no_disk(fitted: Fitted) -> None:
    assert "tmpfs /scratch tmpfs size=50%,mode=1777,nosuid,nodev 0 0\n" in read(fitted.images["leap15"], "/etc/fstab")


@pytest.mark.parametrize("guest", GOOD)
def test_a_second_run_changes_nothing(guest: str, fitted: Fitted) -> None:
    assert fitted.is_stable(guest), fitted.second


@pytest.mark.parametrize("host", BAD)
def test_what_could_not_work_is_refused(host: str, fitted: Fitted) -> None:
    assert "site_scratch: path must be an absolute path" in fitted.refusal(host)
    assert fitted.is_untouched(host)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a blank disk."""
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, SIZE)
    return path


def raw_bytes(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"x")


def last_bytes(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(SIZE - 1)
        file.write(b"x")


def ext4(disk: Path) -> None:
    tool("mkfs.ext4", "-q", "-F", "-L", "theirs", disk)


def partitions(disk: Path) -> None:
    subprocess.run(["sfdisk", "--quiet", "--label", "gpt", disk], input=b",,L\n", env=environment(), check=True)


def lvm(disk: Path) -> None:
    with disk.open("r+b") as file:  # a label of LVM2 in the second sector (its format_text/layout.h)
        file.seek(512)
        file.write(b"LABELONE" + (1).to_bytes(8, "little") + bytes(8) + b"LVM2 001")


def small(disk: Path) -> None:
    os.truncate(disk, 32 * MIB)


@contextmanager
def loop_device(disk: Path) -> Iterator[str]:
    name = tool("losetup", "--find", "--show", disk).strip()
    try:
        yield name
    finally:
        tool("losetup", "--detach", name)


def start(device: str, path: Path) -> tuple[str, str]:
    """Run the program in a mount namespace of its own; return the type and label of what it mounted, and its words."""
    look = 'sh "$0" "$1" "$2" && stat -c %a "$2" && ls "$2" && { findmnt -no FSTYPE,LABEL -M "$2" || echo nothing; }'
    argv = ["unshare", "--mount", "sh", "-c", look, str(PROGRAM), device, str(path)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment())
    mode, *found = done.stdout.splitlines()
    assert mode == "1777"
    return " ".join(" ".join(found).split()), done.stderr


def digest(disk: Path) -> str:
    return hashlib.sha256(disk.read_bytes()).hexdigest()


@pytest.mark.root
@pytest.mark.parametrize("make", [raw_bytes, last_bytes, ext4, partitions, lvm, small])
def test_a_disk_with_anything_on_it_is_left_alone(make: Callable[[Path], None], disk: Path, tmp_path: Path) -> None:
    make(disk)
    before = digest(disk)
    with loop_device(disk) as device:
        mounted, said = start(device, tmp_path / "scratch")
    assert mounted == "nothing"
    assert f"there is something on {device}, so it is left alone" in said
    assert digest(disk) == before


@pytest.mark.root
def test_a_blank_disk_is_formatted_once(disk: Path, tmp_path: Path) -> None:
    with loop_device(disk) as device:
        mounted, said = start(device, tmp_path / "scratch")
        assert mounted == "ext4 voc-scratch"
        assert "was blank and is formatted" in said
        uuid = tool("blkid", "-p", "-o", "value", "-s", "UUID", device)
        mounted, said = start(device, tmp_path / "scratch")
        assert (mounted, said) == ("ext4 voc-scratch", "")
        assert tool("blkid", "-p", "-o", "value", "-s", "UUID", device) == uuid


@pytest.mark.root
def test_a_filesystem_that_is_named_is_mounted_as_it_is(disk: Path, tmp_path: Path) -> None:
    ext4(disk)
    uuid = tool("blkid", "-p", "-o", "value", "-s", "UUID", disk).strip()
    with loop_device(disk):
        mounted, said = start(f"UUID={uuid}", tmp_path / "scratch")
    assert (mounted, said) == ("ext4 theirs", "")


@pytest.mark.root
def test_without_the_disk_the_area_is_a_directory(tmp_path: Path) -> None:
    mounted, said = start("SERIAL=nobody", tmp_path / "scratch")
    assert mounted == "nothing"
    assert "there is no device SERIAL=nobody" in said
