from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import kernel
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest, Kernel
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES

WHOLE = Kernel("6.1", "/boot/vmlinuz-6.1", "/boot/initrd.img-6.1", "/lib/modules/6.1")
BARE = Kernel("6.9", "/boot/vmlinuz-6.9", None, "/lib/modules/6.9")
NO_MODULES = Kernel("6.9", "/boot/vmlinuz-6.9", "/boot/initrd.img-6.9", None)


def _guest(*kernels: Kernel) -> Guest:
    return Guest(None, None, None, None, None, None, (), kernels)


def test_a_newer_kernel_that_lacks_a_part_is_passed_over() -> None:
    assert kernel.choose(_guest(BARE, WHOLE), "disk") == (WHOLE,)


@pytest.mark.parametrize(
    ("kernels", "finding"),
    [((), "has no kernel"), ((BARE,), "kernel 6.9 has no initramfs"), ((NO_MODULES,), "kernel 6.9 has no modules")],
)
def test_a_guest_without_a_whole_kernel_is_refused(kernels: tuple[Kernel, ...], finding: str) -> None:
    with pytest.raises(GuestError, match=finding):
        kernel.choose(_guest(*kernels), "disk")


def test_the_command_line_names_the_root_first() -> None:
    assert kernel.command_line("U", ["quiet", "console=ttyS0"]) == "root=UUID=U ro quiet console=ttyS0"


@pytest.mark.parametrize(
    ("family", "needs"),
    [
        ("debian13", []),
        ("debian7", ["vsyscall=emulate"]),
        ("el5", []),  # of 32 bits, which never had that page
        ("el6", ["vsyscall=emulate"]),
        ("el7", []),
        ("el9", []),
        ("sles11", ["vsyscall=emulate"]),
        ("alpine", ["modules=ext4", "rootfstype=ext4"]),
        ("arch", []),
    ],
)
def test_a_family_gets_the_options_without_which_it_would_not_come_up(family: str, needs: list[str]) -> None:
    files = FAMILIES[family].tree()
    guest = system.inspect(files)
    assert kernel.options(files, guest, "ext4", ["quiet"]) == ["quiet", *needs]
    assert kernel.options(files, guest, "ext4", ["vsyscall=none", "modules=x", "rootfstype=y"]) == [
        "vsyscall=none",
        "modules=x",
        "rootfstype=y",
    ]


def test_a_guest_that_needs_the_kernels_names_of_interfaces_gets_them() -> None:
    files = FAMILIES["sles15"].tree()
    names.keep_kernels_own(plan := Plan(files))
    guest = system.inspect(files)
    assert kernel.options(plan, guest, "ext4", []) == ["net.ifnames=0", "biosdevname=0"]
    assert kernel.options(plan, guest, "ext4", ["net.ifnames=1"]) == ["net.ifnames=1", "biosdevname=0"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_of_every_family_can_be_booted(family: str) -> None:
    (chosen,) = kernel.choose(system.inspect(FAMILIES[family].tree()), "disk")
    assert chosen.version == FAMILIES[family].kernel
