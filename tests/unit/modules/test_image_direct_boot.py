from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.tests.unit.images import UUID, make_disk, make_ext, plant
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module

KERNEL: dict[str, str | bytes] = {
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": b"",
    "/lib/modules/6.1.0/modules.dep": "",
    "/lib/modules/6.1.0/modules.builtin": "kernel/drivers/block/xen-blkfront.ko\n",
}
LINE = f"root=UUID={UUID} ro console=hvc0"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "part", plant(tmp_path / "tree", KERNEL))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.parametrize("layout", ["partition", "disk"])
def test_the_kernel_is_copied_out_once(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    image = part if layout == "partition" else make_disk(tmp_path / "disk", part)
    before = image.read_bytes()
    options = {
        "image": str(image),
        "dest": str(tmp_path / "a" / "out"),
        "kernel_options": ["console=hvc0"],
        "drivers": ["xen_blkfront"],
    }
    told = run_module("image_direct_boot", capsys, check=True, **options)
    assert not (tmp_path / "a").exists()
    done = run_module("image_direct_boot", capsys, **options)
    assert told["written"] == done["written"] == ["vmlinuz", "initramfs", "cmdline"]
    assert (done["changed"], done["kernel"], done["command_line"]) == (True, "6.1.0", LINE)
    out = tmp_path / "a" / "out"
    assert _contents(out) == {"vmlinuz": b"kernel", "initramfs": b"", "cmdline": f"{LINE}\n".encode()}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o644}
    assert not run_module("image_direct_boot", capsys, **options)["changed"]
    (out / "vmlinuz").write_bytes(b"another")
    assert run_module("image_direct_boot", capsys, check=True, **options)["written"] == ["vmlinuz"]
    assert (out / "vmlinuz").read_bytes() == b"another"
    assert run_module("image_direct_boot", capsys, **options)["written"] == ["vmlinuz"]
    assert (out / "vmlinuz").read_bytes() == b"kernel"
    assert image.read_bytes() == before


def test_an_image_that_nobody_may_write_to_is_read(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with blocks.kept(str(part)):  # another one reads it, too
        part.chmod(0o444)
        link = tmp_path / "link"
        link.symlink_to(part)
        options = {"dest": str(tmp_path / "out"), "drivers": ["xen_blkfront"]}
        assert run_module("image_direct_boot", capsys, image=str(link), **options)["changed"]
    with blocks.locked(str(part)):
        result = run_module("image_direct_boot", capsys, image=str(link), **options)
    assert result["msg"].startswith(f"{link}: another run is working on this file")


def test_a_kernel_without_a_driver_is_refused(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    result = run_module("image_direct_boot", capsys, image=str(part), dest=str(out), drivers=["xen_netfront"])
    assert result["failed"]
    assert result["msg"] == f"{part}: the kernel 6.1.0 has no driver xen_netfront; install a kernel that has it."
    assert not out.exists()
