# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Makes a root filesystem as large as its region: ext in the file, xfs and btrfs in a private mount."""

from __future__ import annotations

import os

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    InputError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MOUNT_POINT, mounted, private_mounts
from ansible_collections.voc.cluster.plugins.module_utils._guest.verify import verify_beginning
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import MEBIBYTE

# They grow nothing that is not mounted.
_GROWS = {"xfs": ("xfs_growfs",), "btrfs": ("btrfs", "filesystem", "resize", "max")}


def require_possible(found: Filesystem, region: int, where: str) -> None:
    """Refuse what cannot be done to a filesystem whose region has `region` bytes.

    Raises:
        InputError: only root can let it grow.
    """
    if _grows(found, region) and not found.is_ext and os.geteuid() != 0:
        raise InputError(
            f"{found.type} can only grow in a mount, which needs root",
            where=where,
            hint="run the builder as root, leave out the size, or give an image with an ext filesystem",
        )


def can_lie_at(offset: int, found: Filesystem, region: int) -> bool:
    """Whether `fill` can work on a filesystem that begins `offset` bytes into its file; all in bytes.

    It always can where the filesystem begins the file. The tools of xfs and btrfs can only
    read that, and see `filesystems.resize`.
    """
    block = found.block_size or 1
    return found.is_ext and offset + (found.size or 0) <= region // block * block


def fill(runner: Runner, volume: Volume, found: Filesystem, where: str) -> None:
    """Check a filesystem, make it as large as its region, and check it again.

    Only ext becomes smaller that way, where it begins its file. Of an ext that has grown, its description
    alone is checked again: see `filesystems.check_grown`.

    Args:
        found: what it was found to be.
        where: what messages name.

    Raises:
        DamagedImageError: it has errors that cannot be repaired safely.
        SpaceError: it cannot become so small.
    """
    check(runner, volume, found, where)
    if found.is_ext:
        _resize_ext(runner, volume, found, where)
    elif _grows(found, volume.size):
        _grow_mounted(runner, volume, found)
        check(runner, volume, found, where)


def _resize_ext(runner: Runner, volume: Volume, found: Filesystem, where: str) -> None:
    shrinks = (found.size or 0) > volume.size
    try:
        filesystems.resize(runner, volume)
    except ToolError as error:
        if not shrinks:
            raise
        raise SpaceError(
            f"its filesystem cannot become as small as {volume.size} bytes ({error.found})",
            where=where,
            hint="give the disk more room",
        ) from error
    if found.uuid is None:
        filesystems.set_uuid(runner, volume)
    (filesystems.check if shrinks else filesystems.check_grown)(runner, volume, where=where)


def _grow_mounted(runner: Runner, volume: Volume, found: Filesystem) -> None:
    with private_mounts():
        runner.run(["mount", "--make-rprivate", "/"])
        # xfs_growfs looks for a mount by its place and takes the first one there, also one that is covered.
        runner.run(["umount", "--lazy", "--quiet", "--", MOUNT_POINT], accept=range(256))
        with mounted(runner, volume, found.type) as folder:
            runner.run([*_GROWS[found.type], folder], limits=TRANSFORM)
    now = filesystems.identify(volume)
    if now is None or _grows(now, volume.size):
        raise ToolError(f"{_GROWS[found.type][0]} did not let the filesystem grow", hint="see that nothing is on /mnt")


def _grows(found: Filesystem, region: int) -> bool:
    return region - (found.size or region) >= MEBIBYTE  # less is what partitions are rounded by


def check(runner: Runner, volume: Volume, found: Filesystem, where: str) -> None:
    """Check a filesystem, other than ext at the beginning of its file; ext is repaired where that loses nothing.

    Raises:
        DamagedImageError: it has errors, naming `where`.
    """
    if found.is_ext:
        filesystems.check(runner, volume, where=where)
        return
    verify_beginning(runner, os.path.abspath(volume.path), found.type, where)


__all__ = ["can_lie_at", "check", "fill", "require_possible"]
