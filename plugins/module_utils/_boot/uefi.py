# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GRUB for UEFI on x86_64: one file in the EFI system partition, where every firmware looks for it.

UEFI 2.10, 3.5.1.1: removable media are started from \\EFI\\BOOT\\BOOTX64.EFI, and an image has no
place of its own in the memory of a firmware it has not met yet. The file is not signed.
"""

from __future__ import annotations

import os

from ansible_collections.voc.cluster.plugins.module_utils._boot import esp, grub
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table

LOADER_PATH = "/EFI/BOOT/BOOTX64.EFI"

_PLATFORM = "x86_64-efi"
_MODULES = ("efi_gop", "fat")


def make(runner: Runner, home: grub.Home) -> bytes:
    """Build GRUB for the filesystem of its configuration, which it finds by UUID on whatever disk.

    Raises:
        ToolError: GRUB's files for UEFI are not on the builder.
    """
    if not os.path.exists(f"{grub.FOLDER}/{_PLATFORM}/kernel.img"):
        raise ToolError("GRUB's files for UEFI are not installed", hint="install the package grub-efi-amd64-bin")
    return grub.make_image(runner, _PLATFORM, home, _MODULES)


def has_loader(runner: Runner, table: Table, path: str) -> bool:
    """Say whether a disk's EFI system partition has a loader that every firmware would start.

    Raises:
        ImageError: the partition cannot be read.
    """
    return len(esp.partitions_of(table)) == 1 and esp.exists(runner, esp.locate(table, path), LOADER_PATH)


def is_placed(runner: Runner, loader: bytes, volume: Volume) -> bool:
    """Say whether an EFI system partition already carries exactly this GRUB."""
    return esp.holds(runner, volume, LOADER_PATH, loader)


def place(runner: Runner, loader: bytes, volume: Volume) -> None:
    """Write GRUB to an EFI system partition.

    Raises:
        SpaceError: it is full.
        ToolError: the file did not take.
    """
    esp.write(runner, volume, LOADER_PATH, loader)


__all__ = ["LOADER_PATH", "has_loader", "is_placed", "make", "place"]
