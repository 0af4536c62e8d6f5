from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voc.cluster.tests.unit.images import MIB, assert_clean, debugfs, make_disk, make_ext, plant
from ansible_collections.voc.cluster.tests.unit.modules.run_module import MODULES, run_module

EDITS = [
    {"file": {"path": "/etc/motd", "content": "new\n"}},
    {"fstab": {"source": "nfs1:/app", "path": "/app", "type": "nfs"}},
]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/motd": "old\n"}))


def test_edits_are_done_once(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_module("image_edit", capsys, image=str(image), edits=EDITS)
    assert first["changed"]
    assert {change["path"]: change["action"] for change in first["changes"]} == {
        "/etc/motd": "write",
        "/etc/fstab": "write",
        "/app": "make directory",
    }
    assert debugfs(image, "cat /etc/motd") == "new\n"
    assert_clean(image)
    second = run_module("image_edit", capsys, image=str(image), edits=EDITS)
    assert (second["changed"], second["changes"]) == (False, [])


def test_check_mode_tells_the_same_and_changes_nothing(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image.read_bytes()
    told = run_module("image_edit", capsys, check=True, image=str(image), edits=EDITS)
    assert image.read_bytes() == before
    done = run_module("image_edit", capsys, image=str(image), edits=EDITS)
    assert (told["changed"], told["changes"], told["diff"]) == (True, done["changes"], done["diff"])


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([{"file": {"path": "motd", "content": ""}}], "edit 1 (file): motd: a guest path must be absolute"),
        ([EDITS[0], {"service": {"name": "x", "enabled": True}}], "edit 2 (service): the guest has no unit x.service"),
        ([{}], "one of the following is required: file, secret"),
        ([{"file": EDITS[0]["file"], "absent": {"path": "/x"}}], "parameters are mutually exclusive"),
        ([{"file": {"path": "/x"}}], "one of the following is required: content, source"),
    ],
)
def test_bad_input_gives_one_sentence_and_changes_nothing(
    edits: list, message: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = image.read_bytes()
    result = run_module("image_edit", capsys, image=str(image), edits=edits)
    assert result["failed"]
    assert message in result["msg"]
    assert "\n" not in result["msg"]
    assert image.read_bytes() == before


def test_no_secret_is_told(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passwd = {"path": "/etc/passwd", "content": "root::0:0::/root:/bin/sh\n"}
    edits = [
        {"file": passwd},
        {"secret": {"path": "/etc/token", "content": "the-token"}},
        {"user": {"name": "root", "password": "$6$the-salt$hash"}},
    ]
    module = importlib.import_module(f"{MODULES}.image_edit")
    with patch_module_args({"image": str(image), "edits": edits, "_ansible_verbosity": 4}), pytest.raises(SystemExit):
        module.main()
    told = capsys.readouterr().out
    assert '"changed": true' in told
    assert "the-token" not in told
    assert "the-salt" not in told
    assert debugfs(image, "cat /etc/token") == "the-token"
    assert "root:$6$the-salt$hash:0:0" in debugfs(image, "cat /etc/passwd")


def test_a_guest_on_several_filesystems_is_one_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boot = make_ext(tmp_path / "boot", options=("-U", "random", "-L", "boot"))
    root_files = {"/etc/fstab": "LABEL=boot /boot ext4 defaults 0 2\n", "/usr/bin/env": "", "/boot/hidden": ""}
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", dict(root_files)))
    disk = make_disk(tmp_path / "disk", boot, root, root)
    edits = [
        {"file": {"path": "/boot/new", "content": "new\n"}},
        {"directory": {"path": "/boot", "mode": "0700"}},
        {"symlink": {"path": "/kernels", "target": "boot"}},
        {"file": {"path": "/kernels/linked", "content": "linked\n"}},
    ]
    refused = run_module("image_edit", capsys, image=str(disk), edits=edits)
    assert refused["msg"] == (
        f"{disk}: there is a root filesystem on partition 2 and 3; say which is meant, for example with root: 2."
    )
    assert run_module("image_edit", capsys, image=str(disk), edits=edits, root=2)["changed"]
    assert not run_module("image_edit", capsys, image=str(disk), edits=edits, root=2)["changed"]
    assert debugfs(disk, "cat /new", offset=MIB) == "new\n"
    assert debugfs(disk, "cat /linked", offset=MIB) == "linked\n"
    assert "Mode:  0700" in debugfs(disk, "stat /", offset=MIB)
    hidden = debugfs(disk, "ls /boot", offset=5 * MIB)
    assert "hidden" in hidden
    assert "new" not in hidden
    for number in range(3):
        assert_clean(disk, MIB + number * 4 * MIB)
