from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def test_what_would_rename_interfaces_is_switched_off() -> None:
    guest = MemoryTree({"/lib/udev/rules.d/80-net-setup-link.rules": "", "/lib/udev/rules.d/71-biosdevname.rules": ""})
    assert not names.are_kernels_own(guest)
    plan = Plan(guest)
    names.keep_kernels_own(plan)
    plan.apply()
    assert names.are_kernels_own(guest)
    assert guest.readlink("/etc/udev/rules.d/80-net-setup-link.rules") == "/dev/null"
    assert guest.readlink("/etc/udev/rules.d/71-biosdevname.rules") == "/dev/null"
    assert guest.lstat("/etc/udev/rules.d/80-net-name-slot.rules") is None


def test_a_guest_that_renames_nothing_is_left_alone() -> None:
    plan = Plan(MemoryTree({"/lib/udev/rules.d/80-drivers.rules": ""}))
    names.keep_kernels_own(plan)
    assert plan.changes() == []


def test_a_kernel_that_is_set_up_to_boot_is_told_too() -> None:
    """Its initramfs has udev's rules as they were when it was built."""
    guest = MemoryTree(
        {
            "/lib/udev/rules.d/80-net-setup-link.rules": "",
            "/boot/grub/grub.cfg": "menuentry 'a' {\n  linux /boot/vmlinuz-6.4 root=UUID=x ro\n}\n",
        }
    )
    plan = Plan(guest)
    names.keep_kernels_own(plan)
    plan.apply()
    assert " root=UUID=x ro net.ifnames=0 biosdevname=0\n" in guest.text("/boot/grub/grub.cfg")
