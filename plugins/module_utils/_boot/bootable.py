# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Makes a disk image bootable by BIOS, UEFI or both: its kernel, GRUB and fstab, planned and then done."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp, grub, initramfs, kernel, uefi
from ansible_collections.voc.cluster.plugins.module_utils._boot.grub import BootLoader, Home
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import (
    command_line,
    fstab,
    places,
    selinux,
    system,
    tree,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table

FIRMWARE = ("bios", "uefi", "both")

_ARCHITECTURES = ("x86_64", "i386")


@dataclass(frozen=True)
class BootDisk:
    """A raw disk image that can be made to boot, and where its guest's filesystems are.

    Attributes:
        root: the root filesystem, whose UUID is `uuid`.
        home: where GRUB finds its configuration and the kernels: the root or a /boot of its own.
    """

    image: str
    table: Table
    spread: Spread
    root: Filesystem
    uuid: str
    home: Home


@dataclass(frozen=True)
class Loaders:
    """The boot loaders that belong on a disk; None for a firmware that shall not start it.

    Attributes:
        system_partition: where the one for UEFI goes.
        changing: the firmwares whose boot loader on the disk is another one.
    """

    bios: BootLoader | None
    uefi: bytes | None
    system_partition: Volume | None
    changing: tuple[str, ...]


@dataclass(frozen=True)
class BootPlan:
    """What will make an image boot.

    Attributes:
        files: the changes to the guest's files.
        switched_off: entries of fstab for devices that are not there.
    """

    runner: Runner
    image: str
    files: Plan
    loaders: Loaders
    kernel: Kernel
    command_line: str
    switched_off: list[str]

    @property
    def loader_changes(self) -> bool:
        """Whether a boot loader on the disk is another one."""
        return bool(self.loaders.changing)


def examine(runner: Runner, image: str, access: str = "auto", number: int | None = None) -> BootDisk:
    """Look whether a raw image can be made to boot.

    Args:
        access, number: see `access.locate`.

    Raises:
        InputError: it is not a disk image, or GRUB cannot read its filesystem.
        GuestError: its root filesystem cannot be told, or has no UUID.
    """
    spread = locate(runner, image, access, number)
    if spread.seen.table is None:
        raise InputError("it is a partition image", where=image, hint="make a disk of it with image_layout first")
    boot = spread.holding(grub.CONFIG_PATH)
    found = filesystems.require(boot.region.volume, contents.ROOTS)
    grub.require_readable(found, image)
    home = Home(filesystems.require_uuid(found, boot.region.volume), found.type, boot.path)
    root = filesystems.require(spread.root.volume, contents.ROOTS)
    return BootDisk(image, spread.seen.table, spread, root, filesystems.require_uuid(root, spread.root.volume), home)


def plan_boot(
    runner: Runner,
    disk: BootDisk,
    files: GuestTree,
    options: Sequence[str],
    *,
    firmware: str = "bios",
    drivers: Sequence[str] = (),
) -> BootPlan:
    """Work out how to make a disk boot.

    Args:
        files: the guest's tree.
        options: what the kernel is given after the root filesystem.
        firmware: one of `FIRMWARE`.
        drivers: those that the kernel must have, in time to reach the root filesystem.

    Raises:
        InputError: the disk has no place for a boot loader of this firmware.
        GuestError: it has no kernel that could be booted, or that lacks a driver.
    """
    # GRUB takes as long to be made as the guest to be looked at.
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(_plan_loaders, runner, disk, firmware)
        guest = system.inspect(files)
        if guest.architecture not in (None, *_ARCHITECTURES):
            raise GuestError(f"the guest is for {guest.architecture}, not for x86", where=disk.image)
        kernels = kernel.choose(guest, disk.image)
        needed = [*drivers, *initramfs.filesystem_drivers(files, kernels[0], disk.root.type)]
        initramfs.require(runner, files, kernels[0], needed, disk.image)
        loaders = making.result()
    wanted = kernel.options(files, guest, disk.root.type, options)
    line = kernel.command_line(disk.uuid, wanted)
    plan = Plan(files)
    config = grub.config(kernels, disk.home, line, guest.name or "Linux")
    plan.write(grub.CONFIG_PATH, config.encode("utf-8", "surrogateescape"))
    command_line.settle(plan, f"UUID={disk.uuid}", wanted)
    switched_off = _adapt_fstab(plan, disk)
    selinux.label_new(plan)
    return BootPlan(
        runner=runner,
        image=disk.image,
        files=plan,
        loaders=loaders,
        kernel=kernels[0],
        command_line=line,
        switched_off=switched_off,
    )


def apply(boot: BootPlan) -> None:
    """Do what was planned; the boot loaders come last."""
    boot.files.apply()
    loaders = boot.loaders
    if loaders.uefi and loaders.system_partition and "uefi" in loaders.changing:
        uefi.place(boot.runner, loaders.uefi, loaders.system_partition)
    if loaders.bios and "bios" in loaders.changing:
        grub.place(loaders.bios, boot.image)


def _plan_loaders(runner: Runner, disk: BootDisk, firmware: str) -> Loaders:
    bios_loader, uefi_loader, system_partition = None, None, None
    changing = []
    if firmware in ("bios", "both"):
        bios_loader = grub.locate(grub.make(runner, disk.home), disk.table, disk.image)
        if not grub.is_placed(bios_loader, disk.image):
            changing.append("bios")
    if firmware in ("uefi", "both"):
        system_partition = esp.locate(disk.table, disk.image)
        uefi_loader = uefi.make(runner, disk.home)
        if not uefi.is_placed(runner, uefi_loader, system_partition):
            changing.append("uefi")
    return Loaders(bios_loader, uefi_loader, system_partition, tuple(changing))


def _adapt_fstab(plan: Plan, disk: BootDisk) -> list[str]:
    text = tree.read_text(plan, fstab.PATH) or ""
    seen, entries = disk.spread.seen, fstab.parse(text)
    renamed = {
        source: f"UUID={region.filesystem.uuid}"
        for source, region in places.by_device(seen, disk.spread.root, entries).items()
        if region.filesystem and region.filesystem.uuid
    }
    options, check = (("errors=remount-ro",), 1) if disk.root.is_ext else (("defaults",), 0)
    root = FstabEntry(f"UUID={disk.uuid}", "/", disk.root.type, options, check=check)
    text, switched_off = fstab.adapt(text, root, contents.sources(seen), renamed)
    if disk.home.mount_point not in ("/", *(entry.path for entry in fstab.parse(text))):
        text = fstab.with_entry(text, places.fstab_entry(disk.home.uuid, disk.home.mount_point, disk.home.type))
    plan.write(fstab.PATH, text.encode("utf-8", "surrogateescape"))
    return switched_off


__all__ = ["FIRMWARE", "BootDisk", "BootPlan", "Loaders", "apply", "examine", "plan_boot"]
