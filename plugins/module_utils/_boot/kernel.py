# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which kernel an image boots, and on which command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import command_line as guest_lines
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import names
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest, Kernel, version_key
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

# Programs of older C libraries call into a page that kernels no longer have: glibc's NEWS for 2.15,
# and Linux, arch/x86/Kconfig, LEGACY_VSYSCALL_NONE.
_WITHOUT_VSYSCALL = "2.15"


def choose(guest: Guest, where: str) -> tuple[Kernel, ...]:
    """Return the kernels that can be booted, the default one first.

    Raises:
        GuestError: there is none that has its initramfs and modules.
    """
    complete = tuple(kernel for kernel in guest.kernels if kernel.initramfs and kernel.modules)
    if complete:
        return complete
    if not guest.kernels:
        raise GuestError("the guest has no kernel", where=where, hint="install one with image_packages first")
    kernel = guest.kernels[0]
    lacking = "initramfs" if kernel.initramfs is None else "modules"
    raise GuestError(
        f"the kernel {kernel.version} has no {lacking}",
        where=where,
        hint="install its package with image_packages again",
    )


def options(view: View, guest: Guest, root_type: str, given: Sequence[str]) -> list[str]:
    """Return the options of a kernel: those given, and those without which this guest would not come up.

    Args:
        root_type: of the root filesystem, by the names of libblkid.
        given: these count where both set the same.
    """
    settled = {guest_lines.name(option) for option in given}
    return [*given, *(need for need in _needs(view, guest, root_type) if guest_lines.name(need) not in settled)]


def _needs(view: View, guest: Guest, root_type: str) -> Iterator[str]:
    if names.are_kernels_own(view):
        yield from names.KERNEL_OPTIONS
    if guest.glibc and version_key(guest.glibc) < version_key(_WITHOUT_VSYSCALL) and guest.architecture == "x86_64":
        yield "vsyscall=emulate"
    if guest.id == "alpine":
        # Its initramfs loads only what it is told (mkinitfs, initramfs-init).
        yield from (f"modules={root_type}", f"rootfstype={root_type}")


def command_line(root_uuid: str, given: Sequence[str]) -> str:
    """Return the kernel's command line: the root filesystem by UUID, then the given options."""
    return " ".join([f"root=UUID={root_uuid}", "ro", *given])


__all__ = ["choose", "command_line", "options"]
