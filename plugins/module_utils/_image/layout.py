# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""From a partition image to a disk image: blocks are copied, files never looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks, contents, filesystems, partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume


@dataclass(frozen=True)
class Plan:
    """A disk to be made; sizes in bytes."""

    source: str
    content: int
    disk_size: int
    table: partitions.Table
    filesystem: Filesystem


def plan(runner: Runner, source: str, wanted: int | None) -> Plan:
    """Work out the disk for a raw partition image.

    Args:
        wanted: size of the disk in bytes; None for the smallest that holds it.

    Raises:
        InputError: the source is not a raw partition image with an ext filesystem.
        DamagedImageError: the file is shorter than its filesystem.
        SpaceError: the disk is too small for the partition.
    """
    contents.require_raw(source)
    seen = contents.look(runner, source)
    if seen.layout == "disk":
        raise InputError(
            "it is already a disk image",
            where=source,
            hint="give the image of the root partition alone",
        )
    found = filesystems.require_ext(seen.regions[0].volume)
    size = found.size or 0
    if size > seen.size:
        raise DamagedImageError(
            f"the filesystem has {size} bytes but the file only {seen.size}",
            where=source,
            hint="fetch the image again",
        )
    try:
        disk_size = partitions.disk_size_for(size, wanted)
    except ImageError as error:
        error.where = source
        raise
    return Plan(source, size, disk_size, partitions.plan_single(disk_size), found)


def build(runner: Runner, planned: Plan, target: str) -> Volume:
    """Write the disk image `target` and return where its filesystem lies.

    The filesystem is checked before it grows and after; `target` appears when
    everything is done and on disk, or not at all.

    The filesystem begins at 0 until it has grown: resize2fs cuts a regular
    file to the size of the filesystem whatever its offset in the file, and so
    would cut off the end of a filesystem that lies further back (e2fsprogs 1.47).

    Raises:
        DamagedImageError: the filesystem cannot be repaired safely.
        SpaceError: there is no room for the copy.
    """
    part = planned.table.partitions[0]
    offset, length = planned.table.offset(part), planned.table.length(part)
    blocks.require_other_file(planned.source, target)
    os.makedirs(os.path.dirname(os.path.abspath(target)), mode=0o700, exist_ok=True)
    blocks.require_space(os.path.dirname(os.path.abspath(target)), os.stat(planned.source).st_blocks * 512)
    with blocks.new_file(target) as partial:
        os.truncate(partial, length)
        _copy(planned.source, partial, planned.content)
        volume = Volume(partial, 0, length)
        filesystems.check(runner, volume, where=planned.source)
        filesystems.grow(runner, volume)
        if planned.filesystem.uuid is None:
            filesystems.set_uuid(runner, volume)
        filesystems.check(runner, volume, where=planned.source)
        blocks.insert_hole(runner, partial, offset)
        os.truncate(partial, planned.disk_size)
        partitions.write(runner, partial, planned.table)
        blocks.sync_file(partial)
    return Volume(target, offset, length)


def _copy(source: str, target: str, length: int) -> None:
    with open(source, "rb") as reader, open(target, "r+b") as writer:
        blocks.copy_range(reader.fileno(), writer.fileno(), source_offset=0, target_offset=0, length=length)


__all__ = ["Plan", "build", "plan"]
