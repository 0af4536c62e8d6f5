from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._generalize import space
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    UUID,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    plant,
    whole,
)

SECRET = b"deleted-but-planted!" * 5000
KEPT = bytes(range(256)) * 400


@pytest.mark.parametrize(
    "options", [(), ("-b", "1024"), ("-b", "4096"), ("-O", "^metadata_csum,^64bit"), ("-O", "bigalloc"), ("-g", "2048")]
)
def test_deleted_files_are_gone_from_free_blocks_and_others_are_as_they_were(
    options: tuple[str, ...], tmp_path: Path, runner: PopenRunner
) -> None:
    tree = plant(tmp_path / "tree", {"/etc/secret": SECRET, "/etc/kept": KEPT, "/etc/fstab": "", "/usr/x": ""})
    image = make_ext(tmp_path / "image", tree, size=24 * MIB, options=options)
    debugfs(image, "rm /etc/secret", write=True)
    assert SECRET[:100] in image.read_bytes()
    spread = locate(runner, str(image))
    told = space.free_space(runner, spread, False)
    assert SECRET[:100] in image.read_bytes()
    before = image.stat().st_blocks
    assert space.free_space(runner, spread, True) == told >= len(SECRET)
    assert SECRET[:20] not in image.read_bytes()
    assert image.stat().st_blocks <= before
    assert_clean(image)
    debugfs(image, f"dump /etc/kept {tmp_path / 'copy'}")
    assert (tmp_path / "copy").read_bytes() == KEPT
    assert space.free_space(runner, spread, True) == 0


def test_swap_is_zeroed_but_for_what_names_it(tmp_path: Path, runner: PopenRunner) -> None:
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", {"/etc/fstab": "", "/usr/x": ""}))
    swap = tmp_path / "swap"
    swap.write_bytes(SECRET.ljust(2 * MIB, b"s"))
    filesystems.make_swap(whole(swap))
    named = filesystems.identify(whole(swap))
    disk = make_disk(tmp_path / "disk", root, swap)
    spread = locate(runner, str(disk))
    assert space.swap(runner, spread, False) == 2 * MIB - 4096
    assert SECRET[-100:] in disk.read_bytes()
    assert space.swap(runner, spread, True) == 2 * MIB - 4096
    assert SECRET[:20] not in disk.read_bytes()[5 * MIB + 4096 :]
    (region,) = [region for region in locate(runner, str(disk)).seen.regions if region.kind == "swap"]
    assert region.filesystem == named
    assert region.filesystem.uuid != UUID
    assert space.swap(runner, spread, True) == 0


def test_zeros_are_written_where_no_hole_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A filesystem without holes cannot be made here by an ordinary user.
    monkeypatch.setattr(space, "_punch", lambda *_arguments: False)
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3 * MIB)
    assert space.zero(str(file), [(100, 2 * MIB + 100)], apply=True) == 2 * MIB
    assert file.read_bytes() == b"x" * 100 + bytes(2 * MIB) + b"x" * (MIB - 100)
    assert space.zero(str(file), [(100, 2 * MIB + 100)], apply=True) == 0


def test_only_whole_blocks_become_holes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * MIB)
    assert space.zero(str(file), [(1000, 9000), (20000, 20010)], apply=True) == 8010
    data = file.read_bytes()
    assert (data[999:1001], data[8999:9001], data[19999:20011]) == (b"x\0", b"\0x", b"x" + bytes(10) + b"x")
    assert os.stat(file).st_size == MIB


@pytest.mark.parametrize("line", ["0-3", "5-4", "1-4000000000", "0"])
def test_bitmaps_that_tell_of_other_blocks_are_refused(line: str) -> None:
    shown = f"Block size:               4096\n  Free blocks: 10-12, {line}\n".encode()
    with pytest.raises(DamagedImageError, match="blocks that it does not have"):
        list(space.parse_free(shown, Volume("/image", MIB, 4 * MIB)))


def test_free_ranges_are_places_in_the_file() -> None:
    shown = b"Block size:               4096\nGroup 0:\n  Free blocks: 10-12, 20\n  Free inodes: 1-3\n  Free blocks: \n"
    assert list(space.parse_free(shown, Volume("/image", MIB, 4 * MIB))) == [
        (MIB + 40960, MIB + 53248),
        (MIB + 81920, MIB + 86016),
    ]
