from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp, grub, uefi
from ansible_collections.voc.cluster.plugins.module_utils._image import partitions
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, make_disk, make_efi_disk, make_ext, plan_single

RUNNER = PopenRunner()


@pytest.fixture(scope="module")
def loader() -> bytes:
    return uefi.make(RUNNER, grub.Home(UUID))


def test_the_loader_is_a_program_for_uefi_on_x86_64(loader: bytes) -> None:
    """Microsoft, PE Format: the machine, and the subsystem 10 of EFI applications."""
    header = int.from_bytes(loader[0x3C:0x40], "little")
    assert loader[:2] == b"MZ"
    assert loader[header : header + 6] == b"PE\0\0\x64\x86"
    assert loader[header + 24 + 68] == 10
    assert UUID.encode() in loader


def test_the_same_filesystem_gets_the_same_loader(loader: bytes) -> None:
    assert uefi.make(RUNNER, grub.Home(UUID)) == loader
    assert uefi.make(RUNNER, grub.Home(UUID.replace("0", "1"))) != loader


def test_a_loader_is_placed_and_found(loader: bytes, tmp_path: Path) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    table = partitions.read(str(disk), disk.stat().st_size)
    volume = esp.locate(table, str(disk))
    assert not uefi.has_loader(RUNNER, table, str(disk))
    uefi.place(RUNNER, loader, volume)
    assert uefi.has_loader(RUNNER, table, str(disk))
    assert uefi.is_placed(RUNNER, loader, volume)


def test_a_disk_without_a_system_partition_has_no_loader(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    table = plan_single(5 * MIB)
    assert not uefi.has_loader(RUNNER, table, str(disk))
