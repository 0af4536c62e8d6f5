# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""How an image's files are reached: which filesystems make up its guest, and which driver opens them."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch, fstab, root, selinux, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.composed import ComposedTree, UnreachableTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.kernels import PREFIXES
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Place, Spread, from_fstab
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan, result
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Region

ACCESS = ("auto", "ext", "mounted")
ARGUMENT_SPEC: dict[str, t.Any] = {
    "access": {"type": "str", "choices": list(ACCESS), "default": "auto"},
    "root": {"type": "int"},
}


def locate(runner: Runner, image: str, access: str = "auto", number: int | None = None) -> Spread:
    """Find the filesystems over which the guest of a raw image is spread.

    Args:
        access: how its files are reached, where they are needed for that; see `open_guest`.
        number: the partition of the root, from somebody who knows it.

    Raises:
        InputError: the image is not raw, or what it holds is not supported.
        GuestError: none, or more than one filesystem, could be the root.
    """
    contents.require_raw(image)
    seen = contents.look(image)
    alone = Spread(image, seen, (Place("/", root.find(runner, seen, image, number)),))
    rest = [region for region in seen.regions if region is not alone.root and region.kind in contents.ROOTS]
    if not rest:
        return alone
    with open_guest(runner, alone, access, writable=False) as files:
        entries = fstab.parse(tree.read_text(files, fstab.PATH) or "")
        places = _resolved(files, from_fstab(seen, alone.root, entries))
        if not any(place.path == "/boot" for place in places) and not _has_kernel(files, "/boot"):
            placed = [place.region for place in places]
            places += _boot_by_kernel(runner, [region for region in rest if region not in placed])
    return replace(alone, places=(*alone.places, *sorted(places, key=lambda place: place.path.count("/"))))


def _resolved(files: GuestTree, places: Sequence[Place]) -> list[Place]:
    found = {tree.resolve(files, place.path): place.region for place in places}
    return [Place(path, region) for path, region in found.items() if path != "/"]


def _boot_by_kernel(runner: Runner, regions: Sequence[Region]) -> list[Place]:
    """Return the place of the one filesystem that holds kernels and no system, if there is just one."""
    found = []
    for region in regions:
        if region.is_ext:
            with ExtTree(runner, region.volume) as files:
                if _has_kernel(files, "/") and not root.is_system(files):
                    found.append(Place("/boot", region))
    return found if len(found) == 1 else []


def _has_kernel(view: tree.View, folder: str) -> bool:
    return any(name.startswith(PREFIXES) for name in tree.names_in(view, folder))


@contextmanager
def open_guest(runner: Runner, spread: Spread, access: str = "auto", *, writable: bool = True) -> Iterator[GuestTree]:
    """Give a guest's files, one tree whatever filesystems it is spread over.

    Args:
        access: ``ext``, ``mounted``, or ``auto`` for the first of them that can do it.
        writable: whether a mount may write. What a killed run left is made whole first.

    Raises:
        InputError: neither can; the hint says which of the two would help.
        DamagedImageError: it cannot be repaired safely.
    """
    if writable:
        for place in spread.places:
            batch.repair(runner, place.region.volume)
    found = spread.root
    if access == "ext" and not found.is_ext:
        raise InputError(
            f"access: ext cannot read {found.kind}", where=spread.image, hint="use access: mounted as root"
        )
    everything = all(place.region.is_ext for place in spread.places)
    if access == "ext" or (access == "auto" and found.is_ext and (everything or os.geteuid() != 0)):
        with ExitStack() as stack:
            yield _without_mount(runner, spread, stack)
    elif os.geteuid() == 0:
        with mounted_guest(runner, spread, writable=writable) as folder:
            yield MountedTree(folder)
    else:
        raise _needs_root(found, spread.image)


@contextmanager
def mounted_guest(runner: Runner, spread: Spread, *, writable: bool = True) -> Iterator[str]:
    """Mount a guest's filesystems privately, as it would itself, and give the folder.

    Raises:
        InputError: its root is a subvolume of btrfs.
    """
    below = [(place.path, place.region.volume, place.region.kind) for place in spread.places[1:]]
    with mounted(runner, spread.root.volume, spread.root.kind, writable=writable, below=below) as folder:
        if spread.root.kind == "btrfs":
            root.require_top_level(folder, spread.image)
        yield folder


def _without_mount(runner: Runner, spread: Spread, stack: ExitStack) -> GuestTree:
    trees: dict[str, GuestTree] = {
        place.path: stack.enter_context(ExtTree(runner, place.region.volume))
        if place.region.is_ext
        else UnreachableTree(_needs_root(place.region, spread.image))
        for place in spread.places
    }
    return ComposedTree(trees) if len(trees) > 1 else trees["/"]


def _needs_root(region: Region, image: str) -> InputError:
    return InputError(
        f"{region.kind} can only be reached by a mount, which needs root",
        where=image if region.partition is None else f"{image}, partition {region.partition}",
        hint="run the builder as root, or give an image with an ext filesystem",
    )


def change_guest(
    runner: Runner, options: Mapping[str, t.Any], fill: Callable[[Plan], None], *, apply: bool
) -> dict[str, t.Any]:
    """Plan changes to the guest of a working image, and do them.

    Args:
        options: of a module: the `image`, and those of `ARGUMENT_SPEC`.
        fill: lays the changes over the plan it is given.
        apply: whether they are done; otherwise they are only told.

    Returns:
        The common part of a module's result.
    """
    spread = locate(runner, options["image"], options["access"], options["root"])
    with locked(spread.image), open_guest(runner, spread, options["access"], writable=apply) as files:
        plan = Plan(files)
        fill(plan)
        selinux.label_new(plan)
        outcome = result(plan)
        if apply:
            plan.apply()
    return outcome


__all__ = ["ACCESS", "ARGUMENT_SPEC", "change_guest", "locate", "mounted_guest", "open_guest"]
