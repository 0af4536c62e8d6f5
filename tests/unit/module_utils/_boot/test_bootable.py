from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import bootable, grub
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._inspect import inspect_raw, require_bootable
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES, MACHINE_ID
from ansible_collections.voc.cluster.tests.unit.images import (
    EFI_DISK_ROOT,
    EFI_DISK_SYSTEM,
    MIB,
    UUID,
    assert_clean,
    debugfs,
    make_disk,
    make_efi_disk,
    make_ext,
    plant,
    tool,
)

KERNEL: dict[str, str | bytes] = {
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": "initramfs",
    "/lib/modules/6.1.0/modules.dep": "",
    "/etc/os-release": "PRETTY_NAME='It''s Linux'\n",
    "/etc/fstab": "/dev/sda1 / ext4 noatime 0 1\n/dev/sda2 none swap sw 0 0\n",
}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL)))


def _plan(runner: Runner, image: Path, firmware: str = "bios") -> bootable.BootPlan:
    seen = bootable.examine(runner, str(image))
    with open_guest(runner, seen.spread) as files:
        return bootable.plan_boot(runner, seen, files, ["quiet"], firmware=firmware)


def test_a_disk_with_a_kernel_is_made_to_boot_once(runner: Runner, disk: Path) -> None:
    first = _plan(runner, disk)
    assert first.loader_changes
    assert first.kernel.version == "6.1.0"
    assert first.command_line == f"root=UUID={UUID} ro quiet"
    assert first.switched_off == ["/dev/sda2"]
    bootable.apply(first)
    assert_clean(disk, MIB)
    assert "No errors detected" in tool("sfdisk", "--verify", disk)

    again = _plan(runner, disk)
    assert not again.loader_changes
    assert again.files.changes() == []
    config = again.files.read(grub.CONFIG_PATH).decode()
    assert f"linux /boot/vmlinuz-6.1.0 root=UUID={UUID} ro quiet\n" in config
    assert again.files.read("/etc/fstab").decode().startswith(f"UUID={UUID} / ext4 noatime 0 1\n")


@pytest.mark.parametrize("root", ["UUID=11111111-1111-4111-8111-111111111111 / ext4\n", ""])
@pytest.mark.parametrize("scratch", ["sda", "sdb"])
def test_scratch_on_another_disk_is_no_second_mount_of_the_root(
    runner: Runner, tmp_path: Path, root: str, scratch: str
) -> None:
    text = f"{root}/dev/{scratch}1 /scratch ext4 defaults 0 2\n"
    part = make_ext(tmp_path / "part", plant(tmp_path / "tree", {**KERNEL, "/etc/fstab": text}))
    disk = make_disk(tmp_path / "disk", part)
    boot = _plan(runner, disk)
    assert boot.switched_off == ["/scratch"]
    bootable.apply(boot)
    entries = fstab.parse(debugfs(disk, "cat /etc/fstab", offset=MIB))
    assert [(entry.source, entry.path) for entry in entries] == [(f"UUID={UUID}", "/")]


BOOT_UUID = UUID.replace("4", "a")
SPREAD_BOOT = {"/vmlinuz-6.1.0": "kernel", "/initrd.img-6.1.0": "initramfs"}
SPREAD_ROOT = {
    "/boot/left": "",
    "/usr/bin/env": "",
    "/etc/os-release": "ID=test\n",
    "/lib/modules/6.1.0/modules.dep": "",
}


@pytest.mark.parametrize(
    ("text", "adapted", "switched_off"),
    [
        ("/dev/vda2 / ext4 noatime 0 1\n/dev/vda1 /boot ext3 ro 0 2\n", f"UUID={BOOT_UUID} /boot ext3 ro 0 2\n", []),
        (f"UUID={BOOT_UUID} /boot ext4 ro 0 2\n/dev/vda2 / ext4 noatime 0 1\n", "", []),
        # Where fstab is of no help, the kernels are.
        ("/dev/vda2 / ext4 noatime 0 1\n", f"UUID={BOOT_UUID} /boot ext4 defaults 0 2\n", []),
        (
            "/dev/md1 /boot ext4 ro 0 2\n/dev/md2 / ext4 noatime 0 1\n",
            f"UUID={BOOT_UUID} /boot ext4 defaults 0 2\n",
            ["/boot"],
        ),
    ],
)
def test_a_boot_partition_gets_what_grub_looks_for(
    runner: Runner, tmp_path: Path, text: str, adapted: str, switched_off: list[str]
) -> None:
    boot = make_ext(tmp_path / "boot", plant(tmp_path / "kernels", dict(SPREAD_BOOT)), options=("-U", BOOT_UUID))
    data = make_ext(tmp_path / "data", plant(tmp_path / "files", {"/etc/hosts": ""}), options=("-U", "random"))
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", {**SPREAD_ROOT, "/etc/fstab": text}))
    disk = make_disk(tmp_path / "disk", boot, root, data)

    first = _plan(runner, disk)

    assert first.command_line == f"root=UUID={UUID} ro quiet"
    assert first.switched_off == switched_off
    bootable.apply(first)
    config = debugfs(disk, "cat /grub/grub.cfg", offset=MIB)
    assert f"search --no-floppy --fs-uuid --set=root {BOOT_UUID}\n" in config
    assert f"linux /vmlinuz-6.1.0 root=UUID={UUID} ro quiet\n" in config
    assert "initrd /initrd.img-6.1.0\n" in config
    assert "grub" not in debugfs(disk, "ls /boot", offset=5 * MIB)
    table = debugfs(disk, "cat /etc/fstab", offset=5 * MIB)
    assert f"UUID={UUID} / ext4 noatime 0 1\n" in table
    assert (adapted or text.splitlines()[0]) in table
    again = _plan(runner, disk)
    assert (again.files.changes(), again.loader_changes) == ([], False)
    seen = inspect_raw(runner, str(disk))
    assert (seen.missing, seen.pygrub_obstacle) == ((), None)
    require_bootable(runner, str(disk), seen)


def test_kernels_in_the_root_are_no_reason_to_take_others_for_boot(runner: Runner, tmp_path: Path) -> None:
    other = make_ext(tmp_path / "other", plant(tmp_path / "kernels", dict(SPREAD_BOOT)), options=("-U", BOOT_UUID))
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", {**KERNEL, "/usr/bin/env": ""}))
    assert bootable.examine(runner, str(make_disk(tmp_path / "disk", other, root))).home.uuid == UUID


@pytest.mark.parametrize("label", ["dos", "gpt"])
@pytest.mark.parametrize(
    ("firmware", "changing"), [("bios", ("bios",)), ("uefi", ("uefi",)), ("both", ("bios", "uefi"))]
)
def test_each_firmware_gets_its_loader_once(
    runner: Runner, tmp_path: Path, label: str, firmware: str, changing: tuple[str, ...]
) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL)), label)
    before = disk.read_bytes()
    first = _plan(runner, disk, firmware)
    assert first.loaders.changing == changing
    assert disk.read_bytes() == before
    bootable.apply(first)
    assert_clean(disk, EFI_DISK_ROOT)
    assert "No errors detected" in tool("sfdisk", "--verify", disk)
    again = _plan(runner, disk, firmware)
    assert again.loaders.changing == ()
    assert not again.loader_changes
    after = disk.read_bytes()
    assert grub.has_boot_code(str(disk)) == ("bios" in changing)
    assert (after[EFI_DISK_SYSTEM:EFI_DISK_ROOT] != before[EFI_DISK_SYSTEM:EFI_DISK_ROOT]) == ("uefi" in changing)


def test_a_guest_for_another_processor_is_refused(runner: Runner, tmp_path: Path) -> None:
    arm = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {**KERNEL, "/bin/sh": arm}))
    with pytest.raises(GuestError, match="the guest is for aarch64, not for x86"):
        _plan(runner, make_disk(tmp_path / "disk", image))


def test_planning_changes_nothing(runner: Runner, disk: Path) -> None:
    before = disk.read_bytes()
    _plan(runner, disk)
    assert disk.read_bytes() == before


@pytest.mark.parametrize("version", ["6.2.0\udcff", "6.2.0\x1b[2J", "6.2.0'\n}\nreboot", "6.2.0 init=/evil", "{{ 1 }}"])
def test_a_file_whose_name_is_no_version_is_no_kernel(version: str, runner: Runner, tmp_path: Path) -> None:
    """Its name would get into GRUB's configuration."""
    odd = {path.replace("6.1.0", version): content for path, content in KERNEL.items()}
    image = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", {**odd, **KERNEL})))
    planned = _plan(runner, image)
    assert planned.kernel.version == "6.1.0"
    assert planned.files.read(grub.CONFIG_PATH).count(b"menuentry") == 1


def test_a_partition_image_is_refused(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make a disk of it with image_layout"):
        bootable.examine(runner, str(make_ext(tmp_path / "part")))


def test_a_root_without_uuid_is_refused(runner: Runner, tmp_path: Path) -> None:
    part = make_ext(tmp_path / "part")
    tool("tune2fs", "-U", "clear", part)
    with pytest.raises(GuestError, match="has no UUID"):
        bootable.examine(runner, str(make_disk(tmp_path / "disk", part)))


def test_a_guest_without_a_kernel_is_refused(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="has no kernel"):
        _plan(runner, make_disk(tmp_path / "disk", make_ext(tmp_path / "part")))


# Guests of other families: their files, on a disk that is made for any of them.


@pytest.mark.parametrize(
    ("family", "image", "more"),
    [
        ("debian7", "/boot/vmlinuz-3.2.0-6-amd64", " vsyscall=emulate"),
        ("el6", "/boot/vmlinuz-2.6.32-754.el6.x86_64", " vsyscall=emulate"),
        ("el8", "/boot/vmlinuz-4.18.0-553.el8_10.x86_64", ""),
        ("el10", "/boot/vmlinuz-6.12.0-55.el10_0.x86_64", ""),
        ("sles15", "/boot/vmlinuz-6.4.0-150600-default", ""),
        ("alpine", "/boot/vmlinuz-lts", " modules=ext4 rootfstype=ext4"),
        ("arch", "/boot/vmlinuz-linux", ""),
    ],
)
def test_a_guest_of_another_family_starts_its_own_kernel(
    runner: Runner, disk: Path, family: str, image: str, more: str
) -> None:
    guest = FAMILIES[family]
    boot = bootable.plan_boot(runner, bootable.examine(runner, str(disk)), guest.tree(), ["quiet"])
    line = f"root=UUID={UUID} ro quiet{more}"
    config = boot.files.read(grub.CONFIG_PATH).decode()
    assert (boot.kernel.version, boot.command_line) == (guest.kernel, line)
    assert config.count("menuentry ") == 1
    assert f"  linux {image} {line}\n  initrd {guest.initramfs}\n" in config


@pytest.mark.parametrize("family", ["el8", "el9", "el10"])
def test_boot_entries_of_el_name_this_disk_and_no_other_machine(runner: Runner, disk: Path, family: str) -> None:
    guest = FAMILIES[family]
    boot = bootable.plan_boot(runner, bootable.examine(runner, str(disk)), guest.tree(), ["console=ttyS0"])
    entry = boot.files.read(f"/boot/loader/entries/{MACHINE_ID}-{guest.kernel}.conf").decode()
    assert f"\noptions root=UUID={UUID} ro console=ttyS0\n" in entry
    assert boot.files.read("/etc/kernel/cmdline").decode() == f"root=UUID={UUID} ro console=ttyS0\n"


def test_the_kernels_names_of_interfaces_stay_when_it_is_made_to_boot_again(runner: Runner, disk: Path) -> None:
    files = FAMILIES["sles15"].tree()
    names.keep_kernels_own(plan := Plan(files))
    plan.apply()
    boot = bootable.plan_boot(runner, bootable.examine(runner, str(disk)), files, [])
    assert boot.command_line.endswith(" ro net.ifnames=0 biosdevname=0")
