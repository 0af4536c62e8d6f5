from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    ImageError,
    InputError,
    SpaceError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Partition, Table
from ansible_collections.voc.cluster.tests.unit.images import (
    EFI_DISK_ROOT,
    EFI_DISK_SYSTEM,
    MIB,
    make_efi_disk,
    make_ext,
    tool,
)

GPT_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part"))


def _volume(disk: Path) -> Volume:
    return esp.locate(partitions.read(str(disk), disk.stat().st_size), str(disk))


def test_it_is_found_by_its_type(disk: Path) -> None:
    assert _volume(disk) == Volume(str(disk), EFI_DISK_SYSTEM, 8 * MIB)


def test_a_file_is_written_below_new_folders_and_replaced(runner: Runner, disk: Path) -> None:
    volume = _volume(disk)
    before = disk.read_bytes()
    path = "/EFI/BOOT/BOOTX64.EFI"
    assert not esp.exists(runner, volume, path)
    assert not esp.holds(runner, volume, path, b"loader")
    for content in (b"loader" * 1000, b"loader", b""):
        esp.write(runner, volume, path, content)
        assert esp.exists(runner, volume, path)
        assert esp.holds(runner, volume, path, content)
        # Longer ones, shorter ones, others of the same length.
        assert not any(
            esp.holds(runner, volume, path, other) for other in (content + b"x", b"other", content[1:] + b"x")
        )
    after = disk.read_bytes()
    assert after[:EFI_DISK_SYSTEM] == before[:EFI_DISK_SYSTEM]
    assert after[EFI_DISK_ROOT:] == before[EFI_DISK_ROOT:]
    listed = tool("mdir", "-/", "-b", "-i", f"{disk}@@{EFI_DISK_SYSTEM}", "::")
    assert listed.split() == ["::/EFI/", "::/EFI/BOOT/", "::/EFI/BOOT/BOOTX64.EFI"]


def test_a_file_that_is_there_in_a_folder_that_is_there_is_kept(runner: Runner, disk: Path) -> None:
    image = f"{disk}@@{EFI_DISK_SYSTEM}"
    tool("mmd", "-i", image, "::/efi", "::/efi/debian")
    tool("mcopy", "-i", image, "/etc/hostname", "::/efi/debian/grubx64.efi")
    esp.write(runner, _volume(disk), "/EFI/BOOT/BOOTX64.EFI", b"loader")
    assert esp.exists(runner, _volume(disk), "/EFI/debian/grubx64.efi")


def test_a_full_partition_is_told(runner: Runner, disk: Path) -> None:
    with pytest.raises(SpaceError, match="does not fit into the EFI system partition"):
        esp.write(runner, _volume(disk), "/EFI/BOOT/BOOTX64.EFI", bytes(9 * MIB))


@pytest.mark.parametrize("name", ["a@@1", "a\\b", "a?*[b]", "$(touch pwned)", "`touch pwned`", "~;touch pwned;"])
def test_a_name_that_mtools_would_misread_is_only_a_name(
    runner: Runner, disk: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mtools gives such names to a shell."""
    folder = disk.with_name("folder")
    folder.mkdir()
    monkeypatch.chdir(folder)
    odd = disk.rename(folder / name)
    volume = Volume(str(odd), EFI_DISK_SYSTEM, 8 * MIB)
    esp.write(runner, volume, "/EFI/BOOT/BOOTX64.EFI", b"loader")
    assert esp.holds(runner, volume, "/EFI/BOOT/BOOTX64.EFI", b"loader")
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    ("table", "count"),
    [
        (Table("gpt", (Partition(1, 2048, 2048, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),)), "no"),
        (Table("dos", (Partition(1, 2048, 2048, "83"),)), "no"),
        (Table("gpt", (Partition(1, 2048, 2048, GPT_TYPE), Partition(2, 4096, 2048, GPT_TYPE))), "more than one"),
    ],
)
def test_there_must_be_one(table: Table, count: str) -> None:
    with pytest.raises(InputError, match=f"disk: it has {count} EFI system partition; let image_layout make"):
        esp.locate(table, "disk")


def _patched(disk: Path, offset: int, layout: str, value: int) -> None:
    with disk.open("r+b") as file:
        file.seek(EFI_DISK_SYSTEM + offset)
        file.write(struct.pack(layout, value))


@pytest.mark.parametrize(("offset", "layout", "value"), [(19, "<H", 65535), (14, "<H", 65535), (22, "<H", 65535)])
def test_a_filesystem_beyond_its_partition_is_refused(disk: Path, offset: int, layout: str, value: int) -> None:
    """Else mtools would write into the next partition."""
    _patched(disk, offset, layout, value)
    with pytest.raises(DamagedImageError, match="partition 2: the FAT filesystem claims"):
        _volume(disk)


def test_a_partition_without_fat_is_refused(disk: Path) -> None:
    _patched(disk, 510, "<H", 0)
    with pytest.raises(InputError, match=r"partition 2: the EFI system partition holds no FAT filesystem; make one"):
        _volume(disk)


@given(
    st.binary(max_size=600) | st.binary(min_size=510, max_size=510).map(lambda head: head + b"\x55\xaa"), st.integers(0)
)
def test_any_sector_is_accepted_or_refused(sector: bytes, size: int) -> None:
    try:
        esp.require_fat(sector, size)
    except ImageError:
        return
    assert struct.unpack_from("<H", sector, 11)[0] <= size
