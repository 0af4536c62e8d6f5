from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub, uefi
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._inspect import inspect_raw, require_bootable, summary
from ansible_collections.voc.cluster.tests.unit.images import (
    EFI_DISK_SYSTEM,
    MIB,
    UUID,
    debugfs,
    make_disk,
    make_efi_disk,
    make_ext,
    plant,
    tool,
)

KERNEL: dict[str, str | bytes] = {"/boot/vmlinuz-6.1": "k", "/boot/initrd.img-6.1": "i", "/etc/os-release": "ID=x\n"}


def _disk(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    return make_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", files)))


def test_a_partition_image_lacks_what_a_disk_has(runner: Runner, tmp_path: Path) -> None:
    seen = inspect_raw(runner, str(make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL))))
    assert seen.missing == ("partition table", "boot loader")
    assert seen.guest
    assert seen.guest.id == "x"


@pytest.mark.parametrize(
    ("without", "lacking"), [("/boot/vmlinuz-6.1", "kernel"), ("/boot/initrd.img-6.1", "initramfs")]
)
def test_a_disk_that_lacks_a_part_cannot_boot(runner: Runner, tmp_path: Path, without: str, lacking: str) -> None:
    disk = _disk(tmp_path, {path: content for path, content in KERNEL.items() if path != without})
    seen = inspect_raw(runner, str(disk))
    assert seen.missing == ("boot loader", lacking)
    with pytest.raises(GuestError, match=f"the image has no boot loader, no {lacking}"):
        require_bootable(runner, str(disk), seen)


def test_a_whole_disk_can_boot_unless_its_filesystem_has_errors(runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path, KERNEL)
    grub.place(grub.make(runner, grub.Home(UUID)), str(disk))
    seen = inspect_raw(runner, str(disk))
    assert seen.missing == ()
    require_bootable(runner, str(disk), seen)
    debugfs(disk, "set_inode_field /etc links_count 9", offset=MIB, write=True)
    with pytest.raises(DamagedImageError):
        require_bootable(runner, str(disk), seen)


def test_a_disk_can_boot_by_the_firmwares_it_has_a_loader_for(runner: Runner, tmp_path: Path) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL)))
    seen = inspect_raw(runner, str(disk))
    assert (seen.firmware, seen.missing) == ((), ("boot loader",))
    uefi.place(runner, b"loader", Volume(str(disk), EFI_DISK_SYSTEM, 8 * MIB))
    seen = inspect_raw(runner, str(disk))
    assert (seen.firmware, seen.missing) == (("uefi",), ())
    assert summary(seen)[-2:] == ["boot loader on the disk for: uefi", "it lacks nothing to boot"]
    for enough in (None, "uefi"):
        require_bootable(runner, str(disk), seen, enough)
    for more in ("bios", "both"):
        with pytest.raises(GuestError, match="no boot loader for bios; use image_boot with this firmware"):
            require_bootable(runner, str(disk), seen, more)


def test_a_system_partition_that_cannot_be_read_boots_nothing(runner: Runner, tmp_path: Path) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL)))
    with disk.open("r+b") as file:
        file.seek(EFI_DISK_SYSTEM)
        file.write(bytes(512))
    seen = inspect_raw(runner, str(disk))
    assert (seen.firmware, seen.missing) == ((), ("boot loader",))


def test_text_is_refused(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    with pytest.raises(InputError, match="neither a known filesystem nor a partition table"):
        inspect_raw(runner, str(tmp_path / "text"))


def test_an_image_that_was_not_looked_into_cannot_be_checked(runner: Runner) -> None:
    with pytest.raises(InputError, match="root filesystem cannot be checked"):
        require_bootable(runner, "a.qcow2", None)


def test_a_boot_partition_beside_lvm_is_not_taken_for_the_root(runner: Runner, tmp_path: Path) -> None:
    boot = make_ext(tmp_path / "boot", plant(tmp_path / "tree", KERNEL))
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(16 * MIB)
        file.seek(MIB)
        file.write(boot.read_bytes())
        file.seek(8 * MIB + 512)
        file.write(b"LABELONE".ljust(24) + b"LVM2 001")
    tool("sfdisk", "-q", disk, data=b"label: dos\n2048,14336,83\n16384,,8e\n")
    seen = inspect_raw(runner, str(disk))
    assert isinstance(seen.spread, InputError)
    assert seen.guest is None
    assert "partition 2: LVM2_member" in summary(seen)
