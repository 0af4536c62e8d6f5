from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._generalize import registry
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    plant,
    whole,
)
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize import planted
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def _plain(files: dict) -> dict[str, str | bytes]:
    return {path: content for path, content in files.items() if isinstance(content, (str, bytes))}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    files = {**_plain(FAMILIES["debian13"]), **planted.files(), "/tmp/x": "temporary", "/var/log/syslog": "planted"}
    return make_ext(tmp_path / "part", plant(tmp_path / "tree", {**files, "/etc/fstab": ""}), size=16 * MIB)


def test_an_image_is_cleaned_once(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_module("image_generalize", capsys, image=str(image))
    assert first["changed"]
    done = {operation["name"]: operation for operation in first["operations"]}
    assert list(done) == [operation.name for operation in registry.OPERATIONS if operation.default]
    assert done["temporary-files"] == {
        "name": "temporary-files",
        "reason": "they are of programs that have ended, and may hold anything",
        "paths": ["/tmp/x"],
        "count": 1,
        "bytes": 9,
        "left": [],
    }
    assert {"path": "/etc/machine-id", "action": "write"} in first["changes"]
    assert debugfs(image, "cat /etc/machine-id") == ""
    assert_clean(image)
    second = run_module("image_generalize", capsys, image=str(image))
    assert (second["changed"], second["changes"]) == (False, [])
    assert not any(operation["count"] or operation["bytes"] for operation in second["operations"])


def test_check_mode_tells_the_same_and_changes_nothing(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image.read_bytes()
    told = run_module("image_generalize", capsys, check=True, image=str(image), report=True)
    assert image.read_bytes() == before
    done = run_module("image_generalize", capsys, image=str(image), report=True)
    for result in (told, done):  # how much will be free is known afterwards
        result["operations"] = [one for one in result["operations"] if one["name"] != "free-space"]
    assert told == done


def test_what_was_removed_is_nowhere_in_the_image(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = planted.keys()["/etc/ssh/ssh_host_ecdsa_key"].split(b"\n")[1:-2]
    others = {path: planted.keys()[path] for path in ("/srv/web/tls.pem", "/etc/ssl/private/ssl-cert-snakeoil.key")}
    for path in others:  # the same key, at other places
        debugfs(image, f"rm {path}", write=True)
    assert all(word in image.read_bytes() for word in words)
    run_module("image_generalize", capsys, image=str(image))
    assert not any(word in image.read_bytes() for word in words)


def test_no_secret_is_in_the_result_whatever_is_removed_changed_or_reported(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [run_module("image_generalize", capsys, image=str(image), operations=[], report=True)]
    results += [
        run_module("image_generalize", capsys, check=check, image=str(image), operations=["all"], report=True)
        for check in (True, False)
    ]
    told = json.dumps(results)
    for word in planted.secret_words():
        assert word.decode() not in told
    assert results[0]["leftovers"]
    assert not results[0]["changed"]
    assert len(results[2]["leftovers"]) < len(results[0]["leftovers"])


def test_the_report_is_data_and_text(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module("image_generalize", capsys, check=True, image=str(image), operations=[], report=True)
    assert {(one["path"], one["kind"]) for one in result["leftovers"]} >= planted.expected()
    assert result["report"].count("\n") == len(result["leftovers"]) + 1
    assert (
        "authorized-key: /root/.ssh/authorized_keys (of root, mode 0644, ann@example.org) SHA256:" in result["report"]
    )


def test_what_is_written_new_is_shown_and_what_was_there_is_not(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {part["after_header"]: part for part in run_module("image_generalize", capsys, image=str(image))["diff"]}
    unit = shown["/etc/systemd/system/voc-cluster-ssh-host-keys.service"]
    assert "ExecStart=/usr/bin/ssh-keygen -A" in unit["after"]
    assert shown["/var/log/syslog"] == {
        "before_header": "/var/log/syslog",
        "after_header": "/var/log/syslog",
        "before": "file, mode 0644, owner 0:0, 7 bytes\n",
        "after": "",
    }


def test_a_guest_on_several_filesystems_is_cleaned_on_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = make_ext(
        tmp_path / "log",
        plant(tmp_path / "logs", {"/syslog": b"planted" * 9999}),
        options=("-U", "random", "-L", "log"),
    )
    files = {"/etc/fstab": "LABEL=log /var/log ext4 defaults 0 2\n", "/usr/bin/env": "", "/var/log/hidden": ""}
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", {**files, "/tmp/x": b"planted" * 9999}))
    disk = make_disk(tmp_path / "disk", log, root)
    result = run_module("image_generalize", capsys, image=str(disk))
    assert b"plantedplanted" not in disk.read_bytes()
    assert {change["path"] for change in result["changes"]} >= {"/var/log/syslog", "/tmp/x"}
    for number in range(2):
        assert_clean(disk, MIB + number * 4 * MIB)
    assert not run_module("image_generalize", capsys, image=str(disk))["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": ["log"]}, "there is no operation 'log'; choose from all, authorized-keys"),
        ({"machine_id": "new"}, "value of machine_id must be one of"),
        ({"root": 3}, "it has no partition table"),
    ],
)
def test_bad_input_gives_one_sentence_and_changes_nothing(
    options: dict, message: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = image.read_bytes()
    result = run_module("image_generalize", capsys, image=str(image), **options)
    assert result["failed"]
    assert message in result["msg"]
    assert "\n" not in result["msg"]
    assert image.read_bytes() == before
    assert whole(image).size == len(before)
