"""Guests whose system is spread over several filesystems, or not on ext: what only mounts can show."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import root
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import make_disk

from .machine import tool

pytestmark = pytest.mark.root

MIB = 1 << 20
SIZES = {"xfs": 320 * MIB, "btrfs": 120 * MIB, "ext4": 64 * MIB}  # mkfs.xfs makes none below 300 MiB
SYSTEM = {"/etc/os-release": "ID=test\n", "/usr/bin/env": ""}


def make(runner: Runner, path: Path, kind: str, files: Mapping[str, str]) -> Path:
    """Make a partition image with some files."""
    path.touch()
    os.truncate(path, SIZES[kind])
    tool(f"mkfs.{kind}", "-q", path)
    with mounted(runner, Volume(str(path), 0, SIZES[kind]), kind) as folder:
        plan = Plan(MountedTree(folder))
        for name, content in files.items():
            plan.write(name, content.encode())
        plan.apply()
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_mount_tells_the_root_and_writes_nothing(kind: str, runner: Runner, tmp_path: Path) -> None:
    data = make(runner, tmp_path / "data", "xfs", {"/etc/hosts": ""})
    system = make(runner, tmp_path / "system", kind, SYSTEM)
    # Copied while it is mounted: its journal waits to be replayed.
    with mounted(runner, Volume(str(system), 0, SIZES[kind]), kind) as folder:
        (Path(folder) / "new").write_text("new")
        os.sync()
        dirty = Path(shutil.copyfile(system, tmp_path / "dirty"))
    disk = make_disk(tmp_path / "disk", data, dirty)
    before = digest(disk)
    assert root.find(runner, contents.look(runner, str(disk)), str(disk)).partition == 2
    assert digest(disk) == before
