from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image import extract, filesystems, layout
from ansible_collections.voc.cluster.plugins.module_utils._image.layout import Options
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


@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_a_partition_comes_out_of_the_disk_it_went_into(label: str, runner: Runner, tmp_path: Path) -> None:
    source = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/os-release": "ID=test\n"}))
    planned = layout.plan(runner, str(source), 64 * MIB, Options(label=label, esp=34 * MIB))
    volume = layout.build(runner, planned, str(tmp_path / "disk"))
    before = (tmp_path / "disk").read_bytes()

    extract.build(runner, extract.plan(runner, str(tmp_path / "disk"), None), str(tmp_path / "xen" / "root"))

    out = tmp_path / "xen" / "root"
    found = filesystems.require_ext(whole(out))
    assert (found.uuid, found.size) == (UUID, out.stat().st_size)
    assert out.stat().st_size == volume.size
    assert debugfs(out, "cat /etc/os-release") == "ID=test\n"
    assert_clean(out)
    assert os.listdir(out.parent) == ["root"]
    assert (tmp_path / "disk").read_bytes() == before


def test_the_copy_ends_with_its_filesystem(runner: Runner, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=4 * MIB - 8192))
    planned = extract.plan(runner, str(disk), 1)
    assert (planned.size, planned.region.volume.size) == (4 * MIB - 8192, 4 * MIB)
    extract.build(runner, planned, str(tmp_path / "out"))
    assert (tmp_path / "out").stat().st_size == planned.size
    label = slice(1024 + 0x68, 1024 + 0x88)  # UUID and label; e2fsck writes down when it was there
    assert (tmp_path / "out").read_bytes()[label] == (tmp_path / "part").read_bytes()[label]


def test_a_partition_without_filesystem_is_copied_whole(runner: Runner, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(MIB) + b"words" * 1000 + bytes(8 * MIB))
    tool("sfdisk", "-q", "--no-reread", disk, data=b"label: dos\nsize=2M\ntype=5\nsize=1M\n")
    extract.build(runner, extract.plan(runner, str(disk), 1), str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"words" * 1000 + bytes(2 * MIB - 5000)


def test_only_partitions_come_out(runner: Runner, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(16 * MIB))
    tool("sfdisk", "-q", "--no-reread", disk, data=b"label: dos\nsize=2M\ntype=5\nsize=1M\n")
    for number in (2, 3):
        with pytest.raises(InputError, match=rf"it has no partition {number} \(there are: 1, 5\); give one of these"):
            extract.plan(runner, str(disk), number)
    with pytest.raises(GuestError, match=r"cannot be told .*; say which partition is wanted"):
        extract.plan(runner, str(disk), None)
    with pytest.raises(InputError, match="it has no partition table; give a disk image"):
        extract.plan(runner, str(make_ext(tmp_path / "part")), None)


def test_damage_names_the_source_and_leaves_nothing(runner: Runner, tmp_path: Path) -> None:
    part = make_ext(tmp_path / "part")
    debugfs(part, "clri <2>", write=True)
    disk = make_disk(tmp_path / "disk", part)
    with pytest.raises(DamagedImageError) as caught:
        extract.build(runner, extract.plan(runner, str(disk), None), str(tmp_path / "work" / "out"))
    assert caught.value.where == str(disk)
    assert os.listdir(tmp_path / "work") == []
