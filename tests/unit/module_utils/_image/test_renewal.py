from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems, layout, renewal
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.layout import Extra, Options
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Wish, arrange
from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, assert_clean, make_ext, plant, tool

BOOT_UUID = "0f2c4a6e-1111-4222-8333-944455566699"
SWAP_UUID = "0f2c4a6e-1111-4222-8333-944455566688"


def references(disk: contents.Contents) -> str:
    """Return a text that names all that is on a disk."""
    lines = [
        f"UUID={region.filesystem.uuid}" for region in disk.regions if region.filesystem and region.filesystem.uuid
    ]
    assert disk.table
    lines += [f"PARTUUID={part.uuid.lower()}" for part in disk.table.partitions if part.uuid]
    return "\n".join([*lines, f"search --fs-uuid --set=root {lines[0][5:]}", ""])


def identifiers(disk: contents.Contents) -> set[str]:
    assert disk.table
    found = {region.filesystem.uuid for region in disk.regions if region.filesystem}
    found |= {disk.table.id, *(part.uuid for part in disk.table.partitions)}
    return {text.lower().removeprefix("0x") for text in found if text}


@pytest.fixture
def source(runner: Runner, tmp_path: Path) -> Path:
    """Return a GPT disk with an ESP, /boot, swap and a root, all of which name all of them."""
    parts = {
        name: make_ext(
            tmp_path / name, plant(tmp_path / f"{name}.tree", {"/etc/os-release": "ID=x\n"}), options=options
        )
        for name, options in (("root", ("-O", "metadata_csum")), ("boot", ("-U", BOOT_UUID, "-O", "metadata_csum")))
    }
    swap = tmp_path / "swap"
    swap.touch(mode=0o600)
    os.truncate(swap, MIB)
    tool("mkswap", "-q", "-U", SWAP_UUID, swap)
    extras = (Extra("boot", str(parts["boot"])), Extra("swap", str(swap)))
    planned = layout.plan(runner, str(parts["root"]), None, Options(label="gpt", esp=34 * MIB, extras=extras))
    disk = tmp_path / "source"
    layout.build(runner, planned, str(disk))
    seen = contents.look(str(disk))
    text = references(seen)
    _bios, system, boot, _swap, root = seen.regions
    esp.write(runner, system.volume, "/EFI/debian/grub.cfg", text.encode())
    (tmp_path / "text").write_text(text)
    tool("debugfs", "-w", "-R", f"write {tmp_path}/text extlinux.conf", boot.volume.e2fs_name)
    for name in ("fstab", "crypttab"):
        tool("debugfs", "-w", "-R", f"write {tmp_path}/text etc/{name}", root.volume.e2fs_name)
    return disk


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_everything_is_new_and_every_reference_follows(
    label: str, runner: Runner, open_ext: Callable[[Volume], ExtTree], source: Path, tmp_path: Path
) -> None:
    before, content = contents.look(str(source)), source.read_bytes()
    options = Options(label=label, root=5, new_uuids=True)
    target = tmp_path / "target"
    layout.build(runner, layout.plan(runner, str(source), None, options), str(target))
    after = contents.look(str(target))
    assert not identifiers(before) & identifiers(after)
    assert source.read_bytes() == content
    system, boot, swap, root = sorted(after.regions, key=lambda region: region.volume.offset)[-4:]
    for region in (boot, root):
        assert_clean(target, region.volume.offset)
    assert [region.filesystem.type for region in (system, boot, swap, root) if region.filesystem] == [
        *("vfat", "ext4", "swap", "ext4"),
    ]
    texts = [
        open_ext(root.volume).read("/etc/fstab"),
        open_ext(root.volume).read("/etc/crypttab"),
        open_ext(boot.volume).read("/extlinux.conf"),
        esp.read(runner, system.volume, "/EFI/debian/grub.cfg"),
    ]
    (text,) = {(each or b"").decode() for each in texts}
    assert before.table
    # A DOS disk has no BIOS boot partition.
    gone = {(before.table.partitions[0].uuid or "").lower()} if label == "dos" else set()
    assert {old for old in identifiers(before) if old in text.lower()} == gone
    named = set(re.findall("^UUID=(.*)$", text, re.MULTILINE))
    assert named == {region.filesystem.uuid for region in after.regions if region.filesystem}
    assert after.table
    for part in after.table.partitions[-4:]:
        expected = (part.uuid or "").lower() if label == "gpt" else f"{(after.table.id or '')[2:]}-{part.number:02x}"
        assert f"PARTUUID={expected}\n" in text


def test_without_the_option_all_is_kept(runner: Runner, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    layout.build(runner, layout.plan(runner, str(source), None, Options(root=5)), str(target))
    assert identifiers(contents.look(str(source))) == identifiers(contents.look(str(target)))


def test_a_dos_disk_gets_a_new_identifier_and_its_partitions_other_names() -> None:
    old = replace(arrange("dos", [Wish("data", MIB), Wish("root", MIB)], 3 * MIB), id="0x1234abcd")
    first, second = old.partitions
    kept = [renewal.Kept("data", replace(second, number=5), None), renewal.Kept("root", first, None)]
    new, renamings = renewal.plan(old, replace(old, id=None), kept, new_uuids=True)
    assert re.fullmatch("0x[0-9a-f]{8}", new.id or "")
    identity = (new.id or "")[2:]
    assert [(item.kind, item.old, item.new) for item in renamings] == [
        ("PTUUID", "1234abcd", identity),
        ("PARTUUID", "1234abcd-05", f"{identity}-01"),
        ("PARTUUID", "1234abcd-01", f"{identity}-02"),
    ]


HOME_UUID = "0f2c4a6e-1111-4222-8333-944455566655"
TABLES = {
    # Logical partitions, as installers used to make them.
    "dos": (
        "label: dos\nlabel-id: 0x1234abcd\n"
        "1: start=2048, size=8192\n2: start=10240, type=5\n5: size=2048, type=82\n6: size=8192\n",
        (1, 5, 6),
    ),
    # The numbers 128 and 14 do not exist on a DOS disk.
    "gpt": ("label: gpt\n1: start=2048, size=8192\n128: size=2048, type=S\n14: size=8192\n", (1, 128, 14)),
}


def make_numbered(folder: Path, label: str, named: Callable[[int], str]) -> Path:
    """Return a disk with a root, swap and /home, whose fstab names them by their numbers."""
    script, numbers = TABLES[label]
    disk = folder / "source"
    disk.touch()
    os.truncate(disk, 16 * MIB)
    tool("sfdisk", "-q", "--no-reread", disk, data=script.encode())
    root, swap, home = map(named, numbers)
    text = f"{root} / ext4 noatime 0 1\n{swap} none swap sw 0 0\n{home} /home ext3 nodev 0 2\n"
    settings = f'GRUB_CMDLINE_LINUX="root={root} resume={swap}"\n'
    tree = plant(folder / "tree", {"/etc/fstab": text, "/usr/a": "", "/etc/default/grub": settings})
    parts = (make_ext(folder / "root", tree), folder / "swap", make_ext(folder / "home", options=("-U", HOME_UUID)))
    parts[1].touch(mode=0o600)
    os.truncate(parts[1], MIB)
    tool("mkswap", "-q", "-U", SWAP_UUID, parts[1])
    table = contents.look(str(disk)).table
    assert table
    places = {part.number: table.offset(part) for part in table.partitions}
    with disk.open("r+b") as file:
        for number, part in zip(numbers, parts):
            file.seek(places[number])
            file.write(part.read_bytes())
    return disk


@pytest.mark.parametrize("new_uuids", [False, True])
@pytest.mark.parametrize("kind", ["PARTUUID", "device"])
@pytest.mark.parametrize("target", ["dos", "gpt"])
@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_references_by_a_partitions_number_or_identifier_follow_every_change_of_the_table(
    label: str,
    target: str,
    kind: str,
    new_uuids: bool,
    runner: Runner,
    open_ext: Callable[[Volume], ExtTree],
    tmp_path: Path,
) -> None:
    if kind == "device":
        source = make_numbered(tmp_path, label, "/dev/sda{}".format)
    elif label == "dos":
        source = make_numbered(tmp_path, label, "PARTUUID=1234abcd-{:02x}".format)
    else:
        source = make_numbered(tmp_path, label, "@{}@".format)
        name_by_guid(source)
    planned = layout.plan(runner, str(source), None, Options(label=target, root=1, new_uuids=new_uuids))
    made = layout.build(runner, planned, str(tmp_path / "disk"))

    after = contents.look(str(tmp_path / "disk"))
    names = contents.names(after)
    text = (open_ext(made).read("/etc/fstab")).decode()
    entries = fstab.parse(text)
    if (target, kind) == ("gpt", "device"):  # all numbers stay
        assert [entry.source for entry in entries] == [f"/dev/sda{number}" for number in TABLES[label][1]]
        return
    found = [names[fstab.normal_source(entry.source)].filesystem for entry in entries]
    assert [each.type for each in found if each] == ["ext4", "swap", "ext4"]
    known = [each.uuid for each in found if each]
    old = [UUID, SWAP_UUID, HOME_UUID]
    assert set(known).isdisjoint(old) if new_uuids else known == old
    root, swap, _home = (entry.source for entry in entries)
    settings = open_ext(made).read("/etc/default/grub").decode()
    assert settings == f'GRUB_CMDLINE_LINUX="root={root} resume={swap}"\n'


def name_by_guid(disk: Path) -> None:
    """Let the files of a GPT disk name its partitions by identifiers where they have numbers."""
    seen = contents.look(str(disk))
    assert seen.table
    root = next(region for region in seen.regions if region.partition == 1)
    for path in ("/etc/fstab", "/etc/default/grub"):
        text = tool("debugfs", "-R", f"cat {path}", root.volume.e2fs_name)
        for part in seen.table.partitions:
            text = text.replace(f"@{part.number}@", f"PARTUUID={(part.uuid or '').lower()}")
        (disk.parent / "text").write_text(text)
        tool("debugfs", "-w", "-R", f"rm {path}", root.volume.e2fs_name)
        tool("debugfs", "-w", "-R", f"write {disk.parent}/text {path}", root.volume.e2fs_name)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_another_table_of_what_needs_a_mount_needs_root(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    old = arrange("dos", [Wish("root", MIB)], 2 * MIB)
    kept = [renewal.Kept("root", old.partitions[0], Filesystem(kind, uuid=UUID))]
    with pytest.raises(InputError, match=f"^table: the references in an {kind} filesystem .* needs root"):
        renewal.plan(replace(old, id="0x1234abcd"), arrange("gpt", [Wish("root", MIB)], 3 * MIB), kept, new_uuids=False)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_what_needs_a_mount_needs_root(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    kept = [renewal.Kept("root", None, Filesystem(kind, uuid=UUID))]
    with pytest.raises(InputError, match=f"references in an {kind} filesystem .* needs root"):
        renewal.plan(None, arrange("dos", [Wish("root", MIB)], 2 * MIB), kept, new_uuids=True)


@pytest.mark.parametrize(("bits", "size"), [("12", MIB), ("16", 16 * MIB), ("32", 40 * MIB)])
def test_a_fat_gets_another_serial_number_in_all_copies(bits: str, size: int, runner: Runner, tmp_path: Path) -> None:
    image = tmp_path / "fat"
    image.touch()
    os.truncate(image, size)
    tool("mkfs.vfat", "-F", bits, "-i", "12ab34cd", image)
    before = image.read_bytes()
    volume = Volume(str(image), 0, size)
    found = filesystems.identify(volume)
    renewal.renew(runner, volume, found, 1, [renewal.Renaming("UUID", "esp", 1, "12AB-34CD", "00CA-FE01")])
    now = filesystems.identify(volume)
    assert now
    assert now.uuid == "00CA-FE01"
    assert image.read_bytes() == before.replace(b"\xcd\x34\xab\x12", b"\x01\xfe\xca\x00")
    tool("fsck.vfat", "-n", image)
