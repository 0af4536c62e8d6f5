from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.tests.unit.images import MIB
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

PAGE = 64 << 10


def _sparse(path: Path, size: int = 8 * MIB, at: tuple[int, ...] = (0, 4 * MIB)) -> Path:
    """Write a block of data here and there; all else is a hole."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset in at:
            file.seek(offset)
            file.write(os.urandom(PAGE))
    return path


def _copy(source: Path, target: Path, **place: int) -> None:
    with source.open("rb") as reader, target.open("r+b") as writer:
        blocks.copy_range(reader.fileno(), writer.fileno(), **place)


def _allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_data_extents_tell_what_is_no_hole(tmp_path: Path) -> None:
    with _sparse(tmp_path / "a").open("rb") as file:
        assert list(blocks.data_extents(file.fileno(), 0, 8 * MIB)) == [(0, PAGE), (4 * MIB, PAGE)]
        assert list(blocks.data_extents(file.fileno(), 100, 4 * MIB + 10)) == [(100, PAGE - 100), (4 * MIB, 10)]
        assert list(blocks.data_extents(file.fileno(), 5 * MIB, 8 * MIB)) == []


@pytest.mark.parametrize("major", [0, 8])
def test_a_copy_is_equal_and_keeps_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, major: int) -> None:
    """Where a filesystem may copy by itself, as NFS, and elsewhere."""
    monkeypatch.setattr(os, "major", lambda _device: major)
    source, target = _sparse(tmp_path / "a"), _sparse(tmp_path / "b", 9 * MIB, ())
    _copy(source, target, source_offset=0, target_offset=MIB, length=8 * MIB)
    assert target.read_bytes() == bytes(MIB) + source.read_bytes()
    assert _allocated(target) == _allocated(source)


@given(st.integers(0, 3 * PAGE), st.integers(0, PAGE), st.integers(1, 2 * PAGE))
def test_any_range_is_copied_to_any_place(tmp_path_factory, begin: int, place: int, length: int) -> None:
    folder = tmp_path_factory.mktemp("ranges")
    source, target = _sparse(folder / "a", 8 * PAGE, (PAGE, 3 * PAGE)), _sparse(folder / "b", 4 * PAGE, ())
    _copy(source, target, source_offset=begin, target_offset=place, length=length)
    assert target.read_bytes()[place : place + length] == source.read_bytes()[begin : begin + length]


def test_a_copy_goes_to_another_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    # As kernels since 5.19 answer between two filesystems.
    monkeypatch.setattr(os, "major", lambda _device: 0)
    monkeypatch.setattr(os, "copy_file_range", refuse)
    source, target = _sparse(tmp_path / "a"), _sparse(tmp_path / "b", 8 * MIB, ())
    _copy(source, target, source_offset=0, target_offset=0, length=8 * MIB)
    assert target.read_bytes() == source.read_bytes()
    assert _allocated(target) == _allocated(source)


def test_a_source_that_became_shorter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = _sparse(tmp_path / "a", PAGE, (0,)), _sparse(tmp_path / "b", 8 * PAGE, ())
    monkeypatch.setattr(blocks, "data_extents", lambda *_: iter([(0, 2 * PAGE)]))
    with pytest.raises(OSError, match="became shorter"):
        _copy(source, target, source_offset=0, target_offset=0, length=2 * PAGE)


def test_a_hole_is_inserted_before_all_content(tmp_path: Path, runner: Runner) -> None:
    path = _sparse(tmp_path / "a")
    before, allocated = path.read_bytes(), _allocated(path)
    blocks.insert_hole(runner, str(path), MIB)
    assert path.read_bytes() == bytes(MIB) + before
    assert _allocated(path) <= allocated + PAGE


def test_a_hole_is_inserted_by_a_copy_where_the_filesystem_cannot(tmp_path: Path) -> None:
    path = _sparse(tmp_path / "a")
    before, allocated = path.read_bytes(), _allocated(path)
    refusing = ScriptedRunner(("fallocate", completed(1, errors=b"fallocate: Operation not supported")))
    blocks.insert_hole(refusing, str(path), MIB)
    assert path.read_bytes() == bytes(MIB) + before
    assert _allocated(path) == allocated
    assert os.listdir(tmp_path) == ["a"]


def test_more_space_than_there_is_is_an_error(tmp_path: Path) -> None:
    blocks.require_space(str(tmp_path), 1, 1)
    with pytest.raises(SpaceError, match="bytes are needed, and 0 more shall stay free, but only"):
        blocks.require_space(str(tmp_path), 1 << 60, 0)
    with pytest.raises(SpaceError, match=r"1 bytes are needed, and [0-9]+ more shall stay free, but only"):
        blocks.require_space(str(tmp_path), 1, 1 << 60)


def test_a_new_file_appears_at_the_end_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with blocks.new_file(str(path)) as partial:
        Path(partial).write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_a_new_file_replaces_nothing_on_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(NotADirectoryError), blocks.new_file(str(path)) as partial:
        Path(partial, "below").write_text("half")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_filesystem_that_fills_up_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=f"{tmp_path}: the filesystem is full"), blocks.new_file(str(tmp_path / "a")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_second_holder_of_an_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    with blocks.locked(str(path)), pytest.raises(InputError, match="another run"), blocks.locked(str(path)):
        pytest.fail("two hold it")
    with blocks.locked(str(path)):
        pass


def test_several_can_keep_an_image_that_nobody_then_holds(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    path.touch()
    link.symlink_to("a")
    refused = pytest.raises(InputError, match="another run")
    with blocks.kept(str(path)), blocks.kept(str(link)), refused, blocks.locked(str(path)):
        pytest.fail("it is held")
    with blocks.locked(str(path)), refused, blocks.kept(str(link)):
        pytest.fail("it is kept")
    with pytest.raises(InputError, match="link: it is a link; give the path of the file"), blocks.locked(str(link)):
        pytest.fail("it is held")


@contextmanager
def nobody_special() -> Iterator[None]:
    """Have the rights of an ordinary user, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(54321)
    try:
        yield
    finally:
        os.seteuid(0)


def test_who_may_only_read_an_image_can_keep_it() -> None:
    with tempfile.NamedTemporaryFile() as file:
        os.fchmod(file.fileno(), 0o444)
        with nobody_special():
            with blocks.kept(file.name):
                pass
            with pytest.raises(PermissionError), blocks.locked(file.name):
                pytest.fail("it is held")


def test_files_and_folders_can_be_synced(tmp_path: Path) -> None:
    blocks.sync_file(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        blocks.sync_file(str(tmp_path / "none"))
