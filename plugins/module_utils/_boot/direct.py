# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A guest's kernel and initramfs copied out, for hypervisors that start them without a boot loader."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile

from ansible_collections.voc.cluster.plugins.module_utils._boot.initramfs import PACKED_LIMIT
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks

KERNEL, INITRAMFS, COMMAND_LINE = "vmlinuz", "initramfs", "cmdline"


def export(files: GuestTree, kernel: Kernel, command_line: str, folder: str, *, apply: bool) -> list[str]:
    """Write a kernel, its initramfs and its command line to a folder of the builder.

    Each file appears whole or not at all, the command line last.

    Args:
        apply: whether they are written; otherwise they are only compared.

    Returns:
        The names of those that were, or would be, written.

    Raises:
        GuestError: the guest has no initramfs, or a file is too large.
        SpaceError: there is no room for them.
    """
    if kernel.initramfs is None:
        raise GuestError(f"the kernel {kernel.version} has no initramfs", hint="install its package again")
    if apply:
        os.makedirs(folder, mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="voc-kernel-") as scratch:
        files.copy_out(tree.resolve(files, kernel.image), os.path.join(scratch, KERNEL), PACKED_LIMIT)
        files.copy_out(tree.resolve(files, kernel.initramfs), os.path.join(scratch, INITRAMFS), PACKED_LIMIT)
        with open(os.path.join(scratch, COMMAND_LINE), "w", encoding="utf-8") as text:
            text.write(f"{command_line}\n")
        changing = [name for name in (KERNEL, INITRAMFS, COMMAND_LINE) if not _same(scratch, folder, name)]
        if apply:
            for name in changing:
                _put(os.path.join(scratch, name), os.path.join(folder, name))
    return changing


def _same(left: str, right: str, name: str) -> bool:
    there = os.path.join(right, name)
    return os.path.isfile(there) and filecmp.cmp(os.path.join(left, name), there, shallow=False)


def _put(source: str, target: str) -> None:
    with blocks.new_file(target) as partial:
        shutil.copyfile(source, partial)
        os.chmod(partial, 0o644)
        blocks.sync_file(partial)


__all__ = ["COMMAND_LINE", "INITRAMFS", "KERNEL", "export"]
