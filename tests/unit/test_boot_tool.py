"""Which release `make boot` takes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/boot.py"


def test_without_a_name_the_newest_release_of_all_images_is_booted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("boot", TOOL)
    assert spec
    assert spec.loader
    boot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(boot)
    monkeypatch.setattr(boot, "ROOT", tmp_path)
    newest = "20261124T101500Z-3f9c2a41"
    for name, release in (("new", newest), ("old", "20260101T101500Z-3f9c2a41"), ("zero", "20250101T101500Z-3f9c2a41")):
        folder = tmp_path / "build/releases" / name / release
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"file": "disk.raw", "format": "raw"}))
        (folder.parent / "current").symlink_to(release)
    assert boot.find_release(None) == (tmp_path / "build/releases/new" / newest / "disk.raw", "raw")
