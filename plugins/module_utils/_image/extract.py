# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""From a disk image to a partition image: one partition's blocks, files never looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.root import find as find_root
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks, contents, resize
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume


@dataclass(frozen=True)
class Plan:
    """A partition image to be made; size in bytes.

    Attributes:
        identity: of the source when it was looked at.
    """

    source: str
    region: Region
    size: int
    identity: blocks.Identity


def plan(runner: Runner, source: str, number: int | None) -> Plan:
    """Work out the partition image.

    Args:
        number: of the partition; None for that of the root filesystem.

    Raises:
        InputError: the source is not a raw disk image, or has no such partition.
        GuestError: none, or more than one, could be the root filesystem.
        DamagedImageError: the partition is shorter than its filesystem.
    """
    identity = blocks.identity(source)
    contents.require_raw(source)
    seen = contents.look(source)
    if seen.table is None:
        raise InputError("it has no partition table", where=source, hint="give a disk image")
    region = _root(runner, seen, source) if number is None else contents.region_of(seen, source, number)
    return Plan(source, region, contents.length(seen, region, source), identity)


def _root(runner: Runner, seen: Contents, source: str) -> Region:
    try:
        return find_root(runner, seen, source)
    except GuestError as error:
        error.hint = "say which partition is wanted"  # others call that option root
        raise


def build(runner: Runner, planned: Plan, target: str) -> None:
    """Write the partition image `target`: it appears when it is whole, checked and on disk, or not at all.

    Raises:
        DamagedImageError: its filesystem cannot be repaired safely.
        SpaceError: there is no room for the copy.
        UnsafeImageError: the source is not what it was when this was planned.
    """
    blocks.require_other_file(planned.source, target)
    folder = os.path.dirname(os.path.abspath(target))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    blocks.require_space(folder, min(os.stat(planned.source).st_blocks * 512, planned.size), runner.reserve)
    with blocks.new_file(target) as partial:
        os.truncate(partial, planned.size)
        with open(planned.source, "rb") as reader, open(partial, "r+b") as writer:
            blocks.copy_range(
                reader.fileno(),
                writer.fileno(),
                source_offset=planned.region.volume.offset,
                target_offset=0,
                length=planned.size,
                progress=runner.progress,
            )
        blocks.require_unchanged(planned.source, planned.identity)
        found = planned.region.filesystem
        if found and found.type in contents.ROOTS:
            resize.check(runner, Volume(partial, 0, planned.size), found, planned.source)
        blocks.sync_file(partial)


__all__ = ["Plan", "build", "plan"]
