from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub
from ansible_collections.voc.cluster.plugins.module_utils._boot.grub import BootLoader
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems, partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Partition, Table
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    UUID,
    make_disk,
    make_efi_disk,
    make_ext,
    make_xfs_head,
    plan_single,
    whole,
)

KERNEL = Kernel("6.1.0", "/boot/vmlinuz-6.1.0", "/boot/initrd.img-6.1.0", "/lib/modules/6.1.0")
TABLE = plan_single(8 * MIB)
BOOT_PARTITION = "21686148-6449-6E6F-744E-656564454649"


@pytest.fixture(scope="module")
def loader() -> BootLoader:
    return grub.make(PopenRunner(), grub.Home(UUID))


def test_a_real_grub_knows_where_it_will_lie(loader: BootLoader) -> None:
    assert grub.locate(loader, TABLE, "disk") == loader


def test_the_same_filesystem_gets_the_same_grub(loader: BootLoader) -> None:
    assert grub.make(PopenRunner(), grub.Home(UUID)) == loader
    assert grub.make(PopenRunner(), grub.Home(UUID.replace("0", "1"))) != loader


def test_placing_leaves_the_partition_table_and_everything_behind_it(loader: BootLoader, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    before = disk.read_bytes()
    assert not grub.is_placed(loader, str(disk))
    assert not grub.has_boot_code(str(disk))
    grub.place(loader, str(disk))
    after = disk.read_bytes()
    assert grub.is_placed(loader, str(disk))
    assert grub.has_boot_code(str(disk))
    assert after[440:512] == before[440:512]
    assert after[MIB:] == before[MIB:]
    assert after[512 : 512 + len(loader.core)] == loader.core


@pytest.mark.parametrize("at", [0, 439, 512, 5000])
def test_a_changed_byte_of_the_loader_is_noticed(loader: BootLoader, tmp_path: Path, at: int) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    grub.place(loader, str(disk))
    data = bytearray(disk.read_bytes())
    data[at] ^= 1
    disk.write_bytes(data)
    assert not grub.is_placed(loader, str(disk))


def test_a_gap_that_is_too_small_is_refused(loader: BootLoader) -> None:
    old = Table("dos", (Partition(1, 63, 10_000, "83"),))
    with pytest.raises(SpaceError, match="before the first partition but there are 31744"):
        grub.locate(loader, old, "disk")
    exact = -(-len(loader.core) // 512) + 1
    grub.locate(loader, Table("dos", (Partition(1, exact, 1, "83"),)), "disk")


def test_a_boot_partition_that_is_too_small_is_refused(loader: BootLoader) -> None:
    with pytest.raises(SpaceError, match="in the BIOS boot partition but there are 4096"):
        grub.locate(loader, Table("gpt", (Partition(1, 34, 8, BOOT_PARTITION),)), "disk")


def test_a_gpt_without_a_boot_partition_is_refused(loader: BootLoader) -> None:
    with pytest.raises(InputError, match="a GPT that has no BIOS boot partition"):
        grub.locate(loader, Table("gpt", TABLE.partitions), "disk")


def test_large_sectors_are_refused(loader: BootLoader) -> None:
    with pytest.raises(InputError, match="cannot start a disk with sectors of 4096 bytes"):
        grub.locate(loader, Table("dos", TABLE.partitions, 4096), "disk")


@given(st.integers(34, 1 << 40))
def test_on_a_gpt_both_pieces_name_the_boot_partition(loader: BootLoader, start: int) -> None:
    placed = grub.locate(loader, Table("gpt", (Partition(1, start, 2048, BOOT_PARTITION.lower()),)), "disk")
    assert placed.start == start
    assert int.from_bytes(placed.boot[0x5C:0x64], "little") == start
    assert int.from_bytes(placed.core[0x1F4:0x1FC], "little") == start + 1
    assert placed.boot[:0x5C] + placed.boot[0x64:] == loader.boot[:0x5C] + loader.boot[0x64:]
    assert placed.core[:0x1F4] + placed.core[0x1FC:] == loader.core[:0x1F4] + loader.core[0x1FC:]


def test_on_a_gpt_nothing_but_the_boot_code_and_the_boot_partition_changes(loader: BootLoader, tmp_path: Path) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    before = disk.read_bytes()
    table = partitions.read(str(disk), len(before))
    placed = grub.locate(loader, table, str(disk))
    assert not grub.is_placed(placed, str(disk))
    grub.place(placed, str(disk))
    after = disk.read_bytes()
    assert grub.is_placed(placed, str(disk))
    assert after[440:MIB] == before[440:MIB]
    assert after[MIB : MIB + len(loader.core)] == placed.core
    assert after[2 * MIB :] == before[2 * MIB :]


def test_a_grub_that_expects_another_place_is_refused(loader: BootLoader) -> None:
    moved = BootLoader(loader.boot, loader.core[:0x1F4] + b"\x09" + loader.core[0x1F5:])
    with pytest.raises(ToolError, match="block list is unexpected"):
        grub.locate(moved, TABLE, "disk")


def test_ordinary_filesystems_can_be_read_by_grub(tmp_path: Path) -> None:
    for kind in ("ext2", "ext3", "ext4"):
        image = make_ext(tmp_path / kind, kind=kind)
        grub.require_readable(filesystems.require_ext(whole(image)), "image")


def test_a_filesystem_with_other_features_is_refused(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", options=("-O", "inline_data", "-I", "256"))
    with pytest.raises(InputError, match="GRUB cannot read a filesystem with the features 0x8000"):
        grub.require_readable(filesystems.require_ext(whole(image)), "image")


def _check_syntax(text: str, folder: Path) -> None:
    path = folder / "grub.cfg"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    subprocess.run(["grub-script-check", path], check=True, capture_output=True)


def test_a_configuration_boots_every_kernel_by_its_uuid(tmp_path: Path) -> None:
    older = Kernel("5.10", "/boot/vmlinuz-5.10", "/boot/initrd.img-5.10", "/lib/modules/5.10")
    text = grub.config([KERNEL, older], grub.Home(UUID), f"root=UUID={UUID} ro quiet", "Debian GNU/Linux 13")
    _check_syntax(text, tmp_path)
    assert text.count("menuentry ") == 2
    assert "menuentry 'Debian GNU/Linux 13, Linux 6.1.0' {" in text
    assert f"linux /boot/vmlinuz-6.1.0 root=UUID={UUID} ro quiet\n" in text
    assert "initrd /boot/initrd.img-5.10\n" in text


@pytest.mark.parametrize("option", ["a=1;reboot", "b={x", "memmap=4G$12G", "}", "c=`d`", "e=#", 'f="g h"'])
def test_an_option_of_the_kernel_is_one_word_of_the_script(option: str, tmp_path: Path) -> None:
    text = grub.config([KERNEL], grub.Home(UUID), f"ro {option} quiet", "Debian")
    _check_syntax(text, tmp_path)
    (line,) = (line for line in text.splitlines() if line.startswith("  linux "))
    # Single quotes mean to a shell what they mean to GRUB.
    assert shlex.split(line)[2:] == ["ro", option.replace('"', ""), "quiet"]


def test_paths_are_those_of_the_filesystem_that_grub_sees(loader: BootLoader) -> None:
    home = grub.Home(UUID, "xfs", "/boot")
    text = grub.config([KERNEL], home, "ro", "Debian")
    assert "linux /vmlinuz-6.1.0 ro\n" in text
    assert "initrd /initrd.img-6.1.0\n" in text
    assert home.path(grub.CONFIG_PATH) == "/grub/grub.cfg"
    # The early configuration and the driver are within the loader.
    assert grub.make(PopenRunner(), home).core != loader.core


def test_features_of_xfs_are_told_by_number(tmp_path: Path) -> None:
    fine = make_xfs_head(tmp_path / "fine", incompatible=0x3F)
    grub.require_readable(filesystems.require(whole(fine), ["xfs", "btrfs"]), "image")
    newer = make_xfs_head(tmp_path / "newer", incompatible=0x4B)
    with pytest.raises(InputError, match=r"with the features 0x40; .*mkfs.xfs -i exchange=0"):
        grub.require_readable(filesystems.require(whole(newer), ["xfs", "btrfs"]), "image")


HOSTILE = st.text(st.sampled_from("'\"\\$;{}`()#\n a") | st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=30)
@given(HOSTILE, HOSTILE.filter(lambda version: "/" not in version and "\n" not in version and "\0" not in version))
def test_no_title_or_kernel_name_breaks_out_of_its_word(tmp_path_factory, title: str, version: str) -> None:
    name = f"/boot/vmlinuz-{version}"
    text = grub.config([Kernel(version, name, name, None)], grub.Home(UUID), "ro", title.replace("\0", ""))
    _check_syntax(text, tmp_path_factory.mktemp("cfg"))
    entry = text[text.index("menuentry '") + len("menuentry '") :]
    shown, _quote, rest = entry.partition("'")
    assert shown == f"{title}, Linux {version}".replace("'", "").replace("\0", "")
    assert rest.startswith(" {\n")
