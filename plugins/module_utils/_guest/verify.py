# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Checks a filesystem inside an image and changes nothing: ext in the file, xfs and btrfs through a loop device."""

from __future__ import annotations

import os

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, located
from ansible_collections.voc.cluster.plugins.module_utils._guest import loop
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

_CHECKS = {"xfs": ("xfs_repair", "-n"), "btrfs": ("btrfs", "check", "--readonly")}
CHECKED = tuple(_CHECKS)


def verify(runner: Runner, region: Region, where: str) -> None:
    """Check the filesystem of a region; others than ext are left to root.

    Raises:
        DamagedImageError: it has errors, naming `where`.
    """
    if region.is_ext:
        filesystems.verify(runner, region.volume)
    elif os.geteuid() == 0:
        place = where if region.partition is None else f"{where}, partition {region.partition}"
        verify_for_mount(runner, region.volume, region.kind, place)


def verify_for_mount(runner: Runner, volume: Volume, kind: str, where: str) -> None:
    """Check a filesystem that only a mount can read. Needs root.

    Raises:
        DamagedImageError: it has errors, naming `where`.
    """
    with loop.attached(volume) as device:
        verify_beginning(runner, device, kind, where)


def verify_beginning(runner: Runner, path: str, kind: str, where: str) -> None:
    """Check an xfs or btrfs that begins a file or device.

    Raises:
        DamagedImageError: it has errors, naming `where`.
    """
    with located(where):
        done = runner.run([*_CHECKS[kind], path], limits=TRANSFORM, accept=range(256))
    if done.status != 0:
        raise DamagedImageError(
            f"its {kind} filesystem has errors ({done.complaint})",
            where=where,
            hint="shut the guest down cleanly or repair a copy of the image, and give that",
        )


__all__ = ["CHECKED", "verify", "verify_beginning", "verify_for_mount"]
