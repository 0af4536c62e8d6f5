"""The module instance_xen: an overlay and a configuration, each once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.tests.unit.images import tool

from .run_module import run_module

KERNEL = {"kernel": "/srv/voc/vmlinuz", "initramfs": "/srv/voc/initrd.img", "command_line": "root=/dev/xvda1 ro"}
UUID = "ce201fc2-5db3-5cb5-ad4e-fe8bdfdbd590"


def call(capsys: pytest.CaptureFixture[str], folder: Path, **options: Any) -> Any:
    release = folder / "disk.qcow2"
    if not release.exists():
        tool("qemu-img", "create", "-q", "-f", "qcow2", release, "64M")
    wanted = {
        "name": "node042-vm1",
        "release": str(release),
        "uuid": UUID,
        "mac": "02:56:4f:00:02:a1",
        "bridge": "xenbr0",
        "folder": str(folder / "instances"),
        "direct_boot": KERNEL,
    }
    return run_module("instance_xen", capsys, **{**wanted, **options})


def test_both_are_made_and_then_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = call(capsys, tmp_path, check=True)
    assert told["changed"]
    assert not (tmp_path / "instances").exists()
    made = call(capsys, tmp_path)
    assert made["changed"]
    assert made["content"] == told["content"] == Path(made["path"]).read_text()
    assert f'uuid = "{UUID}"' in made["content"]
    Path(made["overlay"]).write_bytes(b"what an instance wrote")
    assert not call(capsys, tmp_path)["changed"]
    larger = call(capsys, tmp_path, memory="4G")
    assert "memory = 4096" in larger["diff"]["after"]
    assert "memory = 2048" in larger["diff"]["before"]
    assert Path(made["overlay"]).read_bytes() == b"what an instance wrote"
    assert sorted(os.listdir(tmp_path / "instances")) == ["node042-vm1.cfg", "node042-vm1.qcow2"]


def test_the_domain_is_what_libvirts_schema_wants(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = call(capsys, tmp_path, format="libvirt")
    done = subprocess.run(["virt-xml-validate", made["path"], "domain"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "changes",
    [{"name": "../x"}, {"bridge": ""}, {"memory": "1M"}, {"direct_boot": {**KERNEL, "command_line": 'a"b'}}],
)
def test_what_cannot_be_leaves_nothing(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(capsys, tmp_path, **changes)["failed"]
    assert not (tmp_path / "instances").exists()
