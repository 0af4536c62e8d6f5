# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which driver opens an image's files."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan, result
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import root_volume
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume

ACCESS = ("auto", "ext", "mounted")


@contextmanager
def open_tree(
    runner: Runner, volume: Volume, found: Filesystem, access: str = "auto", *, repair: bool = False
) -> Iterator[GuestTree]:
    """Give the files of a filesystem.

    Args:
        access: ``ext``, ``mounted``, or ``auto`` for the first of them that can do it.
        repair: first make whole what a killed run left; for whoever is going to change a working image.

    Raises:
        InputError: neither can; the hint says which of the two would help.
        DamagedImageError: it cannot be repaired safely.
    """
    if repair:
        batch.repair(runner, volume)
    if access == "ext" and not found.is_ext:
        raise InputError(f"access: ext cannot read {found.type}", where=volume.path, hint="use access: mounted as root")
    if access == "ext" or (access == "auto" and found.is_ext):
        yield ExtTree(runner, volume)
    elif os.geteuid() == 0:
        with mounted(runner, volume, found.type) as root:
            yield MountedTree(root)
    else:
        raise InputError(
            f"{found.type} can only be reached by a mount, which needs root",
            where=volume.path,
            hint="run the builder as root, or give an image with an ext filesystem",
        )


def change_guest(
    runner: Runner, image: str, access: str, fill: Callable[[Plan], None], *, apply: bool
) -> dict[str, t.Any]:
    """Plan changes to the root filesystem of a working image, and do them.

    Args:
        fill: lays the changes over the plan it is given.
        apply: whether they are done; otherwise they are only told.

    Returns:
        The common part of a module's result.
    """
    volume, found = root_volume(runner, image)
    with locked(image), open_tree(runner, volume, found, access, repair=apply) as files:
        plan = Plan(files)
        fill(plan)
        outcome = result(plan)
        if apply:
            plan.apply()
    return outcome


__all__ = ["ACCESS", "change_guest", "open_tree"]
