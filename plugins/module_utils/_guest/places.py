# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Where the filesystems of an image belong in its guest's tree: what fstab says, for this image's partitions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._guest import composed, fstab
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region

# How Linux calls the partitions of disks: a disk, and the partition's number. And its first disks.
_DEVICE = re.compile(r"/dev/((?:[shv]|xv)d[a-z]{1,3}|(?:nvme[0-9]+n|mmcblk)[0-9]+p)([1-9][0-9]{0,2})")
_FIRST_DISKS = ("sda", "hda", "vda", "xvda", "nvme0n1p", "mmcblk0p")


@dataclass(frozen=True)
class Place:
    """A filesystem and its mount point, a real path of the guest."""

    path: str
    region: Region


@dataclass(frozen=True)
class Spread:
    """A raw image, and the filesystems over which its guest is spread.

    Attributes:
        places: the root is the first.
    """

    image: str
    seen: Contents
    places: tuple[Place, ...]

    @property
    def root(self) -> Region:
        """Where the root filesystem is."""
        return self.places[0].region

    def holding(self, path: str) -> Place:
        """Return the filesystem that holds a real path of the guest."""
        point = composed.holder(path, [place.path for place in self.places])
        return next(place for place in self.places if place.path == point)


def from_fstab(seen: Contents, root: Region, entries: Sequence[FstabEntry]) -> list[Place]:
    """Return where filesystems of the image are mounted, apart from the root and from what only holds a boot loader.

    Each is named at most once, and no path twice. A subvolume of btrfs is not a filesystem of its own.
    """
    names = contents.names(seen)
    devices = by_device(seen, root, entries)
    places: dict[str, Region] = {}
    for entry in entries:
        path = "/" + posixpath.normpath(entry.path).lstrip("/") if entry.path.startswith("/") else "/"
        source = fstab.normal_source(entry.source)
        region = names.get(source) or devices.get(source)
        if region is None or region in (root, *places.values()) or region.kind not in contents.ROOTS:
            continue
        whole = not any(option.startswith("subvol") for option in entry.options)
        if path not in ("/", *places) and whole:
            places[path] = region
    return [Place(path, region) for path, region in sorted(places.items(), key=lambda item: item[0].count("/"))]


def by_device(seen: Contents, root: Region, entries: Sequence[FstabEntry]) -> dict[str, Region]:
    """Return what is meant by names like /dev/vda2, which are of another machine, where that is beyond doubt.

    They must all be of one disk: that of the root's device name, which must have the number of the root, or
    the first one where the root has no such name. Each partition must hold what its entry says, and no other
    entry name it in a way that lasts. The root is only meant where its own entry alone has that name.
    """
    matches = [(entry, _DEVICE.fullmatch(entry.source)) for entry in entries]
    named = [(entry, match.group(1), int(match.group(2))) for entry, match in matches if match]
    if len({disk for _entry, disk, _number in named}) != 1:
        return {}
    roots = {number for entry, _disk, number in named if entry.path == "/"}
    if roots - {root.partition} or (not roots and named[0][1] not in _FIRST_DISKS):
        return {}
    known = contents.names(seen)
    lasting = [known.get(fstab.normal_source(entry.source)) for entry in entries]
    numbers = {region.partition: region for region in seen.regions if region not in lasting}
    found = [(entry, numbers[number]) for entry, _disk, number in named if number in numbers]
    others = {entry.source for entry in entries if entry.path != "/"}
    return {
        entry.source: region
        for entry, region in found
        if _fits(entry.type, region.kind) and (region is not root or entry.source not in others)
    }


def fstab_entry(uuid: str, path: str, kind: str, options: tuple[str, ...] = ("defaults",)) -> FstabEntry:
    """Return the entry of fstab for a filesystem of the image, or for a swap area, which has the path ``none``."""
    if kind == "swap":
        return FstabEntry(f"UUID={uuid}", "none", "swap", ("sw",))
    return FstabEntry(f"UUID={uuid}", path, kind, options, check=2 if kind in filesystems.EXT else 0)


def _fits(declared: str, found: str) -> bool:
    if declared == "auto" or {declared, found} <= set(filesystems.EXT):
        return bool(found)
    return declared == found


__all__ = ["Place", "Spread", "by_device", "from_fstab", "fstab_entry"]
