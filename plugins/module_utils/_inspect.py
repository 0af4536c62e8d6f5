# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A whole image at a glance: what it holds, which guest, and what it lacks to boot."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import grub
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
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
        missing: what the image lacks to boot by itself.
    """

    contents: Contents
    root: Volume | None
    guest: Guest | None
    missing: tuple[str, ...]


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
    roots = [region.volume for region in seen.regions if region.filesystem and region.filesystem.is_ext]
    root = roots[0] if len(roots) == 1 else None
    guest = system.inspect(ExtTree(runner, root)) if root else None
    return Inspection(seen, root, guest, tuple(_missing(path, seen, guest)))


def _missing(path: str, seen: Contents, guest: Guest | None) -> list[str]:
    lacking = []
    if seen.table is None:
        lacking.append("partition table")
    if seen.table is None or not grub.has_boot_code(path):
        lacking.append("boot loader")
    if guest:
        kernel = guest.newest_kernel
        if kernel is None:
            lacking.append("kernel")
        elif kernel.initramfs is None:
            lacking.append("initramfs")
    return lacking


def require_bootable(runner: Runner, path: str, inspection: Inspection | None) -> None:
    """Refuse an image that would not boot, or whose root filesystem has errors.

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
    filesystems.verify(runner, inspection.root)


__all__ = ["Inspection", "inspect_raw", "require_bootable"]
