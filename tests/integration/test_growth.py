"""Filesystems that only the kernel lets grow: xfs and btrfs, in a private mount."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, PutDirectory, PutFile
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems, layout
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.layout import Extra, Options

from .machine import tool

pytestmark = pytest.mark.root

MIB = 1 << 20
KINDS = ("xfs", "btrfs")
SIZE = 320 * MIB  # mkfs.xfs makes none below 300 MiB


def make(runner: Runner, path: Path, kind: str) -> Path:
    """Make a partition image with one file."""
    path.touch()
    os.truncate(path, SIZE)
    tool(f"mkfs.{kind}", "-q", path)
    with mounted(runner, Volume(str(path), 0, SIZE), kind) as root:
        MountedTree(root).apply([PutFile("/hostname", b"worker\n", Attributes(0o644, 0, 0), replaces=False)])
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_it_grows_with_its_disk_and_keeps_its_files(kind: str, label: str, runner: Runner, tmp_path: Path) -> None:
    source = make(runner, tmp_path / "part", kind)
    content = source.read_bytes()
    planned = layout.plan(runner, str(source), 1024 * MIB, Options(label=label))
    # Another mount in the same place, and of the same UUID, must not matter.
    twin = shutil.copyfile(source, tmp_path / "twin")
    with mounted(runner, Volume(str(twin), 0, SIZE), kind):
        volume = layout.build(runner, planned, str(tmp_path / "disk"))
    found = filesystems.identify(volume)
    assert found
    assert (found.type, found.uuid) == (kind, planned.filesystem.uuid)
    assert volume.size - MIB < (found.size or 0) <= volume.size
    with mounted(runner, volume, kind) as root:
        assert MountedTree(root).read("/hostname") == b"worker\n"
    assert source.read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_one_is_refused_before_it_is_mounted(kind: str, runner: Runner, tmp_path: Path) -> None:
    source = make(runner, tmp_path / "part", kind)
    with source.open("r+b") as file:
        if kind == "xfs":  # the free space of the first group
            file.seek(512)
            file.write(bytes(512))
        else:  # all trees that are in use, in both copies
            used = [0x400000 + step * 0x4000 for step in range(4000)]
            for place in used:
                file.seek(place)
                file.write(b"\xff" * 512)
    planned = layout.plan(runner, str(source), 1024 * MIB)
    with pytest.raises(DamagedImageError, match=f"its {kind} filesystem has errors"):
        layout.build(runner, planned, str(tmp_path / "work/disk"))
    assert os.listdir(tmp_path / "work") == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_gets_a_new_uuid_that_its_files_follow(kind: str, runner: Runner, tmp_path: Path) -> None:
    root, data = make(runner, tmp_path / "part", kind), make(runner, tmp_path / "data", kind)
    old = [(filesystems.require(Volume(str(path), 0, SIZE), KINDS).uuid or "") for path in (root, data)]
    text = "".join(f"UUID={uuid} /{uuid} {kind} defaults 0 0\n" for uuid in old)
    for path in (root, data):
        with mounted(runner, Volume(str(path), 0, SIZE), kind) as folder:
            fstab = [PutDirectory("/etc", Attributes(0o755)), PutFile("/etc/fstab", text.encode(), Attributes(), False)]
            MountedTree(folder).apply(fstab)
    options = Options(new_uuids=True, extras=(Extra("data", str(data)),))
    planned = layout.plan(runner, str(root), 1024 * MIB, options)
    layout.build(runner, planned, str(tmp_path / "work/disk"))
    assert os.listdir(tmp_path / "work") == ["disk"]
    new = {item.role: item.new for item in planned.renamings}
    for region in contents.look(str(tmp_path / "work/disk")).regions:
        role = "root" if region.partition == planned.root.number else "data"
        assert region.filesystem
        assert region.filesystem.uuid == new[role]
        with mounted(runner, region.volume, kind) as folder:
            files = MountedTree(folder)
            assert files.read("/hostname") == b"worker\n"
            followed = text.replace(old[0], new["root"]).replace(old[1], new["data"])
            assert files.read("/etc/fstab").decode() == followed
        assert_sound(region.volume, kind, tmp_path)


def assert_sound(volume: Volume, kind: str, folder: Path) -> None:
    """Let the filesystem's own check find nothing to complain about."""
    copy = folder / "copy"
    tool(*("dd", f"if={volume.path}", f"of={copy}", "bs=1M", "conv=sparse"), *_place(volume))
    checks = {"xfs": ("xfs_repair", "-n", "-f"), "btrfs": ("btrfs", "check", "--readonly")}
    tool(*checks[kind], copy)


def _place(volume: Volume) -> tuple[str, str]:
    return f"skip={volume.offset // MIB}", f"count={volume.size // MIB}"
