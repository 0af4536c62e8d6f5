"""The module without an image: what it refuses, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import records
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "_SESSIONS", str(tmp_path / "sessions"))


def test_a_session_that_is_not_open_is_closed_already(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module("image_session", capsys, image="/srv/disk.raw", state="absent")
    assert not result["changed"]
    assert result["session"] == records.folder_of("/srv/disk.raw")
    assert result["diff"] == {"before": "", "after": ""}


def test_check_mode_says_that_one_would_be_opened(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module("image_session", capsys, check=True, image="/srv/disk.raw")
    assert result["changed"]
    assert result["diff"]["after"] == "a session is open\n"
    assert not (tmp_path / "sessions").exists()


def test_a_relative_path_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module("image_session", capsys, image="disk.raw")
    assert result["failed"]
    assert result["msg"].startswith("disk.raw: the path is not absolute")
