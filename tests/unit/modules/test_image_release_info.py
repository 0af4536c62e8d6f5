from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def test_a_release_is_up_to_date_until_something_it_depends_on_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, bundle, disk = tmp_path / "source", tmp_path / "bundle", tmp_path / "disk"
    for path in (source, bundle, disk):
        path.write_text(path.name * 1000)
    asked = {
        "name": "a",
        "releases": str(tmp_path / "releases"),
        "src": str(source),
        "inputs": {"site_grid": "x"},
        "files": {"bundle": str(bundle)},
    }
    told = run_module("image_release_info", capsys, **asked)
    assert (told["up_to_date"], told["reasons"]) == (False, ["there is no release yet"])
    made = run_module(
        "image_release",
        capsys,
        image=str(disk),
        name="a",
        releases=asked["releases"],
        format="raw",
        source=told["source"],
        inputs=told["inputs"],
    )
    told = run_module("image_release_info", capsys, **asked)
    assert (told["up_to_date"], told["path"]) == (True, made["path"])
    bundle.write_text("another")
    assert run_module("image_release_info", capsys, **asked)["reasons"] == ["bundle"]
    told = run_module("image_release_info", capsys, **{**asked, "inputs": {"site_grid": "y"}})
    assert told["reasons"] == ["bundle", "site_grid"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    source.touch()
    told = run_module(
        "image_release_info",
        capsys,
        name="a",
        releases=str(tmp_path),
        src=str(source),
        files={"bundle": str(tmp_path / "absent")},
    )
    assert told["failed"]
    assert str(tmp_path / "absent") in told["msg"]
