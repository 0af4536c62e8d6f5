# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Checks a filesystem inside an image and changes nothing: ext in the file, xfs and btrfs through a loop device."""

from __future__ import annotations

import os

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError
from ansible_collections.voc.cluster.plugins.module_utils._guest import loop
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Region

_CHECKS = {"xfs": ("xfs_repair", "-n"), "btrfs": ("btrfs", "check", "--readonly")}


def verify(runner: Runner, region: Region, where: str) -> None:
    """Check the filesystem of a region; others than ext are left to root.

    Raises:
        DamagedImageError: it has errors, naming `where`.
    """
    if region.is_ext:
        filesystems.verify(runner, region.volume)
    if region.is_ext or os.geteuid() != 0:
        return
    with loop.attached(region.volume) as device:
        done = runner.run([*_CHECKS[region.kind], device], limits=TRANSFORM, accept=range(256))
    if done.status != 0:
        place = where if region.partition is None else f"{where}, partition {region.partition}"
        raise DamagedImageError(f"its {region.kind} filesystem has errors ({done.complaint})", where=place)


__all__ = ["verify"]
