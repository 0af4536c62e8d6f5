from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import change_guest, locate, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import identify
from ansible_collections.voc.cluster.tests.unit.images import make_disk, make_ext, make_xfs_head, plant, whole
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner


def _options(image: Path) -> dict[str, t.Any]:
    return {"image": str(image), "access": "auto", "root": None}


@pytest.mark.parametrize("access", ["auto", "ext"])
def test_ext_filesystems_are_reached_without_a_mount(tmp_path: Path, access: str) -> None:
    volume = whole(make_ext(tmp_path / "part"))
    with open_guest(ScriptedRunner(), locate(ScriptedRunner(), volume.path), access) as files:
        assert isinstance(files, ExtTree)


def test_other_filesystems_need_a_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    spread = locate(ScriptedRunner(), str(make_xfs_head(tmp_path / "part")))
    for access, finding in (("ext", "access: ext cannot read xfs"), ("auto", "needs root")):
        with pytest.raises(InputError, match=finding), open_guest(ScriptedRunner(), spread, access):
            pytest.fail("it was opened")


def test_a_change_is_told_and_done_only_when_asked(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    before = image.read_bytes()
    told = change_guest(runner, _options(image), lambda plan: plan.write("/a", b"x"), apply=False)
    assert told["changed"]
    assert told["changes"] == [{"path": "/a", "action": "write"}]
    assert image.read_bytes() == before
    assert change_guest(runner, _options(image), lambda plan: plan.write("/a", b"x"), apply=True) == told
    assert not change_guest(runner, _options(image), lambda plan: plan.write("/a", b"x"), apply=True)["changed"]


def test_an_image_that_another_run_holds_is_not_changed(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part")
    with locked(str(image)), pytest.raises(InputError, match="another run is working on this file"):
        change_guest(runner, _options(image), lambda plan: plan.write("/a", b"x"), apply=True)


@pytest.fixture
def spread_disk(tmp_path: Path) -> Path:
    """Return a disk with the root on ext and its /srv on what only a mount reaches."""
    xfs = make_xfs_head(tmp_path / "xfs")
    files: dict[str, str | bytes] = {
        "/etc/fstab": f"UUID={identify(whole(xfs)).uuid} /srv/data xfs\n",
        "/usr/a": "",
        "/srv/b": "",
    }
    return make_disk(tmp_path / "disk", make_ext(tmp_path / "root", plant(tmp_path / "tree", files)), xfs)


@pytest.mark.parametrize("access", ["auto", "ext"])
def test_an_ordinary_user_reaches_what_is_on_ext(
    runner: Runner, spread_disk: Path, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    options = {"image": str(spread_disk), "access": access, "root": None}
    assert change_guest(runner, options, lambda plan: plan.write("/srv/new", b"x"), apply=True)["changed"]
    for path in ("/srv/data/new", "/srv/data/b/../new"):
        with pytest.raises(InputError, match="xfs can only be reached by a mount") as caught:
            change_guest(runner, options, lambda plan, path=path: plan.write(path, b"x"), apply=True)
        assert caught.value.where == f"{spread_disk}, partition 2"
    with pytest.raises(InputError, match="needs root"):
        change_guest(runner, {**options, "access": "mounted"}, lambda plan: plan.write("/a", b"x"), apply=True)


def test_a_declared_root_is_taken(runner: Runner, spread_disk: Path) -> None:
    found = locate(runner, str(spread_disk), "ext", 1)
    assert [(place.path, place.region.partition) for place in found.places] == [("/", 1), ("/srv/data", 2)]
    assert found.holding("/srv/data/x").region.partition == 2
    assert found.holding("/srv/database").region.partition == 1
    for number, finding in ((2, "access: ext cannot read xfs"), (3, "it has no partition 3")):
        with pytest.raises(InputError, match=finding):
            locate(runner, str(spread_disk), "ext", number)
