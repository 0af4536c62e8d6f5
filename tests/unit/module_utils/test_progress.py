from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _progress
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._progress import SILENT, Progress, parse


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "progress"


@pytest.fixture
def progress(note: Path, monkeypatch: pytest.MonkeyPatch) -> Progress:
    monkeypatch.setattr(_progress, "_INTERVAL", 0)
    return Progress(str(note))


@given(done=st.integers(0, 1 << 60), total=st.integers(0, 1 << 60))
def test_what_is_told_can_be_read(tmp_path_factory: pytest.TempPathFactory, done: int, total: int) -> None:
    note = tmp_path_factory.getbasetemp() / "told"
    Progress(str(note)).tell("unpacking", done, total)
    found = parse(note.read_text())
    assert found is not None
    step, percent = found
    assert step == "unpacking"
    assert percent == 100 if done >= total else percent <= 100 * done / total


@given(st.text())
def test_anything_else_is_no_line(text: str) -> None:
    assert parse(text) is None or text.endswith("\n")


def test_a_new_step_is_told_at_once_and_the_same_one_seldom(note: Path) -> None:
    progress = Progress(str(note))
    progress.tell("copying", 1, 4)
    progress.tell("copying", 2, 4)
    assert note.read_text() == "copying 25\n"
    progress.tell("packing", 2, 4)
    assert note.read_text() == "packing 50\n"


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    SILENT.tell("copying", 1, 2)
    assert list(tmp_path.iterdir()) == []


def test_the_work_goes_on_when_the_file_cannot_be_written(tmp_path: Path) -> None:
    Progress(str(tmp_path / "no" / "folder")).tell("copying", 1, 2)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    Progress(str(link)).tell("copying", 1, 2)
    assert not (tmp_path / "elsewhere").exists()


def test_percentages_of_qemu_img_are_followed(progress: Progress, note: Path) -> None:
    watch = progress.from_qemu("converting")
    watch(1, b"    (0.00/100%)\r    (1.02/100%)\r    (42.57/100%)\r")
    assert note.read_text() == "converting 42\n"
    watch(1, b"")
    assert note.read_text() == "converting 42\n"


def test_how_far_a_program_has_read_is_followed(progress: Progress, note: Path, runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(1000))
    watch = progress.from_input("packing", str(path))
    runner.run(["sh", "-c", 'exec <"$1"; head -c 300 >&2; sleep 1.5', "sh", str(path)], watch=watch)
    told = parse(note.read_text())
    assert told is not None
    assert told[0] == "packing"
    assert told[1] in (30, 100)  # head may have read ahead


def test_a_program_that_has_ended_is_no_error(progress: Progress, tmp_path: Path) -> None:
    progress.from_input("packing", str(tmp_path))(0, b"")
    progress.from_input("packing", str(tmp_path / "absent"))(os.getpid(), b"")
