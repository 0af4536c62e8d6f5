# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A whole image at a glance: what it holds, which guest, and what it lacks to boot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub, pygrub, uefi
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.root import find as find_root
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume


@dataclass(frozen=True)
class Inspection:
    """A raw image, looked into.

    Attributes:
        root: where the root filesystem is; None when that cannot be told, or
            only a mount could read it.
        guest: what is in there.
        firmware: the firmwares for which it has a boot loader: ``bios``, ``uefi``.
        missing: what the image lacks to boot by itself.
        pygrub_obstacle: why Xen's pygrub could not boot it; None when it could.
    """

    contents: Contents
    root: Volume | None
    guest: Guest | None
    firmware: tuple[str, ...]
    missing: tuple[str, ...]
    pygrub_obstacle: str | None


def inspect_raw(runner: Runner, path: str) -> Inspection:
    """Look into a raw image, without a mount and without running any of its programs.

    Raises:
        InputError: there is nothing in it to recognise.
    """
    seen = contents.look(runner, path)
    if seen.layout == "unknown":
        raise InputError(
            "it holds neither a known filesystem nor a partition table",
            where=path,
            hint="give a disk or partition image",
        )
    root = _readable_root(runner, seen, path)
    guest = None
    obstacle: str | None = "its root filesystem could not be read"
    if root:
        files = ExtTree(runner, root)
        guest = system.inspect(files)
        obstacle = pygrub.obstacle(files, guest)
    firmware = tuple(_firmware(runner, path, seen))
    return Inspection(seen, root, guest, firmware, tuple(_missing(seen, guest, firmware)), obstacle)


def _firmware(runner: Runner, path: str, seen: Contents) -> Iterator[str]:
    if seen.table is None:
        return
    if grub.has_boot_code(path):
        yield "bios"
    # No firmware could read such a partition either; that is no reason to tell nothing else.
    with suppress(DamagedImageError, InputError):
        if uefi.has_loader(runner, seen.table, path):
            yield "uefi"


def _readable_root(runner: Runner, seen: Contents, path: str) -> Volume | None:
    """Return where the root filesystem is, if it can be told and read without a mount."""
    try:
        region = find_root(runner, seen, path)
    except (GuestError, InputError):
        return None
    return region.volume if region.is_ext else None


def _missing(seen: Contents, guest: Guest | None, firmware: tuple[str, ...]) -> list[str]:
    lacking = []
    if seen.table is None:
        lacking.append("partition table")
    if not firmware:
        lacking.append("boot loader")
    if guest:
        kernel = guest.newest_kernel
        if kernel is None:
            lacking.append("kernel")
        elif kernel.initramfs is None:
            lacking.append("initramfs")
    return lacking


def summary(inspection: Inspection) -> list[str]:
    """Return an inspection as lines for people."""
    seen = inspection.contents
    table = f" ({seen.table.label})" if seen.table else ""
    lines = [f"{seen.layout}{table}, {_mebibytes(seen.size)}"]
    for region in seen.regions:
        found = region.filesystem
        if found:
            place = f"partition {region.partition}: " if region.partition else ""
            used = (
                f", {_mebibytes(found.size - found.free)} of {_mebibytes(found.size)} used"
                if found.size is not None and found.free is not None
                else ""
            )
            label = f" {found.label!r}" if found.label else ""
            lines.append(f"{place}{found.type}{label}{used}")
    if inspection.guest:
        lines += _describe(inspection.guest)
    if inspection.firmware:
        lines.append(f"boot loader on the disk for: {', '.join(inspection.firmware)}")
    lacking = ", ".join(inspection.missing)
    return [*lines, f"to boot it lacks: {lacking}" if lacking else "it lacks nothing to boot"]


def _describe(guest: Guest) -> list[str]:
    words = (guest.name or guest.id or "unknown system", guest.architecture, guest.init, guest.package_manager)
    network = ", ".join(guest.network_stacks) or "none"
    kernels = ", ".join(kernel.version for kernel in guest.kernels) or "none"
    return [
        ", ".join(word for word in words if word),
        f"network: {network}; boot loader: {guest.boot_loader or 'none'}; Python: {guest.python or 'none'}",
        f"kernels: {kernels}",
    ]


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def require_bootable(runner: Runner, path: str, inspection: Inspection | None, firmware: str | None = None) -> None:
    """Refuse an image that would not boot, or whose root filesystem has errors.

    Args:
        firmware: what must be able to start it: ``bios``, ``uefi``, ``both``; None when any will do.

    Raises:
        InputError: it is not a raw image whose root filesystem can be read.
        GuestError: something is missing.
        DamagedImageError: the filesystem has errors.
    """
    if inspection is None or inspection.root is None:
        raise InputError(
            "its root filesystem cannot be checked", where=path, hint="give a raw disk image with one ext filesystem"
        )
    if inspection.missing:
        raise GuestError(
            f"the image has no {', no '.join(inspection.missing)}",
            where=path,
            hint="use image_layout, image_packages and image_boot",
        )
    wanted = {"bios", "uefi"} if firmware == "both" else {firmware} - {None}
    lacking = sorted(wanted - set(inspection.firmware), key=str)
    if lacking:
        raise GuestError(
            f"the image has no boot loader for {' and '.join(map(str, lacking))}",
            where=path,
            hint="use image_boot with this firmware",
        )
    filesystems.verify(runner, inspection.root)


__all__ = ["Inspection", "inspect_raw", "require_bootable", "summary"]
