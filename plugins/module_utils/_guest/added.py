# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Tells a guest of the partitions that its disk got: entries of fstab by UUID, and the mount points."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Place, Spread, fstab_entry
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem

SWAP = "none"  # what stands in fstab where a swap area has no mount point


def require_possible(found: Filesystem, where: str) -> None:
    """Refuse a root filesystem whose fstab cannot be written.

    Raises:
        InputError: only root can do that.
    """
    if not found.is_ext and os.geteuid() != 0:
        raise InputError(
            f"the fstab on {found.type} can only be written in a mount, which needs root",
            where=where,
            hint="run the builder as root, leave out the paths and swap, or give an image with an ext filesystem",
        )


def introduce(runner: Runner, image: str, root: int, added: Mapping[int, str]) -> None:
    """Write entries for partitions of a raw disk image to its guest's fstab, and make their mount points.

    Args:
        root: the number of the root's partition.
        added: the mount points by the partitions' numbers; `SWAP` for swap.

    Raises:
        GuestError: a partition holds nothing that fstab could name.
    """
    seen = contents.look(image)
    regions = {region.partition or 0: region for region in seen.regions}
    entries = [_entry(regions[number], path, image) for number, path in added.items()]
    mounts = sorted((path, number) for number, path in added.items() if path != SWAP)
    places = [Place("/", regions[root]), *(Place(path, regions[number]) for path, number in mounts)]
    _change(runner, Spread(image, seen, tuple(places[:1])), lambda plan: _write(plan, entries))
    for count, place in enumerate(places[1:], start=1):
        # A mount point may lie on a filesystem that was added, too.
        _change(runner, Spread(image, seen, tuple(places[:count])), _maker(place.path))


def _entry(region: Region, path: str, image: str) -> fstab.FstabEntry:
    if region.filesystem is None or region.filesystem.uuid is None:
        raise GuestError("it has no filesystem with a UUID", where=f"{image}, partition {region.partition}")
    return fstab_entry(region.filesystem.uuid, path, region.kind)


def _write(plan: Plan, entries: list[fstab.FstabEntry]) -> None:
    text = tree.read_text(plan, fstab.PATH) or ""
    for entry in entries:
        text = fstab.with_entry(text, entry)
    plan.write_text(fstab.PATH, text)


def _maker(path: str) -> Callable[[Plan], None]:
    return lambda plan: plan.make_directory(path)


def _change(runner: Runner, spread: Spread, fill: Callable[[Plan], None]) -> None:
    with open_guest(runner, spread) as files:
        plan = Plan(files)
        fill(plan)
        plan.apply()


__all__ = ["SWAP", "introduce", "require_possible"]
