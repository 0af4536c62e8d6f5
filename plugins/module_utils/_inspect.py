# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A whole image at a glance: what it holds, which guest, and what it lacks to boot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub, pygrub, uefi
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    ImageError,
    InputError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.verify import verify
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents


@dataclass(frozen=True)
class Inspection:
    """A raw image, looked into.

    Attributes:
        spread: where the guest's filesystems are; the reason when that cannot be told, or they cannot be read.
        guest: what is in there.
        firmware: the firmwares for which it has a boot loader: ``bios``, ``uefi``.
        missing: what the image lacks to boot by itself.
        pygrub_obstacle: why Xen's pygrub could not boot it; None when it could.
    """

    contents: Contents
    spread: Spread | ImageError
    guest: Guest | None
    firmware: tuple[str, ...]
    missing: tuple[str, ...]
    pygrub_obstacle: str | None


def inspect_raw(runner: Runner, path: str, access: str = "auto", number: int | None = None) -> Inspection:
    """Look into a raw image; nothing is written to it, and none of its programs is run.

    Args:
        access, number: see `access.locate`.

    Raises:
        InputError: there is nothing in it to recognise.
    """
    seen = contents.look(path)
    if seen.layout == "unknown":
        raise InputError(
            "it holds neither a known filesystem nor a partition table",
            where=path,
            hint="give a disk or partition image",
        )
    firmware = tuple(_firmware(runner, path, seen))
    with ExitStack() as stack:
        try:
            spread = locate(runner, path, access, number)
            files = stack.enter_context(open_guest(runner, spread, access, writable=False))
        except (DamagedImageError, GuestError, InputError, ToolError) as error:
            obstacle = "its root filesystem could not be read"
            return Inspection(seen, error, None, firmware, tuple(_missing(seen, None, firmware)), obstacle)
        guest = system.inspect(files)
        unbootable = pygrub.obstacle(files, guest, spread.holding("/boot").path)
    return Inspection(seen, spread, guest, firmware, tuple(_missing(seen, guest, firmware)), unbootable)


def _firmware(runner: Runner, path: str, seen: Contents) -> Iterator[str]:
    if seen.table is None:
        return
    if grub.has_boot_code(path):
        yield "bios"
    # No firmware could read such a partition either; that is no reason to tell nothing else.
    with suppress(DamagedImageError, InputError):
        if uefi.has_loader(runner, seen.table, path):
            yield "uefi"


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
    sectors = f", sectors of {seen.table.sector_size} bytes" if seen.table and seen.table.sector_size != 512 else ""
    lines = [f"{seen.layout}{table}, {_mebibytes(seen.size)}{sectors}"]
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
    init = f"{guest.init} {guest.init_version}" if guest.init_version else guest.init
    words = (guest.name or guest.id or "unknown system", guest.architecture, init, guest.package_manager)
    others = ", ".join(name for name in guest.network_stacks if name != guest.network)
    network = (guest.network or "none in charge") + (f" (also installed: {others})" if others else "")
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
    if inspection is None:
        raise InputError("its root filesystem cannot be checked", where=path, hint="give a raw disk image")
    if isinstance(inspection.spread, ImageError):
        raise inspection.spread
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
    for place in inspection.spread.places:
        verify(runner, place.region, path)


__all__ = ["Inspection", "inspect_raw", "require_bootable", "summary"]
