from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import MIB, UUID, make_disk, make_ext, plant, tool
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def test_a_disk_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"/etc/os-release": "ID=debian\nVERSION_ID=13\n", "/boot/vmlinuz-6.1": "k", "/boot/vmlinuz-6.2\udcff": "k"}
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", plant(tmp_path / "tree", files)))
    seen = run_module("image_info", capsys, path=str(disk))
    assert not seen["changed"]
    assert (seen["format"], seen["compression"], seen["layout"]) == ("raw", None, "disk")
    assert seen["size"] == seen["virtual_size"] == 5 * MIB
    assert seen["partition_table"]["label"] == "dos"
    assert [(fs["partition"], fs["offset"], fs["uuid"]) for fs in seen["filesystems"]] == [(1, MIB, UUID)]
    assert (seen["guest"]["id"], seen["guest"]["version"]) == ("debian", "13")
    assert seen["missing"] == ["boot loader", "initramfs"]
    assert seen["firmware"] == []
    assert seen["pygrub"] == {"bootable": False, "obstacle": "there is no configuration of GRUB or extlinux"}


def test_a_qcow2_image_is_not_looked_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "a", "4M")
    seen = run_module("image_info", capsys, path=str(tmp_path / "a"))
    assert (seen["format"], seen["virtual_size"], seen["layout"], seen["guest"]) == ("qcow2", 4 * MIB, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "/no/such"}, "/no/such: there is no such file; check the path on the builder."),
        ({"path": "/dev"}, "/dev: it is not a regular file; give the path of an image file."),
        (
            {"path": "/x", "max_virtual_size": "lots"},
            "max_virtual_size: 'lots' is not a size; write it like 8G or 512M.",
        ),
    ],
)
def test_bad_input_gives_one_sentence(options: dict, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module("image_info", capsys, **options)
    assert result["failed"]
    assert result["msg"] == message


def test_an_image_that_cannot_boot_does_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module("image_info", capsys, path=str(make_ext(tmp_path / "part")), verify=True)
    assert result["failed"]
    assert "the image has no partition table, no boot loader, no kernel" in result["msg"]


def test_it_tells_where_filesystems_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boot = make_ext(tmp_path / "boot", plant(tmp_path / "kernels", {"/vmlinuz-6.1": ""}), options=("-U", "random"))
    system: dict[str, str | bytes] = {"/etc/os-release": "ID=debian\n", "/usr/a": ""}
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", system))
    disk = make_disk(tmp_path / "disk", boot, root, make_ext(tmp_path / "data", options=("-U", "random")))
    seen = run_module("image_info", capsys, path=str(disk))
    assert [(found["partition"], found["path"]) for found in seen["filesystems"]] == [(1, "/boot"), (2, "/"), (3, None)]
    assert [kernel["version"] for kernel in seen["guest"]["kernels"]] == ["6.1"]
    other = run_module("image_info", capsys, path=str(disk), root=3)
    assert [(found["partition"], found["path"]) for found in other["filesystems"]][2] == (3, "/")
