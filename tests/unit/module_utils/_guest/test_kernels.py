from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest import kernels
from ansible_collections.voc.cluster.plugins.module_utils._guest.kernels import Kernel
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def test_what_lies_beside_kernels_is_none() -> None:
    names = ("vmlinuz-6.1", ".vmlinuz-6.1.hmac", "vmlinuz-6.1.hmac", "vmlinux-6.1.gz", "vmlinuz", "vmlinuz-6.1 x")
    found = kernels.kernels(MemoryTree({f"/boot/{name}": "" for name in names}))
    assert found == [Kernel("6.1", "/boot/vmlinuz-6.1", None, None)]


def test_kernels_that_are_called_by_their_package_have_the_version_of_its_modules() -> None:
    files = {
        "/boot/vmlinuz-linux": "",
        "/boot/vmlinuz-linux-lts": "",
        "/boot/initramfs-linux-lts.img": "",
        "/lib/modules/6.9.3-arch1-1/pkgbase": "linux\n",
        "/lib/modules/6.6.32-1-lts/pkgbase": "linux-lts\n",
    }
    assert kernels.kernels(MemoryTree(files)) == [
        Kernel("6.9.3-arch1-1", "/boot/vmlinuz-linux", None, "/lib/modules/6.9.3-arch1-1"),
        Kernel("6.6.32-1-lts", "/boot/vmlinuz-linux-lts", "/boot/initramfs-linux-lts.img", "/lib/modules/6.6.32-1-lts"),
    ]


def test_the_newest_modules_of_a_flavour_are_taken() -> None:
    files = {"/boot/vmlinuz-virt": "", "/lib/modules/6.6.9-0-virt/x": "", "/lib/modules/6.6.31-0-virt/x": ""}
    (kernel,) = kernels.kernels(MemoryTree(files))
    assert kernel == Kernel("6.6.31-0-virt", "/boot/vmlinuz-virt", None, "/lib/modules/6.6.31-0-virt")


def test_boot_entries_name_kernels_that_lie_elsewhere() -> None:
    folder = "/boot/0123456789abcdef/6.1.0-9"
    files = {
        "/boot/vmlinuz-6.9": "",
        f"{folder}/linux": "",
        f"{folder}/initrd": "",
        "/boot/loader/entries/a.conf": (
            "# entry\ntitle x\nversion 6.1.0-9\nlinux /0123456789abcdef/6.1.0-9/linux\n"
            "initrd  /0123456789abcdef/6.1.0-9/initrd\n"
        ),
        "/boot/loader/entries/same.conf": "version 6.9\nlinux /boot/vmlinuz-6.9\n",
        "/boot/loader/entries/gone.conf": "version 6.0\nlinux /vmlinuz-6.0\n",
        "/boot/loader/entries/out.conf": "version 6.0\nlinux /../etc/passwd\n",
        "/boot/loader/entries/note.txt": "version 6.9\nlinux /vmlinuz-6.9\n",
    }
    assert kernels.kernels(MemoryTree(files)) == [
        Kernel("6.9", "/boot/vmlinuz-6.9", None, None),
        Kernel("6.1.0-9", f"{folder}/linux", f"{folder}/initrd", None),
    ]


@given(st.text())
def test_any_boot_entry_is_read(text: str) -> None:
    assert "" not in kernels.parse_entry(text)
    kernels.kernels(MemoryTree({"/boot/loader/entries/a.conf": f"version 6.1\nlinux {text}", "/boot/a": ""}))


def test_versions_sort_as_people_read_them() -> None:
    ordered = ["5.10.0-9-amd64", "5.10.0-28-amd64", "6.1.0-9", "6.1.0-13", "6.9.0", "6.12.0", "6.12.1"]
    assert sorted(set(ordered), key=kernels.version_key) == ordered


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_versions_can_be_sorted(versions: list[str]) -> None:
    ordered = sorted(versions, key=kernels.version_key)
    assert sorted(ordered, key=kernels.version_key) == ordered
