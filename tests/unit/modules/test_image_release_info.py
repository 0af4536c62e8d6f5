from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
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


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, "the file disk.raw of the release, which is missing"),
        (lambda path: path.write_bytes(b"cut"), "the file disk.raw of the release (4000 -> 3 bytes)"),
    ],
)
def test_a_release_that_lost_its_file_is_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], object], reason: str
) -> None:
    source, disk = tmp_path / "source", tmp_path / "disk"
    for path in (source, disk):
        path.write_text(path.name[:4] * 1000)
    asked = {"name": "a", "releases": str(tmp_path / "releases")}
    info = {**asked, "src": str(source)}
    made = {
        **asked,
        "image": str(disk),
        "format": "raw",
        "source": run_module("image_release_info", capsys, **info)["source"],
    }
    path = Path(run_module("image_release", capsys, **made)["path"])
    assert not run_module("image_release", capsys, **made)["changed"]
    path.chmod(0o644)
    harm(path)
    told = run_module("image_release_info", capsys, **info)
    assert (told["up_to_date"], told["reasons"]) == (False, [reason])
    again = run_module("image_release", capsys, **made)
    assert again["changed"]
    assert Path(again["path"]).read_bytes() == disk.read_bytes()
    assert run_module("image_release_info", capsys, **info)["up_to_date"]


def test_an_image_that_another_run_works_on_is_not_released(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.write_text("disk" * 1000)
    asked = {"name": "a", "releases": str(tmp_path / "releases")}
    source = run_module("image_release_info", capsys, **asked, src=str(disk))["source"]
    with blocks.locked(str(disk)):
        result = run_module("image_release", capsys, **asked, image=str(disk), source=source)
    assert result["msg"].startswith(f"{disk}: another run is working on this file")
    assert not (tmp_path / "releases").exists()


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
