"""Guests whose system is spread over several filesystems, or not on ext: what only mounts can show."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import bootable, grub
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import access, root
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._inspect import inspect_raw, require_bootable
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox
from ansible_collections.voc.cluster.tests.unit.images import make_disk

from .machine import tool
from .playbooks import ROOT, contextualize

pytestmark = pytest.mark.root

BOOT_SECONDS = 420
MIB = 1 << 20
SIZES = {"xfs": 320 * MIB, "btrfs": 120 * MIB, "ext4": 64 * MIB}  # mkfs.xfs makes none below 300 MiB
SYSTEM = {"/etc/os-release": "ID=test\n", "/usr/bin/env": ""}


def make(runner: Runner, path: Path, kind: str, files: Mapping[str, str]) -> Path:
    """Make a partition image with some files."""
    path.touch()
    os.truncate(path, SIZES[kind])
    tool(f"mkfs.{kind}", "-q", path)
    with mounted(runner, Volume(str(path), 0, SIZES[kind]), kind) as folder:
        plan = Plan(MountedTree(folder))
        for name, content in files.items():
            plan.write(name, content.encode())
        plan.apply()
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_mount_tells_the_root_and_writes_nothing(kind: str, runner: Runner, tmp_path: Path) -> None:
    data = make(runner, tmp_path / "data", "xfs", {"/etc/hosts": ""})
    system = make(runner, tmp_path / "system", kind, SYSTEM)
    disk = make_disk(tmp_path / "disk", data, system)
    before = digest(disk)
    assert root.find(runner, contents.look(str(disk)), str(disk)).partition == 2
    assert digest(disk) == before


def test_a_filesystem_with_errors_is_not_given_to_the_kernel(runner: Runner, tmp_path: Path) -> None:
    data = make(runner, tmp_path / "data", "btrfs", {"/etc/hosts": ""})
    system = make(runner, tmp_path / "system", "xfs", SYSTEM)
    # Copied while it is mounted: its journal waits to be replayed, and without that it has errors.
    with mounted(runner, Volume(str(system), 0, SIZES["xfs"]), "xfs") as folder:
        (Path(folder) / "new").write_text("new")
        os.sync()
        dirty = Path(shutil.copyfile(system, tmp_path / "dirty"))
    disk = make_disk(tmp_path / "disk", data, dirty)
    before = digest(disk)
    with pytest.raises(DamagedImageError, match=r"its xfs filesystem has errors .*; shut the guest down cleanly"):
        root.find(runner, contents.look(str(disk)), str(disk))
    assert digest(disk) == before


# Roots on xfs and btrfs.


KERNEL = {
    **SYSTEM,
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": "initramfs",
    "/lib/modules/6.1.0/modules.dep": "",
    "/lib/modules/6.1.0/modules.builtin": "kernel/fs/xfs/xfs.ko\nkernel/fs/btrfs/btrfs.ko\nkernel/fs/ext4/ext4.ko\n",
    "/etc/fstab": "/dev/sda1 / ext4 errors=remount-ro 0 1\n/dev/sda2 /boot ext4 ro 0 2\n",
}


def make_bootable(runner: Runner, disk: Path) -> tuple[bootable.BootPlan, bool]:
    """Make a disk boot; return what was planned, and whether the guest's files changed."""
    seen = bootable.examine(runner, str(disk))
    with open_guest(runner, seen.spread) as files:
        plan = bootable.plan_boot(runner, seen, files, ["quiet"])
        changed = bool(plan.files.changes())
        bootable.apply(plan)
    return plan, changed


def seen_by_grub(disk: Path, path: str) -> str:
    """Return a file as GRUB's own drivers read it."""
    return tool("grub-fstest", disk, "cat", path)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_disk_with_another_root_is_made_to_boot_once(kind: str, runner: Runner, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make(runner, tmp_path / "part", kind, KERNEL))
    first, changed = make_bootable(runner, disk)
    assert (first.switched_off, first.loader_changes, changed) == (["/boot"], True, True)
    again, changed = make_bootable(runner, disk)
    assert (again.switched_off, again.loader_changes, changed) == ([], False, False)
    uuid = again.command_line.split()[0].removeprefix("root=UUID=")
    config = seen_by_grub(disk, "(loop0,msdos1)/boot/grub/grub.cfg")
    assert f"linux /boot/vmlinuz-6.1.0 root=UUID={uuid} ro quiet\n" in config
    assert seen_by_grub(disk, "(loop0,msdos1)/boot/vmlinuz-6.1.0") == "kernel"
    assert f"UUID={uuid} / {kind} defaults 0 0\n" in seen_by_grub(disk, "(loop0,msdos1)/etc/fstab")
    seen = inspect_raw(runner, str(disk))
    assert seen.missing == ()
    before = digest(disk)
    require_bootable(runner, str(disk), seen)
    assert digest(disk) == before


def test_a_boot_partition_serves_a_root_on_xfs(runner: Runner, tmp_path: Path) -> None:
    boot = {path.removeprefix("/boot"): text for path, text in KERNEL.items() if path.startswith("/boot/")}
    root_files = {path: text for path, text in KERNEL.items() if not path.startswith("/boot/")}
    system = make(runner, tmp_path / "root", "xfs", {**root_files, "/boot/left": ""})
    disk = make_disk(tmp_path / "disk", system, make(runner, tmp_path / "boot", "ext4", boot))
    assert make_bootable(runner, disk)[0].switched_off == []
    config = seen_by_grub(disk, "(loop0,msdos2)/grub/grub.cfg")
    assert "linux /vmlinuz-6.1.0 root=UUID=" in config
    found = access.locate(runner, str(disk))
    assert [(place.path, place.region.partition) for place in found.places] == [("/", 1), ("/boot", 2)]
    text = seen_by_grub(disk, "(loop0,msdos1)/etc/fstab")
    assert [line.split()[1:] for line in text.splitlines()] == [
        ["/", "xfs", "defaults", "0", "0"],
        ["/boot", "ext4", "ro", "0", "2"],
    ]


def test_guest_programs_see_all_that_is_mounted(runner: Runner, sample: Path, tmp_path: Path) -> None:
    tool("cp", "--sparse=always", sample, tmp_path / "root")
    boot = make(runner, tmp_path / "boot", "ext4", {"/vmlinuz-6.1": ""})
    disk = make_disk(tmp_path / "disk", boot, tmp_path / "root")
    found = access.locate(runner, str(disk))
    with access.mounted_guest(runner, found) as folder, sandbox(runner, folder, network=False) as box:
        box.run(["cp", "/boot/vmlinuz-6.1", "/boot/copied"])
    with open_guest(runner, found, "ext") as files:
        assert "copied" in files.listdir("/boot")
    with mounted(runner, found.root.volume, "ext4") as folder:
        assert "copied" not in os.listdir(f"{folder}/boot")


def test_a_link_in_the_place_of_a_mount_point_is_not_followed(runner: Runner, tmp_path: Path) -> None:
    """The builder's own directories would be covered."""
    boot = make(runner, tmp_path / "boot", "ext4", {"/vmlinuz-6.1": ""})
    target = tmp_path / "outside"
    target.mkdir()
    system = make(runner, tmp_path / "system", "ext4", SYSTEM)
    with mounted(runner, Volume(str(system), 0, SIZES["ext4"]), "ext4") as folder:
        (Path(folder) / "boot").symlink_to(target)
    below = [("/boot", Volume(str(boot), 0, SIZES["ext4"]), "ext4")]
    with mounted(runner, Volume(str(system), 0, SIZES["ext4"]), "ext4", below=below):
        assert list(target.iterdir()) == []


@pytest.mark.parametrize("how", ["default", "named"])
def test_a_root_in_a_subvolume_is_refused_by_name(how: str, runner: Runner, tmp_path: Path) -> None:
    image = make(runner, tmp_path / "part", "btrfs", {"/left": ""})
    volume = Volume(str(image), 0, SIZES["btrfs"])
    with mounted(runner, volume, "btrfs") as folder:
        tool("btrfs", "subvolume", "create", f"{folder}/@")
        for path, text in SYSTEM.items():
            (Path(folder) / "@" / path[1:]).parent.mkdir(parents=True)
            (Path(folder) / "@" / path[1:]).write_text(text)
        if how == "default":
            tool("btrfs", "subvolume", "set-default", f"{folder}/@")
    found = access.locate(runner, str(image))
    with (
        pytest.raises(InputError, match="the guest's root is the btrfs subvolume /@"),
        open_guest(runner, found),
    ):
        pytest.fail("it was opened")
    seen = inspect_raw(runner, str(image))
    assert seen.guest is None
    with pytest.raises(InputError, match="subvolume /@"):
        require_bootable(runner, str(image), seen)


def test_errors_in_an_xfs_are_found(runner: Runner, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make(runner, tmp_path / "part", "xfs", KERNEL))
    make_bootable(runner, disk)
    seen = inspect_raw(runner, str(disk))
    with disk.open("r+b") as file:  # the free space of the first group
        file.seek(MIB + 512)
        file.write(bytes(512))
    before = digest(disk)
    with pytest.raises(DamagedImageError, match="partition 1: its xfs filesystem has errors"):
        require_bootable(runner, str(disk), seen)
    assert digest(disk) == before


@pytest.mark.parametrize("bit", range(9))
def test_features_of_xfs_are_those_that_grub_reads(bit: int, runner: Runner, tmp_path: Path) -> None:
    image = make(runner, tmp_path / "part", "xfs", {"/hello": "world"})
    with image.open("r+b") as file:  # GRUB looks at no checksum
        file.seek(216)
        file.write((0x3 | 1 << bit).to_bytes(4, "big"))
    readable = "hello" in tool("grub-fstest", image, "ls", "(loop0)/")
    found = filesystems.identify(Volume(str(image), 0, SIZES["xfs"]))
    assert found
    with nullcontext() if readable else pytest.raises(InputError, match="GRUB cannot read"):
        grub.require_readable(found, "image")


# Whole images, contextualized and booted.


@pytest.fixture
def on_xfs(runner: Runner, sample: Path, tmp_path: Path) -> Path:
    """Return the sample's files as an XFS, with the fstab that they had on ext."""
    image, source = tmp_path / "starworker.xfs", tmp_path / "starworker.ext"
    image.touch()
    os.truncate(image, 1 << 30)
    tool("mkfs.xfs", "-q", "-L", "root", image)
    tool("cp", "--sparse=always", sample, source)
    xfs = ("/mnt", Volume(str(image), 0, 1 << 30), "xfs")
    with mounted(runner, Volume(str(source), 0, source.stat().st_size), "ext4", below=[xfs]) as folder:
        tool("cp", "-a", "-x", f"{folder}/.", f"{folder}/mnt")
    return image


@pytest.fixture
def on_four_partitions(sample: Path, tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """Return the sample, and the partitions that its disk is to have beside it."""
    for name in ("boot", "data"):
        tool("mke2fs", "-q", "-F", "-t", "ext4", "-L", name, tmp_path / name, "128M")
    boot = {"type": "boot", "src": str(tmp_path / "boot"), "path": "/boot"}
    data = {"type": "data", "src": str(tmp_path / "data"), "path": "/srv/data"}
    return sample, [boot, data, {"type": "swap", "size": "64M"}]


@contextmanager
def booted(build: Path, folder: Path) -> Iterator[str]:
    """Boot the current release as `make boot` does, up to its login prompt; give what its console said."""
    release = (build / "releases/starworker/current").resolve()
    subprocess.run(
        [sys.executable, ROOT / "tools/boot.py", release, "--port", "0", "--background", folder],
        check=True,
    )
    number = int((folder / "qemu.pid").read_text())
    try:
        end = time.monotonic() + BOOT_SECONDS
        while b"login: " not in (said := (folder / "serial.log").read_bytes()):
            assert time.monotonic() < end, f"no prompt after {BOOT_SECONDS} s; the console says {said[-3000:]!r}"
            time.sleep(0.5)
        yield said.decode(errors="replace")
    finally:
        os.kill(number, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(number, 0)


@pytest.mark.boot
def test_a_root_on_xfs_is_contextualized_and_boots(on_xfs: Path, kernel_bundle: Path, tmp_path: Path) -> None:
    before = digest(on_xfs)
    build = tmp_path / "build"
    play = contextualize(build, on_xfs, site_kernel_bundle=str(kernel_bundle), site_packages=[])
    assert play.status == 0, play.output
    assert digest(on_xfs) == before
    with booted(build, tmp_path / "machine") as said:
        assert re.search(r"XFS \(vda1\): (Ending clean mount|Mounting V5 Filesystem)", said)
        assert "emergency" not in said


@pytest.mark.boot
def test_a_guest_on_four_partitions_is_contextualized_and_boots(
    on_four_partitions: tuple[Path, list[dict[str, str]]], kernel_bundle: Path, tmp_path: Path
) -> None:
    source, partitions = on_four_partitions
    build = tmp_path / "build"
    site = {"format": "raw", "disk_size": "3G", "partitions": partitions}
    options = {"site_hypervisor": site, "site_kernel_bundle": str(kernel_bundle), "site_packages": []}
    play = contextualize(build, source, **options)
    assert play.status == 0, play.output
    with booted(build, tmp_path / "machine") as said:
        for sign in (r"Mounted .*boot\.mount", r"Mounted .*srv-data\.mount", r"Adding \d+k swap on /dev/vda3"):
            assert re.search(sign, said), f"the console does not say {sign}"
        assert "emergency" not in said
    # Another content of a partition is another release; the same is none.
    assert contextualize(build, source, **options).changed == 0
    (tmp_path / "data").write_bytes(b"")
    assert f"A new release is needed: {tmp_path}/data." in contextualize(build, source, "--check", **options).output
