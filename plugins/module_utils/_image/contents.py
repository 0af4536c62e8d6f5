# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a raw image holds: one filesystem, or a partition table with filesystems."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems, partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import SECTOR, has_partition_table, probe

# What a root filesystem can be.
ROOTS = (*filesystems.EXT, "xfs", "btrfs")


@dataclass(frozen=True)
class Region:
    """A place in the image where a filesystem may be, and the one that is there."""

    volume: Volume
    filesystem: Filesystem | None
    partition: int | None = None

    @property
    def kind(self) -> str:
        """The type of what is there; empty when nothing is known."""
        return self.filesystem.type if self.filesystem else ""

    @property
    def free(self) -> int | None:
        """How much room there is, in bytes; None where that is not known."""
        return self.filesystem.free if self.filesystem else None

    @property
    def is_ext(self) -> bool:
        """Whether e2fsprogs can work on it."""
        return self.kind in filesystems.EXT


@dataclass(frozen=True)
class Contents:
    """A raw image, looked into.

    Attributes:
        size: of the image, in bytes.
        table: its partition table; None for a partition image.
        regions: the partitions, or the whole file where there is no table.
    """

    size: int
    table: partitions.Table | None
    regions: tuple[Region, ...]

    @property
    def layout(self) -> str:
        """``disk``, ``partition``, or ``unknown`` when there is nothing to recognise."""
        if self.table:
            return "disk"
        return "partition" if self.regions[0].filesystem else "unknown"


def look(path: str) -> Contents:
    """Look into a raw image without a mount."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        sector = file.read(SECTOR)
    if not has_partition_table(sector, size // SECTOR):
        volume = Volume(path, 0, size)
        return Contents(size, None, (Region(volume, filesystems.identify(volume)),))
    table = partitions.read(path, size)
    regions = []
    for part in table.partitions:
        volume = Volume(path, table.offset(part), table.length(part))
        regions.append(Region(volume, filesystems.identify(volume), part.number))
    return Contents(size, table, tuple(regions))


def names(seen: Contents) -> dict[str, Region]:
    """Return how an fstab can name what is in an image, wherever its disk is found, and which region that is.

    Names like /dev/sda2 are not among them: they are of another machine. Nor are those that two regions share.
    """
    found: dict[str, Region | None] = {}
    for region in seen.regions:
        for name in _names(seen, region):
            found[name] = None if name in found else region
    return {name: region for name, region in found.items() if region}


def _names(seen: Contents, region: Region) -> Iterator[str]:
    found = region.filesystem
    if found and found.uuid:
        yield f"UUID={found.uuid}"
    if found and found.label:
        yield f"LABEL={found.label}"
    if seen.table and seen.table.label == "dos" and re.fullmatch("0x[0-9a-fA-F]{1,8}", seen.table.id or ""):
        # The kernel makes one of the disk's identifier and the number (block/partitions/msdos.c).
        yield f"PARTUUID={int(seen.table.id or '', 16):08x}-{region.partition or 0:02x}"
    for part in seen.table.partitions if seen.table else ():
        if part.number == region.partition and part.uuid:
            yield f"PARTUUID={part.uuid.lower()}"
        if part.number == region.partition and part.name:
            yield f"PARTLABEL={part.name}"


def sources(seen: Contents) -> frozenset[str]:
    """Return all names of what is in an image, see `names`, also those that two regions share."""
    return frozenset(name for region in seen.regions for name in _names(seen, region))


def require_raw(path: str) -> None:
    """Refuse a working image that is not raw.

    Raises:
        InputError: its bytes are those of another format, or of a compressed file.
    """
    seen = probe(path)
    if seen.name == "luks":
        filesystems.refuse_container(Filesystem("crypto_LUKS"), path)
    if seen.name != "raw":
        raise InputError(f"it is a {seen.name} file", where=path, hint="convert it to raw with image_convert first")


def candidates(seen: Contents, path: str) -> list[Region]:
    """Return the regions whose filesystem could be the root, by its type.

    Raises:
        InputError: a partition holds what is not supported, and the root may be in there.
    """
    for region in seen.regions:
        filesystems.refuse_container(region.filesystem, path, region.partition)
    return [region for region in seen.regions if region.kind in ROOTS]


def root_region(seen: Contents, path: str, number: int | None = None) -> Region:
    """Return where the root filesystem is, where types alone tell it.

    Args:
        number: the partition that somebody says it is on; None to find it.

    Raises:
        InputError: its filesystem, or what a partition holds, is not supported.
        GuestError: none, or more than one, could be the root.
    """
    if seen.table is None:
        if number is not None:
            raise InputError("it has no partition table", where=path, hint="leave out the partition of the root")
        filesystems.require(seen.regions[0].volume, ROOTS)
        return seen.regions[0]
    roots = candidates(seen, path)
    if number is not None:
        region = region_of(seen, path, number)
        filesystems.require(region.volume, ROOTS, where=f"{path}, partition {number}")
        return region
    if len(roots) == 1:
        return roots[0]
    raise no_root(seen, path)


def no_root(seen: Contents, path: str) -> GuestError:
    """Return the error about an image whose root filesystem cannot be told."""
    known = [region.filesystem.type for region in seen.regions if region.filesystem]
    return GuestError(
        f"its root filesystem cannot be told (filesystems found: {', '.join(known) or 'none'})",
        where=path,
        hint="give an image with an ext, xfs or btrfs root filesystem, or say its partition with the option root",
    )


def region_of(seen: Contents, path: str, number: int) -> Region:
    """Return the partition of a number.

    Raises:
        InputError: there is none.
    """
    parts = seen.table.partitions if seen.table else ()
    there = {part.number for part in parts if not part.is_container}
    for region in seen.regions:
        if region.partition == number and number in there:
            return region
    listed = ", ".join(map(str, sorted(there))) or "none"
    raise InputError(f"it has no partition {number} (there are: {listed})", where=path, hint="give one of these")


def length(seen: Contents, region: Region, path: str) -> int:
    """Return how many bytes of a region matter: its filesystem's size where that is known, else all.

    Raises:
        DamagedImageError: the filesystem is larger than its region.
    """
    size = (region.filesystem.size if region.filesystem else None) or region.volume.size
    if size > region.volume.size:
        place = "its partition" if seen.table else "the file"
        raise DamagedImageError(
            f"the filesystem has {size} bytes but {place} only {region.volume.size}",
            where=path,
            hint="fetch the image again",
        )
    return size


__all__ = [
    "ROOTS",
    "Contents",
    "Region",
    "candidates",
    "length",
    "look",
    "names",
    "no_root",
    "region_of",
    "require_raw",
    "root_region",
    "sources",
]
