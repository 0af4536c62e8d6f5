from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.bundles import FILES, KERNEL, MODULES, make_bundle
from ansible_collections.voc.cluster.tests.unit.images import MIB, assert_clean, debugfs, make_disk, make_ext, plant
from ansible_collections.voc.cluster.tests.unit.memory_tree import ELF_X86_64
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


@pytest.fixture
def image(tmp_path: Path) -> Path:
    files = {"/etc/os-release": "ID=debian\nVERSION_ID=13\n", "/usr/bin/env": ELF_X86_64}
    folder = plant(tmp_path / "tree", files)
    (folder / "usr/lib").mkdir()
    (folder / "lib").symlink_to("usr/lib")
    return make_ext(tmp_path / "part", folder)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle.tar.gz", mode="w:gz")


def test_a_kernel_is_put_in_once(image: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"image": str(image), "bundle": str(bundle)}
    before = image.read_bytes()
    told = run_module("image_kernel", capsys, check=True, **options)
    assert image.read_bytes() == before
    done = run_module("image_kernel", capsys, **options)
    assert told == done
    assert done["changed"]
    assert (done["kernel"], done["files"], done["written"]) == (KERNEL, len(FILES), len(FILES))
    assert debugfs(image, f"cat /{MODULES}/kernel/a.ko.xz") == "module"
    assert "Mode:  0644" in debugfs(image, f"stat /boot/vmlinuz-{KERNEL}")
    assert_clean(image)
    again = run_module("image_kernel", capsys, **options)
    assert (again["changed"], again["written"]) == (False, 0)
    assert not [path for path in image.parent.iterdir() if path.name.startswith(".")]


def test_what_is_new_is_labelled_for_selinux(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contexts = "/usr/lib/modules(/.*)?\t\tsystem_u:object_r:modules_object_t:s0\n"
    files: dict[str, str | bytes] = {
        "/etc/os-release": "ID=debian\nVERSION_ID=13\n",
        "/usr/bin/env": ELF_X86_64,
        "/etc/selinux/config": "SELINUX=permissive\n",
        "/etc/selinux/targeted/contexts/files/file_contexts": contexts,
        "/etc/selinux/targeted/contexts/files/file_contexts.subs_dist": "/lib /usr/lib\n",
        "/lib/x": "",
    }
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", files))
    assert run_module("image_kernel", capsys, image=str(image), bundle=str(bundle))["changed"]
    shown = debugfs(image, f"ea_get /{MODULES.removeprefix('usr/')}/kernel/a.ko.xz security.selinux")
    assert "system_u:object_r:modules_object_t:s0" in shown
    assert_clean(image)
    assert not run_module("image_kernel", capsys, image=str(image), bundle=str(bundle))["changed"]


def test_a_bundle_for_another_guest_needs_force(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "bundle", manifest={"distribution": "fedora", "version": "42"})
    before = image.read_bytes()
    result = run_module("image_kernel", capsys, image=str(image), bundle=str(bundle))
    assert result["failed"]
    assert "for the distribution fedora but the guest is debian" in result["msg"]
    assert image.read_bytes() == before
    assert run_module("image_kernel", capsys, image=str(image), bundle=str(bundle), force=True)["changed"]


@pytest.mark.parametrize("content", [b"", b"no archive" * 100])
def test_bad_input_gives_one_sentence_and_leaves_nothing(
    image: Path, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    for path in (tmp_path / "bad", tmp_path / "absent"):
        result = run_module("image_kernel", capsys, image=str(image), bundle=str(path))
        assert result["failed"]
        assert str(path) in result["msg"]
        assert "\n" not in result["msg"]
    assert sorted(tmp_path.iterdir()) == before


def test_an_image_that_is_too_small_stays_as_it_was(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {**FILES, f"{MODULES}/kernel/large.ko": bytes(8 << 20)}
    before = image.read_bytes()
    bundle = make_bundle(tmp_path / "bundle", large)
    result = run_module("image_kernel", capsys, image=str(image), bundle=str(bundle))
    assert "are free in the image; let image_layout make a larger disk." in result["msg"]
    assert image.read_bytes() == before


def test_each_filesystem_needs_room_for_its_own_files(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"/etc/os-release": "ID=debian\nVERSION_ID=13\n", "/etc/fstab": "LABEL=boot /boot ext4\n"}
    root = make_ext(tmp_path / "root", plant(tmp_path / "tree", {**files, "/usr/bin/env": ELF_X86_64}))
    boot = make_ext(tmp_path / "boot", size=2 * MIB, options=("-U", "random", "-L", "boot"))
    disk = make_disk(tmp_path / "disk", boot, root)
    large = make_bundle(tmp_path / "large", {**FILES, f"boot/vmlinuz-{KERNEL}": bytes(3 * MIB)})
    before = disk.read_bytes()
    result = run_module("image_kernel", capsys, image=str(disk), bundle=str(large))
    assert "are free in the image" in result["msg"]
    assert disk.read_bytes() == before
    assert run_module("image_kernel", capsys, image=str(disk), bundle=str(bundle))["changed"]
    assert f"vmlinuz-{KERNEL}" in debugfs(disk, "ls /", offset=MIB)
    assert debugfs(disk, f"cat /lib/modules/{KERNEL}/kernel/a.ko.xz", offset=3 * MIB) == "module"
