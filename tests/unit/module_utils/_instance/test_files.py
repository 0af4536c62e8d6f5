"""The disks of instances: made whole, counted, and removed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError, SpaceError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._instance import files
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

from .definitions import defined

SEED = {"meta-data": "instance-id: node042-vm1\n", "user-data": "#cloud-config\n"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1G"], check=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "instances"
    path.mkdir()
    return path


def info(path: str) -> Any:
    return json.loads(subprocess.check_output(["qemu-img", "info", "-f", "qcow2", "--output=json", path]))


def test_an_overlay_lies_over_the_release(runner: PopenRunner, release: Path, folder: Path) -> None:
    definition = defined(folder, release=str(release))
    before = release.read_bytes()
    files.make(runner, definition, {}, 1.0)
    seen = info(definition.overlay)
    assert seen["backing-filename"] == str(release)
    assert seen["backing-filename-format"] == "qcow2"
    assert seen["virtual-size"] == 1 << 30
    assert os.stat(definition.overlay).st_mode & 0o777 == 0o600
    assert release.read_bytes() == before


def test_a_scratch_disk_is_blank_and_a_seed_can_be_read(runner: PopenRunner, release: Path, folder: Path) -> None:
    definition = defined(folder, release=str(release), scratch=2 << 30, seed="some")
    files.make(runner, definition, SEED, 1.0)
    assert info(definition.scratch_disk)["virtual-size"] == 2 << 30
    read = ["mtype", "-i", definition.seed_image]
    assert subprocess.check_output([*read, "::meta-data"]).decode() == SEED["meta-data"]
    assert b"CIDATA" in subprocess.check_output(["mlabel", "-s", "-i", definition.seed_image, "::"]).upper()
    assert files.names(str(folder)) == {definition.name}


def test_a_seed_is_never_readable_by_others(
    runner: PopenRunner, release: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = defined(folder, release=str(release), seed="some")
    seen = []

    class Watched:
        """Looks at the seed after each program that works on it."""

        def run(self, argv: Sequence[str]) -> None:
            runner.run(argv)
            partial = definition.seed_image + ".part"
            seen.extend(os.stat(path).st_mode & 0o777 for path in [partial] if os.path.exists(path))

    watched: Any = Watched()
    files.make(watched, definition, SEED, 1.0)
    assert seen == [0o600] * 3  # mkfs.vfat, and mcopy for each file


def test_nothing_is_left_of_disks_that_cannot_be_made(runner: PopenRunner, release: Path, folder: Path) -> None:
    too_much = {**SEED, "network-config": "x" * (2 << 20)}
    with pytest.raises(ToolError):
        files.make(runner, defined(folder, release=str(release), seed="some"), too_much, 1.0)
    assert os.listdir(folder) == []


def test_disks_stay_where_new_ones_cannot_be_made(runner: PopenRunner, release: Path, folder: Path) -> None:
    files.make(runner, defined(folder, release=str(release)), {}, 1.0)
    with pytest.raises(InputError, match="no such release"):
        files.make(runner, defined(folder, release=f"{release}x"), {}, 1.0)
    assert files.names(str(folder)) == {"node042-vm1"}


def test_an_instance_makes_room_for_its_own_new_disks(
    runner: PopenRunner, release: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Free:
        f_bavail = (1 << 18) - 128  # of 4 KiB: half a MiB less than the disk's 1 GiB
        f_frsize = 4096

    definition = defined(folder, release=str(release))
    files.make(runner, definition, {}, 1.0)
    Path(definition.overlay).write_bytes(bytes(512 << 10))
    monkeypatch.setattr(os, "statvfs", lambda path: Free)
    assert files.examine(definition, 1.0) == "qcow2"
    with pytest.raises(SpaceError):
        files.examine(defined(folder, release=str(release), name="other"), 1.0)


def test_a_new_start_has_a_new_overlay(runner: PopenRunner, release: Path, folder: Path) -> None:
    definition = defined(folder, release=str(release))
    files.make(runner, definition, {}, 1.0)
    Path(definition.overlay).write_bytes(b"what an instance wrote")
    files.make(runner, definition, {}, 1.0)
    assert info(definition.overlay)["backing-filename"] == str(release)


def test_what_is_left_of_a_killed_run_is_found_and_removed(folder: Path) -> None:
    (folder / "node042-vm1.qcow2.part").write_bytes(b"half")
    (folder / "node042-vm1.log").write_text("kept")
    assert files.names(str(folder)) == {"node042-vm1"}
    assert files.remove(defined(folder)) == [str(folder / "node042-vm1.qcow2.part")]
    assert os.listdir(folder) == ["node042-vm1.log"]
    assert files.names(str(folder)) == set()
    assert files.names(str(folder / "absent")) == set()


def test_overlays_that_could_fill_the_disk_are_refused(
    runner: PopenRunner, release: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Free:
        f_bavail = 3 << 18  # of 4 KiB: 3 GiB
        f_frsize = 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Free)
    for number in range(3):
        files.make(runner, defined(folder, release=str(release), name=f"vm{number}"), {}, 1.0)
    fourth = defined(folder, release=str(release), name="vm3")
    with pytest.raises(SpaceError, match="could grow by"):
        files.make(runner, fourth, {}, 1.0)
    assert "vm3" not in files.names(str(folder))
    files.make(runner, fourth, {}, 1.5)


@pytest.mark.parametrize("content", [b"", b"KDMV" + bytes(600), b"\x1f\x8b\x08" + bytes(600)])
def test_what_is_no_release_is_refused(runner: PopenRunner, folder: Path, tmp_path: Path, content: bytes) -> None:
    release = tmp_path / "disk.img"
    release.write_bytes(content)
    with pytest.raises(ImageError):
        files.make(runner, defined(folder, release=str(release)), {}, 1.0)
    assert os.listdir(folder) == []


def test_what_other_users_cannot_reach_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    file = closed / "disk.qcow2"
    file.write_bytes(b"")
    file.chmod(0o600)
    assert files.closed_to_others(str(file)) == str(file)
    file.chmod(0o644)
    assert files.closed_to_others(str(file)) == str(closed)
