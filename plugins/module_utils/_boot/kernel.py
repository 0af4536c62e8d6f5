# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which kernel an image boots, and on which command line."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest, Kernel


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


def command_line(root_uuid: str, options: Sequence[str]) -> str:
    """Return the kernel's command line: the root filesystem by UUID, then `options`."""
    return " ".join([f"root=UUID={root_uuid}", "ro", *options])


__all__ = ["choose", "command_line"]
