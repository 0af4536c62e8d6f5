from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import kernel
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest, Kernel

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
