from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, debugfs, make_ext, plant
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def test_check_mode_tells_what_a_run_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "src": str(make_ext(tmp_path / "part")),
        "dest": str(tmp_path / "disk"),
        "table": "gpt",
        "esp": "40M",
        "size": "64M",
    }
    told = run_module("image_layout", capsys, check=True, **options)
    assert not (tmp_path / "disk").exists()
    done = run_module("image_layout", capsys, **options)
    assert [part.pop("uuid") for part in told["partitions"]] == [None, None, None]
    # A new FAT's serial number is known when it is made.
    bios, esp, root = (part.pop("uuid") for part in done["partitions"])
    assert (bios, bool(esp), root) == (None, True, UUID)
    assert {**done, **told} == done
    assert told == {
        "changed": True,
        "renamed": [],
        "dest": str(tmp_path / "disk"),
        "size": 64 * MIB,
        "offset": 42 * MIB,
        "uuid": UUID,
        "table": "gpt",
        "partitions": [
            {"number": 1, "role": "bios", "offset": MIB, "size": MIB},
            {"number": 2, "role": "esp", "offset": 2 * MIB, "size": 40 * MIB},
            {"number": 3, "role": "root", "offset": 42 * MIB, "size": 21 * MIB},
        ],
    }
    assert not run_module("image_layout", capsys, **options)["changed"]


def test_check_mode_tells_what_gets_new_identifiers_but_not_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/fstab": f"UUID={UUID} / ext4 ro 0 1\n"}))
    options = {"src": str(source), "dest": str(tmp_path / "disk"), "new_uuids": True}
    told = run_module("image_layout", capsys, check=True, **options)
    assert told["uuid"] is None
    assert told["renamed"] == [{"kind": "UUID", "role": "root", "number": 1, "old": UUID, "new": None}]
    assert not (tmp_path / "disk").exists()
    done = run_module("image_layout", capsys, **options)
    assert done["renamed"] == [{**told["renamed"][0], "new": done["uuid"]}]
    assert done["uuid"] != UUID
    assert debugfs(tmp_path / "disk", "cat /etc/fstab", offset=MIB) == f"UUID={done['uuid']} / ext4 ro 0 1\n"
    again = run_module("image_layout", capsys, **options)
    assert (again["changed"], again["uuid"], again["renamed"]) == (False, done["uuid"], [])


def test_bad_input_names_what_the_user_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_ext(tmp_path / "part")
    options = {"src": str(source), "src_name": "/srv/vo.img.gz", "dest": str(tmp_path / "disk")}
    result = run_module("image_layout", capsys, **options, size="2M")
    assert result["failed"]
    assert result["msg"].startswith("/srv/vo.img.gz: a disk of 2097152 bytes is too small for a partition of 4194304")
    result = run_module("image_layout", capsys, **options, esp="1M")
    assert result["msg"].startswith("an EFI system partition of 1048576 bytes is too small")
    assert not (tmp_path / "disk").exists()
