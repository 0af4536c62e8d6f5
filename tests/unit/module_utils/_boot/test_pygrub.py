from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub, pygrub
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

FILES: dict[str, bytes | str | tuple[str, str] | None] = {
    "/boot/vmlinuz-6.1": "kernel",
    "/boot/initrd.img-6.1": "initramfs",
    "/boot/config-6.1": "\nCONFIG_XEN=y\nCONFIG_XEN_PV=y\n",
    "/lib/modules/6.1/modules.dep": "",
}
UUID = "0f2c4a6e-1111-4222-8333-944455566677"


def _obstacle(files: dict) -> str | None:
    tree = MemoryTree(files)
    return pygrub.obstacle(tree, system.inspect(tree))


def _config(title: str = "Debian") -> str:
    return grub.config(system.inspect(MemoryTree(FILES)).kernels, grub.Home(UUID), "ro", title)


def test_what_image_boot_writes_can_be_read() -> None:
    assert _obstacle({**FILES, "/boot/grub/grub.cfg": _config()}) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "/boot/grub2/grub.cfg",
            'menuentry "EL" --class x {\n set root=x\n linux16 /boot/vmlinuz-6.1\n initrd16 /boot/initrd.img-6.1\n}\n',
        ),
        (
            "/boot/grub/menu.lst",
            "default 0\ntitle Old\n root (hd0,0)\n kernel (hd0,0)/boot/vmlinuz-6.1 ro\n initrd /boot/initrd.img-6.1\n",
        ),
        (
            "/boot/grub/menu.lst",
            "title Xen\n kernel /boot/xen.gz\n module /boot/vmlinuz-6.1 ro\n module /boot/initrd.img-6.1\n",
        ),
        ("/boot/extlinux/extlinux.conf", "LABEL l\n LINUX ../vmlinuz-6.1\n APPEND ro initrd=../initrd.img-6.1\n"),
    ],
)
def test_each_kind_of_configuration_is_read(path: str, text: str) -> None:
    assert _obstacle({**FILES, path: text}) is None


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({}, "there is no configuration of GRUB or extlinux"),
        ({"/boot/grub/grub.cfg": "blscfg\n"}, "/boot/grub/grub.cfg has no entry that pygrub knows"),
        (
            {"/boot/grub/grub.cfg": "menuentry 'a' {\nlinux '/boot/vmlinuz-6.1'\ninitrd /boot/initrd.img-6.1\n}\n"},
            "the kernel that /boot/grub/grub.cfg names first is not there: '/boot/vmlinuz-6.1'",
        ),
        (
            {"/boot/grub/grub.cfg": "menuentry 'a' {\nlinux /boot/vmlinuz-6.1\n}\n"},
            "the first entry of /boot/grub/grub.cfg names no initramfs",
        ),
        (
            {"/boot/grub/grub.cfg": "menuentry 'a' {\nlinux /boot/\0\n}\n"},
            "a path contains a NUL character",
        ),
        ({"/boot/grub/grub.cfg": ("->", "grub.cfg")}, "there is no configuration of GRUB or extlinux"),
        (
            {"/boot/grub/grub.cfg": _config(), "/boot/config-6.1": "CONFIG_XEN=y\n# CONFIG_XEN_PV is not set\n"},
            "the kernel 6.1 is not made for Xen's paravirtual machines",
        ),
    ],
)
def test_an_obstacle_is_named(change: dict, obstacle: str) -> None:
    assert _obstacle({**FILES, **change}) == obstacle


def test_an_old_kernel_has_one_setting_for_xen() -> None:
    old = {"/boot/grub/grub.cfg": _config(), "/boot/config-6.1": "a\nCONFIG_XEN=y\nb\n"}
    assert _obstacle({**FILES, **old}) is None


@given(st.text(st.sampled_from("menutrylixkdabol '\"{}/\n\0 .()=") | st.characters(codec="utf-8"), max_size=200))
def test_any_configuration_is_read_or_told(text: str) -> None:
    found = _obstacle({**FILES, "/boot/grub/grub.cfg": f"menuentry 'a' {{\n{text}"})
    assert found is None or found


def test_a_boot_partition_is_all_that_pygrub_sees() -> None:
    guest = system.inspect(MemoryTree(FILES))
    text = grub.config(guest.kernels, grub.Home(UUID, mount_point="/boot"), "ro", "Debian")
    tree = MemoryTree({**FILES, "/boot/grub/grub.cfg": text})
    assert pygrub.obstacle(tree, guest, "/boot") is None
    assert pygrub.obstacle(tree, guest) == (
        "the kernel that /boot/grub/grub.cfg names first is not there: /vmlinuz-6.1"
    )
    tree.add("/boot/config-6.1", "\nCONFIG_XEN_PV=n\n")
    assert pygrub.obstacle(tree, guest, "/boot") == ("the kernel 6.1 is not made for Xen's paravirtual machines")
