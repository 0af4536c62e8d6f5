from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, make_disk, make_ext, tool
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner


def test_a_partition_image_is_one_region(tmp_path: Path) -> None:
    seen = contents.look(str(make_ext(tmp_path / "part")))
    assert (seen.layout, seen.table, len(seen.regions)) == ("partition", None, 1)


def test_a_disk_image_has_a_region_a_partition(tmp_path: Path) -> None:
    seen = contents.look(str(make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))))
    assert seen.layout == "disk"
    (region,) = seen.regions
    assert (region.partition, region.volume.offset, region.volume.size) == (1, MIB, 4 * MIB)
    assert region.filesystem
    assert region.filesystem.uuid == UUID


def test_text_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    assert contents.look(str(tmp_path / "text")).layout == "unknown"


def test_the_root_of_either_layout_is_found(runner: Runner, tmp_path: Path) -> None:
    part = make_ext(tmp_path / "part")
    assert locate(runner, str(part)).root.volume.offset == 0
    root = locate(runner, str(make_disk(tmp_path / "disk", part))).root
    assert (root.volume.offset, root.filesystem and root.filesystem.uuid) == (MIB, UUID)


def test_two_possible_roots_are_refused(runner: Runner, tmp_path: Path) -> None:
    part = make_ext(tmp_path / "part", size=2 * MIB)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(MIB) + part.read_bytes() * 2)
    tool("sfdisk", "-q", "--no-reread", disk, data=b"label: dos\nsize=2M\nsize=2M\n")
    with pytest.raises(GuestError, match=r"cannot be told \(filesystems found: ext4, ext4\)"):
        locate(runner, str(disk))


def test_a_disk_without_filesystems_has_no_root(runner: Runner, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.touch()
    os.truncate(disk, 8 * MIB)
    tool("sfdisk", "-q", "--no-reread", disk, data=b"label: dos\n,\n")
    with pytest.raises(GuestError, match="filesystems found: none"):
        locate(runner, str(disk))


def test_only_raw_images_are_worked_on(tmp_path: Path) -> None:
    tool("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "a", "4M")
    (tmp_path / "b").write_bytes(gzip.compress(b"x"))
    for name, kind in (("a", "qcow2"), ("b", "gzip")):
        with pytest.raises(InputError, match=f"it is a {kind} file; convert it to raw"):
            locate(ScriptedRunner(), str(tmp_path / name))
