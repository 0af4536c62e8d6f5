from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, make_disk, make_ext
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def test_the_root_is_taken_out_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    options = {"src": str(disk), "dest": str(tmp_path / "out")}
    told = run_module("image_extract", capsys, check=True, **options)
    assert not (tmp_path / "out").exists()
    done = run_module("image_extract", capsys, **options)
    assert {**done, **told} == done
    assert (done["changed"], done["size"], done["partition"]) == (True, 4 * MIB, 1)
    assert done["filesystem"] == {"type": "ext4", "uuid": UUID, "label": None}
    assert not run_module("image_extract", capsys, **options)["changed"]
    assert run_module("image_extract", capsys, **options, partition=2)["failed"]
