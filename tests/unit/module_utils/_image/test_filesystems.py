from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    UUID,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    plant,
    tool,
    whole,
)

MAGIC = struct.pack("<H", 0xEF53)


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
@pytest.mark.parametrize("block", ["1024", "4096"])
def test_an_ext_filesystem_is_recognised(kind: str, block: str, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", size=8 * MIB, kind=kind, options=("-b", block, "-L", "a label"))
    found = filesystems.identify(whole(image))
    assert found
    assert (found.type, found.uuid, found.label, found.size) == (kind, UUID, "a label", 8 * MIB)
    assert 0 < (found.free or 0) < 8 * MIB
    assert found.is_ext


def test_a_filesystem_in_a_partition_is_recognised_by_its_place(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    found = filesystems.identify(Volume(str(disk), MIB, 4 * MIB))
    assert found
    assert found.uuid == UUID
    assert filesystems.identify(whole(disk)) is None


def test_a_filesystem_may_have_no_uuid_and_no_label(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    tool("tune2fs", "-U", "clear", image)
    found = filesystems.require_ext(whole(image))
    assert (found.uuid, found.label) == (None, None)
    with pytest.raises(GuestError, match="has no UUID"):
        filesystems.require_uuid(found, whole(image))


def test_a_uuid_is_given_to_a_filesystem_without(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    tool("tune2fs", "-U", "clear", image)
    filesystems.set_uuid(runner, whole(image))
    found = filesystems.require_ext(whole(image))
    assert filesystems.require_uuid(found, whole(image)) not in ("", UUID)
    assert_clean(image)


@given(st.binary(max_size=1100))
def test_any_superblock_is_read(data: bytes) -> None:
    block = data.ljust(1024, b"\0")[:0x38] + MAGIC + data.ljust(1024, b"\0")[0x3A:]
    found = filesystems.parse_ext(block)
    if found:
        assert found.is_ext
        assert (found.size or 0) >= 0
        assert (found.label or "x").isprintable()


@given(st.binary(max_size=1023))
def test_a_short_superblock_is_none(data: bytes) -> None:
    assert filesystems.parse_ext(data) is None


@pytest.mark.parametrize(
    ("name", "offset", "magic"),
    [("xfs", 0, b"XFSB"), ("btrfs", 0x10040, b"_BHRfS_M"), ("squashfs", 0, b"hsqs")],
)
def test_another_filesystem_is_named_and_refused(name: str, offset: int, magic: bytes, tmp_path: Path) -> None:
    image = tmp_path / "part"
    image.write_bytes(bytes(offset) + magic + bytes(MIB))
    assert filesystems.identify(whole(image)) == Filesystem(name)
    with pytest.raises(InputError, match=f"holds {name}, which is not supported"):
        filesystems.require_ext(whole(image))


SUPERBLOCK_OF_RAID = b"\xfc\x4e\x2b\xa9"


@pytest.mark.parametrize(
    ("offset", "magic", "sentence"),
    [
        (24, b"LVM2 001", "it is a physical volume of LVM, which is not supported; activate its volume group"),
        (536, b"LVM2 001", "it is a physical volume of LVM"),
        (0, b"LUKS\xba\xbe", "it is an encrypted volume (LUKS), which is not supported; open it with cryptsetup"),
        (0, SUPERBLOCK_OF_RAID, "it is a member of a Linux software RAID (MD), which is not supported; assemble it"),
        (4096, SUPERBLOCK_OF_RAID, "it is a member of a Linux software RAID"),
    ],
)
def test_what_holds_filesystems_in_its_own_way_is_refused_by_name(
    offset: int, magic: bytes, sentence: str, tmp_path: Path
) -> None:
    image = tmp_path / "part"
    image.write_bytes(bytes(offset) + magic + bytes(MIB))
    with pytest.raises(InputError) as caught:
        filesystems.require_ext(whole(image))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("size", "offset"), [(4 * MIB, 4 * MIB - (64 << 10)), (4 * MIB + 512, 4 * MIB - 8192)])
def test_a_mirrored_filesystem_is_not_taken_for_a_plain_one(size: int, offset: int, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    with image.open("r+b") as file:
        file.truncate(size)
        file.seek(offset)
        file.write(SUPERBLOCK_OF_RAID)
    assert filesystems.identify(whole(image)) == Filesystem("linux_raid_member")


def test_one_of_several_btrfs_devices_is_refused(tmp_path: Path) -> None:
    devices = [tmp_path / "a", tmp_path / "b"]
    for device in devices:
        device.touch()
        os.truncate(device, 128 * MIB)
    tool("mkfs.btrfs", "-q", "-m", "raid1", *devices)
    with pytest.raises(InputError, match=r"it is one of the 2 devices of a btrfs filesystem, .*btrfs device remove"):
        filesystems.require_ext(whole(devices[0]))


@pytest.mark.parametrize(
    ("kind", "size", "options"),
    [("xfs", 320 * MIB, ["-m", f"uuid={UUID}", "-L", "root"]), ("btrfs", 128 * MIB, ["-U", UUID, "-L", "root"])],
)
def test_a_superblock_is_read(kind: str, size: int, options: list[str], tmp_path: Path) -> None:
    image = tmp_path / "part"
    image.touch()
    os.truncate(image, size)
    tool(f"mkfs.{kind}", "-q", *options, image)
    found = filesystems.identify(whole(image))
    assert found
    assert (found.type, found.uuid, found.label, found.size, found.devices) == (kind, UUID, "root", size, 1)
    assert 0 < (found.free or 0) < size


@given(st.binary(max_size=0x400), st.sampled_from([filesystems.parse_xfs, filesystems.parse_btrfs]))
def test_any_head_is_read(data: bytes, parse: Callable[[bytes], Filesystem]) -> None:
    found = parse(data if parse is filesystems.parse_xfs else bytes(0x10000) + data)
    assert (found.label or "x").isprintable()
    assert (found.free or 0) >= 0


@pytest.mark.parametrize(
    ("size", "sector_size"), [(34, 512), (100, 512), (260, 512), (261, 512), (1024, 512), (260, 4096), (1024, 4096)]
)
def test_an_esp_on_a_large_disk_has_the_clusters_of_a_fat32(
    size: int, sector_size: int, runner: Runner, tmp_path: Path
) -> None:
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, 16 << 30)
    filesystems.make_fat(runner, Volume(str(image), 2 * MIB, size * MIB), "ESP", sector_size)
    with image.open("rb") as file:
        file.seek(2 * MIB)
        sector = file.read(512)
    found_size, per_cluster, reserved, tables = struct.unpack_from("<HBHB", sector, 11)
    hidden, total, length = struct.unpack_from("<III", sector, 28)
    assert (found_size, hidden * sector_size) == (sector_size, 2 * MIB)
    assert 0 <= size * MIB - total * sector_size < MIB  # whole tracks
    assert (total - reserved - tables * length) // per_cluster >= 65525


@pytest.mark.parametrize(("size", "sector_size"), [(40, 512), (260, 4096)])
def test_an_esp_is_a_fat32_in_its_place(size: int, sector_size: int, runner: Runner, tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, (size + 24) * MIB)
    region = Volume(str(image), 4 * MIB, size * MIB)
    filesystems.make_fat(runner, region, "ESP", sector_size)
    assert image.stat().st_size == (size + 24) * MIB
    found = filesystems.identify(region)
    assert found
    assert (found.type, found.label, found.block_size) == ("vfat", "ESP", sector_size)
    assert found.uuid == tool("blkid", "-p", "-O", str(4 * MIB), "-o", "value", "-s", "UUID", image).strip()
    with image.open("rb") as file:
        assert not any(file.read(4 * MIB))
        content = file.read(size * MIB)
        assert not any(file.read())
    (tmp_path / "esp").write_bytes(content)
    tool("fsck.vfat", "-n", tmp_path / "esp")


@pytest.mark.parametrize(
    ("argv", "block_size", "sentence"),
    [
        (
            ("mke2fs", "-q", "-b", "1024"),
            1024,
            "ext2 with blocks of 1024 bytes, too small for sectors of 4096; make it "
            "anew with mke2fs -b 4096, or let the disk have sectors of 512 bytes",
        ),
        (("mke2fs", "-q", "-b", "4096"), 4096, None),
        (
            ("mkfs.xfs", "-q", "-s", "size=512"),
            512,
            "xfs with blocks of 512 bytes, .*; make it anew with mkfs.xfs -s size=4096",
        ),
        (("mkfs.xfs", "-q", "-s", "size=4096"), 4096, None),
        (
            ("mkfs.vfat", "-F", "32"),
            512,
            "vfat with blocks of 512 bytes, .*; take the root out with image_extract and give",
        ),
        (("mkfs.vfat", "-F", "32", "-S", "4096"), 4096, None),
        (("mkfs.btrfs", "-q"), None, None),
    ],
)
def test_blocks_that_are_smaller_than_sectors_are_refused(
    argv: tuple[str, ...], block_size: int | None, sentence: str | None, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 320 * MIB)
    tool(*argv, image)
    found = filesystems.identify(whole(image))
    assert found
    assert found.block_size == block_size
    filesystems.require_sectors(found, 512, "image")
    if sentence:
        with pytest.raises(InputError, match=f"image: partition 3 holds {sentence}"):
            filesystems.require_sectors(found, 4096, "image", 3)
    else:
        filesystems.require_sectors(found, 4096, "image", 3)


def test_swap_is_recognised(tmp_path: Path) -> None:
    image = tmp_path / "swap"
    image.write_bytes(bytes(MIB))
    image.chmod(0o600)
    tool("mkswap", "-q", "-U", UUID, "-L", "swap", image)
    assert filesystems.identify(whole(image)) == Filesystem("swap", UUID, "swap", MIB, 0)


def test_a_swap_area_is_one_for_swaps_own_tools(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(bytes(8 * MIB))
    region = Volume(str(image), 2 * MIB, 4 * MIB)
    filesystems.make_swap(region)
    found = filesystems.identify(region)
    assert found
    assert (found.type, found.size) == ("swap", 4 * MIB)
    data = image.read_bytes()
    assert not any(data[: 2 * MIB])
    (tmp_path / "swap").write_bytes(data[2 * MIB : 6 * MIB])
    assert tool("swaplabel", tmp_path / "swap") == f"UUID:  {found.uuid}\n"
    tool("mkswap", "-q", "-U", found.uuid or "", tmp_path / "swap")
    assert (tmp_path / "swap").read_bytes() == data[2 * MIB : 6 * MIB]


def test_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just words\n")
    with pytest.raises(InputError, match="neither a known filesystem nor a partition table"):
        filesystems.require_ext(whole(tmp_path / "text"))


def test_a_clean_filesystem_passes_every_check(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    filesystems.check(runner, whole(image))
    filesystems.verify(runner, whole(image))


def test_damage_that_loses_nothing_is_repaired(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/a": "1"}))
    debugfs(image, "set_inode_field /a links_count 7", write=True)
    with pytest.raises(DamagedImageError, match="the filesystem has errors"):
        filesystems.verify(runner, whole(image))
    filesystems.check(runner, whole(image))
    assert_clean(image)


@pytest.mark.parametrize("damage", ["clri <2>", "clri /etc"])
def test_damage_that_needs_a_decision_is_refused(damage: str, runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/a": "1", "/etc/b": "2"}))
    debugfs(image, damage, write=True)
    with pytest.raises(DamagedImageError, match=r"original.img: .*cannot repair safely .*; repair a copy"):
        filesystems.check(runner, whole(image), where="original.img")


def test_an_inode_table_that_is_gone_is_refused(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/a": "1"}), options=("-b", "1024"))
    table = int(debugfs(image, "imap <2>").split("located at block ")[1].split(",")[0])
    with image.open("r+b") as file:
        file.seek(table * 1024)
        file.write(bytes(64 << 10))
    with pytest.raises(DamagedImageError):
        filesystems.check(runner, whole(image))


def test_a_filesystem_grows_to_fill_its_region(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    os.truncate(image, 16 * MIB)
    filesystems.check(runner, whole(image))
    filesystems.resize(runner, whole(image))
    assert filesystems.require_ext(whole(image)).size == 16 * MIB
    assert_clean(image)


def test_what_grows_takes_no_room_whatever_the_builder_s_kernel_can_do(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable makes resize2fs take the kernel for one without ext4."""
    monkeypatch.setenv("RESIZE2FS_FORCE_ITABLE_INIT", "1")
    image = make_ext(tmp_path / "part", size=64 * MIB, kind="ext4")
    os.truncate(image, 8192 * MIB)
    filesystems.check(runner, whole(image))
    filesystems.resize(runner, whole(image))
    assert image.stat().st_blocks * 512 < 32 * MIB
    assert_clean(image)


@pytest.mark.parametrize("features", ["none", "metadata_csum,extent,64bit"])
def test_a_descriptor_that_is_wrong_after_growth_is_noticed(features: str, runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", size=4 * MIB, kind="ext2", options=("-b", "1024", "-O", features))
    os.truncate(image, 32 * MIB)
    filesystems.check(runner, whole(image))
    filesystems.resize(runner, whole(image))
    filesystems.check_grown(runner, whole(image))
    assert_clean(image)
    debugfs(image, "set_block_group 3 inode_table 7", write=True)
    with pytest.raises(DamagedImageError, match="cannot repair safely"):
        filesystems.check_grown(runner, whole(image))


# The last group of blocks, with its bitmaps and inodes, begins where a cut would be, or just before.
@pytest.mark.parametrize("behind", [700, 1500])
@pytest.mark.parametrize("options", [("-b", "1024"), ("-b", "1024", "-O", "^flex_bg,^metadata_csum,^resize_inode")])
def test_a_filesystem_grows_where_it_lies_and_nothing_is_cut_off(
    options: tuple[str, ...], behind: int, runner: Runner, tmp_path: Path
) -> None:
    content = os.urandom(3 * MIB)
    tree = plant(tmp_path / "tree", {"/a": content})
    source = make_ext(tmp_path / "part", tree, size=6 * MIB, options=options)
    size = 24 * MIB + behind * 1024
    volume = Volume(str(tmp_path / "disk"), 2 * MIB, size)
    with open(volume.path, "wb") as disk:
        disk.seek(volume.offset)
        disk.write(source.read_bytes())
        disk.truncate(volume.offset + size)
    filesystems.check(runner, volume)
    filesystems.resize(runner, volume)
    assert os.stat(volume.path).st_size == volume.offset + size
    assert filesystems.require_ext(volume).size == size
    assert_clean(tmp_path / "disk", volume.offset)
    debugfs(tmp_path / "disk", f"dump /a {tmp_path}/copy", offset=volume.offset)
    assert (tmp_path / "copy").read_bytes() == content


def test_a_name_that_e2fsprogs_would_misread_is_refused(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part?offset=1")
    with pytest.raises(InputError, match="contains a question mark"):
        filesystems.check(runner, whole(image))


def test_a_folder_that_e2fsprogs_would_misread_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "what?").mkdir()
    monkeypatch.chdir(tmp_path / "what?")
    with pytest.raises(InputError, match="contains a question mark"):
        str(Volume("part", 0, 1).e2fs_name)
