# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Makes a disk image bootable by BIOS: its kernel, GRUB and fstab, planned and then done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub, kernel
from ansible_collections.voc.cluster.plugins.module_utils._boot.grub import BootLoader
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table


@dataclass(frozen=True)
class BootDisk:
    """A raw disk image that can be made to boot, and where its root filesystem is."""

    image: str
    table: Table
    root: Volume
    filesystem: Filesystem
    uuid: str


@dataclass(frozen=True)
class BootPlan:
    """What will make an image boot.

    Attributes:
        files: the changes to the guest's files.
        switched_off: entries of fstab for devices that are not there.
        loader_changes: whether the boot loader on the disk is another one.
    """

    image: str
    files: Plan
    loader: BootLoader
    loader_changes: bool
    kernel: Kernel
    command_line: str
    switched_off: list[str]


def examine(runner: Runner, image: str) -> BootDisk:
    """Look whether a raw image can be made to boot.

    Raises:
        InputError: it is not a disk image, or GRUB cannot read its filesystem.
        GuestError: its root filesystem cannot be told, or has no UUID.
    """
    root, found = contents.root_volume(runner, image)
    table = contents.look(runner, image).table
    if table is None:
        raise InputError("it is a partition image", where=image, hint="make a disk of it with image_layout first")
    grub.require_readable(found, image)
    return BootDisk(image, table, root, found, filesystems.require_uuid(found, root))


def plan_boot(runner: Runner, disk: BootDisk, files: GuestTree, options: Sequence[str]) -> BootPlan:
    """Work out how to make a disk boot.

    Args:
        files: the tree of its root filesystem.
        options: what the kernel is given after the root filesystem.

    Raises:
        GuestError: it has no kernel that could be booted.
    """
    guest = system.inspect(files)
    kernels = kernel.choose(guest, disk.image)
    loader = grub.make(runner, disk.uuid)
    grub.check(loader, disk.table, disk.image)
    command_line = kernel.command_line(disk.uuid, options)
    plan = Plan(files)
    config = grub.config(kernels, disk.uuid, command_line, guest.name or "Linux")
    plan.write(grub.CONFIG_PATH, config.encode("utf-8", "surrogateescape"))
    return BootPlan(
        image=disk.image,
        files=plan,
        loader=loader,
        loader_changes=not grub.is_placed(loader, disk.image),
        kernel=kernels[0],
        command_line=command_line,
        switched_off=_adapt_fstab(plan, disk.uuid, disk.filesystem.type),
    )


def apply(boot: BootPlan) -> None:
    """Do what was planned; the boot loader comes last."""
    boot.files.apply()
    if boot.loader_changes:
        grub.place(boot.loader, boot.image)


def _adapt_fstab(plan: Plan, uuid: str, filesystem: str) -> list[str]:
    root = FstabEntry(f"UUID={uuid}", "/", filesystem, ("errors=remount-ro",), check=1)
    text, switched_off = fstab.adapt(tree.read_text(plan, fstab.PATH) or "", root)
    plan.write(fstab.PATH, text.encode("utf-8", "surrogateescape"))
    return switched_off


__all__ = ["BootDisk", "BootPlan", "apply", "examine", "plan_boot"]
