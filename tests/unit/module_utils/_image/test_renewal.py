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
    new, renamings = renewal.plan(old, replace(old, id=None), kept)
    assert re.fullmatch("0x[0-9a-f]{8}", new.id or "")
    identity = (new.id or "")[2:]
    assert [(item.kind, item.old, item.new) for item in renamings] == [
        ("PTUUID", "1234abcd", identity),
        ("PARTUUID", "1234abcd-05", f"{identity}-01"),
        ("PARTUUID", "1234abcd-01", f"{identity}-02"),
    ]


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_what_needs_a_mount_needs_root(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    kept = [renewal.Kept("root", None, Filesystem(kind, uuid=UUID))]
    with pytest.raises(InputError, match=f"references in an {kind} filesystem .* needs root"):
        renewal.plan(None, arrange("dos", [Wish("root", MIB)], 2 * MIB), kept)


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
