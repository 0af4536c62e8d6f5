from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    assert_clean,
    debugfs,
    make_disk,
    make_efi_disk,
    make_ext,
    plant,
)
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module

KERNEL: dict[str, str | bytes] = {
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": "initramfs",
    "/lib/modules/6.1.0/modules.dep": "",
}


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL))


def test_check_mode_tells_what_will_be_done(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = make_efi_disk(tmp_path / "disk", part)
    before = disk.read_bytes()
    told = run_module("image_boot", capsys, check=True, image=str(disk), firmware="both", drivers=[])
    assert disk.read_bytes() == before
    done = run_module("image_boot", capsys, image=str(disk), firmware="both", drivers=[])
    assert told == done
    assert done["changed"]
    assert done["loaders"] == ["bios", "uefi"]
    again = run_module("image_boot", capsys, image=str(disk), firmware="both", drivers=[])
    assert not again["changed"]
    assert again["loaders"] == []


def test_what_is_new_is_labelled_for_selinux(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = {
        "/etc/selinux/config": "SELINUX=enforcing\n",
        "/etc/selinux/targeted/contexts/files/file_contexts": "/boot(/.*)?\t\tsystem_u:object_r:boot_t:s0\n",
    }
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", {**KERNEL, **policy})))
    assert run_module("image_boot", capsys, image=str(disk), drivers=[])["changed"]
    assert "system_u:object_r:boot_t:s0" in debugfs(disk, "ea_get /boot/grub/grub.cfg security.selinux", offset=MIB)
    assert_clean(disk, MIB)
    assert not run_module("image_boot", capsys, image=str(disk), drivers=[])["changed"]


def test_a_disk_without_a_system_partition_is_told(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = make_disk(tmp_path / "disk", part)
    result = run_module("image_boot", capsys, image=str(disk), firmware="uefi", drivers=[])
    assert result["failed"]
    assert result["msg"] == (
        f"{disk}: it has no EFI system partition; let image_layout make a disk with one, or use firmware: bios."
    )


def test_a_kernel_without_a_driver_is_refused(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_ext(part, plant(tmp_path / "tree", {"/boot/initrd.img-6.1.0": b""}))
    disk = make_disk(tmp_path / "disk", part)
    before = disk.read_bytes()
    result = run_module("image_boot", capsys, image=str(disk), drivers=["ahci"])
    assert result["failed"]
    assert result["msg"] == f"{disk}: the kernel 6.1.0 has no driver ahci; install a kernel that has it."
    assert disk.read_bytes() == before
