from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems, layout
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    UUID,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    plant,
    tool,
)
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, inner

FILES: dict[str, str | bytes] = {"/etc/os-release": "ID=test\n", "/data": os.urandom(300_000), "/a b": "space"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path / "tree", FILES)


def _build(runner: Runner, source: Path, target: Path, wanted: int | None = None) -> filesystems.Volume:
    return layout.build(runner, layout.plan(runner, str(source), wanted), str(target))


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
    class NoTables(PopenRunner):
        def execute(self, argv, data):
            return Completed(1, b"", b"no") if inner(argv)[0] == "sfdisk" else super().execute(argv, data)

    with pytest.raises(ToolError, match="sfdisk failed"):
        _build(NoTables(), make_ext(tmp_path / "part"), tmp_path / "work" / "disk")
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


def test_a_disk_is_not_made_a_disk_again(runner: Runner, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    with pytest.raises(InputError, match="already a disk image"):
        layout.plan(runner, str(disk), None)


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
