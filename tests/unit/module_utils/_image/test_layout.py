from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp
from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    InputError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate
from ansible_collections.voc.cluster.plugins.module_utils._image import (
    contents,
    extract,
    filesystems,
    layout,
    partitions,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.layout import Extra, Options
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import TYPES, Table
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import (
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
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, plain

SWAP_UUID = "0f2c4a6e-1111-4222-8333-944455566688"
FILES: dict[str, str | bytes] = {
    "/etc/os-release": "ID=test\n",
    "/usr/lib/a": "",
    "/data": os.urandom(300_000),
    "/a b": "space",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path / "tree", FILES)


def _build(runner: Runner, source: Path, target: Path, wanted: int | None = None) -> filesystems.Volume:
    return layout.build(runner, layout.plan(runner, str(source), wanted), str(target))


def _cloud_disk(path: Path, root: Path, script: str = "") -> Path:
    """Make a disk of 32 MiB as clouds have them: the root is the first partition but not the last on the disk."""
    script = script or (
        "label: gpt\n"
        f"14 : start=2048, size=2048, type={TYPES['gpt']['bios']}\n"
        f'15 : start=4096, size=8192, type={TYPES["gpt"]["esp"]}, name="EFI System"\n'
        "1 : start=12288, size=16384, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n"
        "2 : start=28672, size=4096, type=S\n"
    )
    path.touch()
    os.truncate(path, 32 * MIB)
    tool("sfdisk", "-q", "--no-reread", path, data=script.encode())
    table = partitions.read(str(path), 32 * MIB)
    places = {part.number: table.offset(part) for part in table.partitions if not part.is_container}
    swap = path.with_name("swap")
    swap.touch(mode=0o600)
    os.truncate(swap, 2 * MIB)
    tool("mkswap", "-q", "-U", SWAP_UUID, swap)
    with path.open("r+b") as disk:
        for number, content in ((1, root.read_bytes()), (2, swap.read_bytes()), (15, b"files of the ESP")):
            if number in places:
                disk.seek(places[number])
                disk.write(content)
    return path


def _table(runner: Runner, disk: Path) -> Table:
    return partitions.read(str(disk), disk.stat().st_size)


def _content(disk: Path, table: Table, number: int) -> bytes:
    (part,) = (part for part in table.partitions if part.number == number)
    with disk.open("rb") as file:
        file.seek(table.offset(part))
        return file.read(table.length(part))


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
@pytest.mark.parametrize("block", ["1024", "4096"])
@pytest.mark.parametrize("wanted", [None, 21 * MIB + 5])
def test_a_partition_becomes_a_disk(
    kind: str, block: str, wanted: int | None, runner: Runner, tree: Path, tmp_path: Path
) -> None:
    source = make_ext(tmp_path / "part", tree, size=8 * MIB, kind=kind, options=("-b", block, "-L", "root"))
    before, content = source.stat(), source.read_bytes()
    disk = tmp_path / "work" / "disk"

    volume = _build(runner, source, disk, wanted)

    size = 21 * MIB if wanted else 9 * MIB
    assert disk.stat().st_size == size
    assert (volume.path, volume.offset, volume.size) == (str(disk), MIB, size - MIB)
    found = filesystems.require_ext(volume)
    assert (found.type, found.uuid, found.label, found.size) == (kind, UUID, "root", size - MIB)
    assert_clean(disk, MIB)
    assert "No errors detected" in tool("sfdisk", "--verify", disk)
    for path, expected in FILES.items():
        debugfs(disk, f'dump "{path}" {tmp_path}/out', offset=MIB)
        data = (tmp_path / "out").read_bytes()
        assert data == (expected if isinstance(expected, bytes) else expected.encode())
    assert source.read_bytes() == content
    assert source.stat().st_mtime_ns == before.st_mtime_ns
    assert os.listdir(disk.parent) == ["disk"]


def test_a_source_with_a_tail_is_cut_at_its_filesystem(runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", tree, size=4 * MIB)
    with source.open("ab") as file:
        file.write(b"tail" * 1000)
    _build(runner, source, tmp_path / "disk")
    assert (tmp_path / "disk").stat().st_size == 5 * MIB
    assert_clean(tmp_path / "disk", MIB)


def test_a_filesystem_without_uuid_gets_one(runner: Runner, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part")
    tool("tune2fs", "-U", "clear", source)
    assert filesystems.require_ext(_build(runner, source, tmp_path / "disk")).uuid


def test_small_damage_of_the_source_is_repaired_in_the_disk_alone(runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", tree)
    debugfs(source, "set_inode_field /data links_count 7", write=True)
    content = source.read_bytes()
    _build(runner, source, tmp_path / "disk")
    assert_clean(tmp_path / "disk", MIB)
    assert source.read_bytes() == content


def test_damage_beyond_repair_names_the_source_and_leaves_nothing(runner: Runner, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part")
    debugfs(source, "clri <2>", write=True)
    with pytest.raises(DamagedImageError) as caught:
        _build(runner, source, tmp_path / "work" / "disk")
    assert caught.value.where == str(source)
    assert os.listdir(tmp_path / "work") == []


def test_a_tool_that_fails_late_leaves_nothing(tmp_path: Path) -> None:
    class NoEsp(PopenRunner):
        def execute(self, argv, *others):
            return Completed(1, b"", b"no") if plain(argv)[0] == "mkfs.vfat" else super().execute(argv, *others)

    planned = layout.plan(NoEsp(), str(make_ext(tmp_path / "part")), None, Options(esp=34 * MIB))
    with pytest.raises(ToolError, match=r"mkfs.vfat failed"):
        layout.build(NoEsp(), planned, str(tmp_path / "work" / "disk"))
    assert os.listdir(tmp_path / "work") == []


def test_a_truncated_source_is_refused(tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", size=8 * MIB)
    os.truncate(source, 7 * MIB)
    with pytest.raises(DamagedImageError, match="the filesystem has 8388608 bytes but the file only 7340032"):
        layout.plan(ScriptedRunner(), str(source), None)


def test_a_disk_that_is_too_small_names_the_source(tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", size=8 * MIB)
    with pytest.raises(SpaceError, match="too small for a partition") as caught:
        layout.plan(ScriptedRunner(), str(source), 8 * MIB)
    assert caught.value.where == str(source)


@pytest.mark.parametrize("label", partitions.LABELS)
def test_a_partition_gets_the_table_and_the_esp_it_shall_have(
    label: str, runner: Runner, tree: Path, tmp_path: Path
) -> None:
    source = make_ext(tmp_path / "part", tree, size=8 * MIB)
    disk = tmp_path / "disk"
    planned = layout.plan(runner, str(source), 64 * MIB, Options(label=label, esp=40 * MIB))

    volume = layout.build(runner, planned, str(disk))

    table = _table(runner, disk)
    assert table == planned.table
    assert [piece.wish.role for piece in planned.pieces] == [*(["bios"] if label == "gpt" else []), "esp", "root"]
    esp, root = table.partitions[-2:]
    assert (esp.type, root.type) == (TYPES[label]["esp"], TYPES[label]["root"])
    found = filesystems.identify(Volume(str(disk), table.offset(esp), table.length(esp)))
    assert found
    assert (found.type, found.label) == ("vfat", "ESP")
    assert (volume.offset, volume.size) == (table.offset(root), table.length(root))
    assert table.offset(root) + table.length(root) == 64 * MIB - (label == "gpt") * MIB
    assert filesystems.require_ext(volume).size == volume.size
    assert_clean(disk, volume.offset)
    assert "No errors detected" in tool("sfdisk", "--verify", disk)


def test_an_esp_that_is_too_small_for_fat32_is_refused(runner: Runner, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part")
    with pytest.raises(
        InputError, match="33554432 bytes is too small for FAT32 with sectors of 512; give it at least 34M"
    ):
        layout.plan(runner, str(source), None, Options(esp=32 * MIB))


def test_a_disk_becomes_a_larger_disk(runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = _cloud_disk(tmp_path / "cloud", make_ext(tmp_path / "part", tree, size=8 * MIB))
    before, disk = source.read_bytes(), tmp_path / "disk"

    volume = _build(runner, source, disk, 64 * MIB)

    old, new = _table(runner, source), _table(runner, disk)
    by_number = {part.number: part for part in new.partitions}
    assert new.id == old.id
    assert {(part.number, part.type, part.uuid, part.name) for part in new.partitions} == {
        (part.number, part.type, part.uuid, part.name) for part in old.partitions
    }
    assert sorted(by_number, key=lambda number: by_number[number].start) == [14, 15, 2, 1]
    assert _content(disk, new, 15) == _content(source, old, 15)
    assert _content(disk, new, 2) == _content(source, old, 2)
    found = filesystems.require_ext(volume)
    assert (volume.offset, found.uuid, found.size) == (new.offset(by_number[1]), UUID, volume.size)
    assert volume.offset + volume.size == 63 * MIB
    assert_clean(disk, volume.offset)
    assert debugfs(disk, "ls -p /etc", offset=volume.offset).count("os-release") == 1
    assert source.read_bytes() == before


def test_a_gpt_disk_becomes_a_dos_disk_and_back(runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = _cloud_disk(tmp_path / "cloud", make_ext(tmp_path / "part", tree, size=8 * MIB))
    dos, gpt = tmp_path / "dos", tmp_path / "gpt"
    layout.build(runner, layout.plan(runner, str(source), None, Options(label="dos")), str(dos))
    table = _table(runner, dos)
    assert {part.number: part.type for part in table.partitions} == {1: "83", 2: "82", 3: "ef"}
    assert [part.number for part in table.partitions if part.bootable] == [1]
    assert _content(dos, table, 3)[:16] == b"files of the ESP"

    # An ESP is not added where there is one.
    layout.build(runner, layout.plan(runner, str(dos), None, Options(label="gpt", esp=40 * MIB)), str(gpt))
    table = _table(runner, gpt)
    roles = ((1, "root"), (2, "swap"), (3, "esp"), (4, "bios"))
    assert {part.number: part.type for part in table.partitions} == {
        number: TYPES["gpt"][role] for number, role in roles
    }
    assert _content(gpt, table, 3)[:16] == b"files of the ESP"
    assert filesystems.require_ext(locate(runner, str(gpt)).root.volume).uuid == UUID


def test_logical_partitions_become_primary_ones(runner: Runner, tree: Path, tmp_path: Path) -> None:
    script = "label: dos\nsize=8M\ntype=5\nsize=2M, type=82\n"
    source = _cloud_disk(tmp_path / "old", make_ext(tmp_path / "part", tree, size=8 * MIB), script)
    _build(runner, source, tmp_path / "disk")
    table = _table(runner, tmp_path / "disk")
    assert {part.number: part.type for part in table.partitions} == {1: "83", 2: "82"}
    assert_clean(tmp_path / "disk", table.offset(next(part for part in table.partitions if part.number == 1)))


def test_the_root_of_several_filesystems_is_the_declared_one(runner: Runner, tree: Path, tmp_path: Path) -> None:
    script = "label: dos\n1 : start=2048, size=16384\n2 : size=16384\n"
    root = make_ext(tmp_path / "part", tree, size=8 * MIB)
    source = _cloud_disk(tmp_path / "two", root, script)
    other = make_ext(tmp_path / "other", tree, size=8 * MIB, options=("-U", SWAP_UUID))
    with source.open("r+b") as file:
        file.seek(9 * MIB)
        file.write(other.read_bytes())
    with pytest.raises(GuestError, match=r"on partition 1 and 2; say which is meant.* root: 1"):
        layout.plan(runner, str(source), None)
    with pytest.raises(InputError, match=r"it has no partition 3 \(there are: 1, 2\)"):
        layout.plan(runner, str(source), None, Options(root=3))
    planned = layout.plan(runner, str(source), 40 * MIB, Options(root=1))
    volume = layout.build(runner, planned, str(tmp_path / "disk"))
    assert [(piece.wish.role, piece.wish.number) for piece in planned.pieces] == [("data", 2), ("root", 1)]
    assert (filesystems.require_ext(volume).uuid, volume.offset) == (UUID, 9 * MIB)
    table = _table(runner, tmp_path / "disk")
    assert _content(tmp_path / "disk", table, 2) == other.read_bytes()


@pytest.mark.parametrize(
    ("offset", "magic", "name"),
    [(24, b"LVM2 001", "a physical volume of LVM"), (0, b"LUKS\xba\xbe", "an encrypted volume")],
)
def test_a_root_that_lies_elsewhere_is_not_taken_for_boot(
    offset: int, magic: bytes, name: str, runner: Runner, tmp_path: Path
) -> None:
    """Red Hat's default: an ext /boot beside LVM."""
    script = "label: dos\n1 : start=2048, size=16384\n2 : size=16384, type=8e\n"
    source = _cloud_disk(tmp_path / "rhel", make_ext(tmp_path / "part", size=8 * MIB), script)
    with source.open("r+b") as file:
        file.seek(9 * MIB)
        file.write(bytes(4096))
        file.seek(9 * MIB + offset)
        file.write(magic)
    for work in (layout.plan, lambda runner, path, _size: locate(runner, path)):
        with pytest.raises(InputError, match=f"partition 2 is {name}"):
            work(runner, str(source), None)


@pytest.mark.parametrize("label", partitions.LABELS)
def test_several_partition_images_become_one_disk(label: str, runner: Runner, tree: Path, tmp_path: Path) -> None:
    root = make_ext(tmp_path / "root", tree, size=8 * MIB)
    boot = make_ext(tmp_path / "boot", size=4 * MIB, options=("-U", SWAP_UUID))
    extras = (Extra("boot", str(boot), 6 * MIB), Extra("swap", size=2 * MIB))
    planned = layout.plan(runner, str(root), 32 * MIB, Options(label=label, extras=extras))

    layout.build(runner, planned, str(tmp_path / "disk"))

    seen = contents.look(str(tmp_path / "disk"))
    assert seen.table == planned.table
    parts = [part.type for part in planned.table.partitions][-3:]
    assert parts == [TYPES[label][role] for role in ("boot", "swap", "root")]
    boot_region, swap_region, root_region = seen.regions[-3:]
    for region, uuid in ((boot_region, SWAP_UUID), (root_region, UUID)):
        assert region.filesystem
        assert region.filesystem.uuid == uuid
        assert_clean(tmp_path / "disk", region.volume.offset)
    assert (boot_region.volume.size, swap_region.volume.size) == (6 * MIB, 2 * MIB)
    assert swap_region.filesystem
    assert swap_region.filesystem.type == "swap"


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (Extra("data", size=MIB), "partitions: a partition of type data has no src; give a size to swap"),
        (Extra("swap"), "a partition of type swap has no src and no size"),
        (Extra("data", "DISK"), "it is a disk image; take its partition out with image_extract"),
        (Extra("boot", "PART", MIB), "it does not fit into 1048576 bytes; give it 4194304 bytes"),
    ],
)
def test_a_partition_that_cannot_be_is_refused(extra: Extra, sentence: str, runner: Runner, tmp_path: Path) -> None:
    part = make_ext(tmp_path / "PART")
    make_disk(tmp_path / "DISK", part)
    source = str(tmp_path / extra.source) if extra.source else None
    with pytest.raises((InputError, SpaceError)) as caught:
        layout.plan(runner, str(part), None, Options(extras=(Extra(extra.role, source, extra.size),)))
    assert sentence in str(caught.value)


def test_sectors_of_a_disk_become_larger_and_smaller_again(runner: Runner, tree: Path, tmp_path: Path) -> None:
    root = make_ext(tmp_path / "part", tree, size=8 * MIB, options=("-b", "4096"))
    source = _cloud_disk(tmp_path / "cloud", root)
    large, small = tmp_path / "large", tmp_path / "small"
    layout.build(runner, layout.plan(runner, str(source), 40 * MIB, Options(sector_size=4096)), str(large))
    layout.build(runner, layout.plan(runner, str(large), None, Options(sector_size=512)), str(small))

    assert "No errors detected" in tool("fdisk", "-b", "4096", large, data=b"v\nq\n")
    assert "No errors detected" in tool("sfdisk", "--verify", small)
    old, new, again = (partitions.read(str(disk), disk.stat().st_size) for disk in (source, large, small))
    assert (new.sector_size, again.sector_size) == (4096, 512)
    assert [(part.number, part.type, part.uuid, part.name) for part in new.partitions] == [
        (part.number, part.type, part.uuid, part.name) for part in old.partitions
    ]
    assert [(new.offset(part), new.length(part)) for part in new.partitions] == [
        (again.offset(part), again.length(part)) for part in again.partitions
    ]
    for number in (2, 15):
        contents_of = {_content(disk, table, number) for disk, table in ((source, old), (large, new), (small, again))}
        assert len(contents_of) == 1
    for disk, table in ((large, new), (small, again)):
        spread = locate(runner, str(disk))
        volume, found = spread.root.volume, spread.root.filesystem
        assert (found.uuid, found.size) == (UUID, volume.size)
        assert_clean(disk, volume.offset)
        assert volume.offset == table.offset(next(part for part in table.partitions if part.number == 1))

    # It keeps its own where nothing is said.
    assert layout.plan(runner, str(large), None).table.sector_size == 4096


def test_a_partition_becomes_a_disk_with_large_sectors(runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", tree, size=8 * MIB, options=("-b", "4096"))
    options = Options(label="gpt", esp=260 * MIB, sector_size=4096)
    planned = layout.plan(runner, str(source), None, options)
    layout.build(runner, planned, str(tmp_path / "disk"))
    # BIOS could not start it.
    assert [piece.wish.role for piece in planned.pieces] == ["esp", "root"]
    seen = contents.look(str(tmp_path / "disk"))
    assert seen.table == planned.table
    assert [region.filesystem.block_size for region in seen.regions if region.filesystem] == [4096, 4096]
    system_partition = esp.locate(planned.table, str(tmp_path / "disk"))
    esp.write(runner, system_partition, "/EFI/BOOT/BOOTX64.EFI", b"loader" * 1000)
    assert esp.holds(runner, system_partition, "/EFI/BOOT/BOOTX64.EFI", b"loader" * 1000)
    assert_clean(tmp_path / "disk", planned.table.offset(planned.root))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(sector_size=4096), "a DOS partition table cannot say that sectors have 4096 bytes; use a GPT"),
        (
            Options("gpt", 100 * MIB, sector_size=4096),
            "too small for FAT32 with sectors of 4096; give it at least 260M",
        ),
        (
            Options("gpt", extras=(Extra("data", "OTHER"),), sector_size=4096),
            "OTHER: it holds ext4 with blocks of 1024",
        ),
    ],
)
def test_what_cannot_be_on_large_sectors_is_refused(
    options: Options, sentence: str, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_ext(tmp_path / "OTHER", options=("-b", "1024"))
    source = make_ext(tmp_path / "part", size=8 * MIB, options=("-b", "4096"))
    with pytest.raises(InputError, match=sentence):
        layout.plan(runner, str(source), None, options)


def test_an_esp_for_small_sectors_is_not_put_on_large_ones(runner: Runner, tmp_path: Path) -> None:
    disk = make_efi_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=8 * MIB, options=("-b", "4096")))
    with pytest.raises(InputError, match=r"disk: partition 2 holds vfat .* take the root out with image_extract"):
        layout.plan(runner, str(disk), None, Options(sector_size=4096))
    # As the message says:
    extract.build(runner, extract.plan(runner, str(disk), None), str(tmp_path / "root"))
    options = Options("gpt", 260 * MIB, sector_size=4096)
    assert layout.plan(runner, str(tmp_path / "root"), None, options).table.sector_size == 4096


def test_a_filesystem_larger_than_its_partition_is_refused(runner: Runner, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=8 * MIB))
    tool("sfdisk", "-q", "--no-reread", disk, data=b"label: dos\n1 : start=2048, size=8192\n")
    with pytest.raises(DamagedImageError, match="has 8388608 bytes but its partition only 4194304"):
        layout.plan(runner, str(disk), None)


@pytest.mark.parametrize(("kind", "size"), [("xfs", 320 * MIB), ("btrfs", 128 * MIB)])
def test_only_root_can_let_other_filesystems_grow(
    kind: str, size: int, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, disk = tmp_path / "part", tmp_path / "disk"
    source.touch()
    os.truncate(source, size)
    tool(f"mkfs.{kind}", "-q", source)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match=f"{kind} can only grow in a mount, which needs root; run the builder as root"):
        layout.plan(runner, str(source), 1024 * MIB)
    volume = _build(runner, source, disk)
    assert filesystems.identify(volume) == filesystems.identify(Volume(str(source), 0, size))


@pytest.mark.parametrize("label", partitions.LABELS)
def test_a_root_becomes_smaller_where_that_is_allowed(label: str, runner: Runner, tree: Path, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", tree, size=64 * MIB)
    content = source.read_bytes()
    with pytest.raises(SpaceError, match="too small for"):
        layout.plan(runner, str(source), 24 * MIB, Options(label=label))

    planned = layout.plan(runner, str(source), 24 * MIB, Options(label=label, shrink=True))
    volume = layout.build(runner, planned, str(tmp_path / "disk"))

    assert (tmp_path / "disk").stat().st_size == 24 * MIB
    assert _table(runner, tmp_path / "disk") == planned.table
    assert filesystems.require_ext(volume).size == volume.size
    assert_clean(tmp_path / "disk", volume.offset)
    debugfs(tmp_path / "disk", f'dump "/data" {tmp_path}/out', offset=volume.offset)
    assert (tmp_path / "out").read_bytes() == FILES["/data"]
    assert source.read_bytes() == content


def test_a_root_that_cannot_become_so_small_names_the_source(runner: Runner, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"/data": os.urandom(10 * MIB)}
    source = make_ext(tmp_path / "part", plant(tmp_path / "tree", files), size=64 * MIB)
    with pytest.raises(SpaceError, match="too small for"):
        layout.plan(runner, str(source), 8 * MIB, Options(shrink=True))
    used = 64 * MIB - (filesystems.require_ext(Volume(str(source), 0, 64 * MIB)).free or 0)
    planned = layout.plan(runner, str(source), used + 2 * MIB, Options(shrink=True))
    with pytest.raises(SpaceError, match=r"cannot become as small as \d+ bytes .*; give the disk more room") as caught:
        layout.build(runner, planned, str(tmp_path / "work" / "disk"))
    assert caught.value.where == str(source)
    assert os.listdir(tmp_path / "work") == []


def test_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words\n" * 1000)
    with pytest.raises(InputError, match="neither a known filesystem nor a partition table"):
        layout.plan(ScriptedRunner(), str(tmp_path / "text"), None)


def test_the_source_is_not_taken_for_the_target(runner: Runner, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part")
    content = source.read_bytes()
    with pytest.raises(InputError, match="is the source itself"):
        _build(runner, source, source)
    assert source.read_bytes() == content
