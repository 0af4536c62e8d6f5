# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which filesystem of an image is the guest's root: told by types where that is enough, else by its files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume

_PROGRAMS = ("/bin", "/usr")
_SIGNS = ("/etc/os-release", "/usr/lib/os-release", "/etc/fstab", "/etc/hosts")


def is_system(view: View) -> bool:
    """Say whether a tree is the root of a Linux system.

    It has /etc, a place for programs, and a file that tells of a system: what libguestfs
    (daemon/inspect_fs.ml, "Linux root?") and systemd (path_is_os_tree) look for. A /boot
    has none of them, and a /usr has its os-release elsewhere.
    """
    etc = view.lstat("/etc")
    if etc is None or etc.kind != "directory" or not any(map(view.lstat, _PROGRAMS)):
        return False
    return any(_stands(view, path) for path in _SIGNS)


def _stands(view: View, path: str) -> bool:
    """Say whether a file or a link stands there; a link may lead to a filesystem that is not looked at here."""
    try:
        return view.lstat(tree.resolve(view, path, follow=False)) is not None
    except GuestError:
        return False


def find(runner: Runner, seen: Contents, path: str, number: int | None = None) -> Region:
    """Return where the root filesystem is.

    Files are looked at only where types leave a choice: those of ext without a mount, those
    of others by root in a private mount that writes nothing, and only if ext leaves a choice.

    Args:
        number: the partition that somebody says it is on; None to find it.

    Raises:
        InputError: its filesystem, or what a partition holds, is not supported; or only a mount could tell.
        GuestError: none, or more than one, could be the root.
    """
    if number is not None or seen.table is None:
        return contents.root_region(seen, path, number)
    found = contents.candidates(seen, path)
    if len(found) < 2:
        return contents.root_region(seen, path)
    here = [region for region in found if region.is_ext and is_system(ExtTree(runner, region.volume))]
    others = [region for region in found if not region.is_ext]
    if not here:
        here = others if len(others) == 1 else _systems_by_mount(runner, others, path)
    if len(here) == 1:
        return here[0]
    if not here:
        raise contents.no_root(seen, path)
    raise GuestError(
        f"there is a root filesystem on partition {_listed(here)}",
        where=path,
        hint=f"say which is meant, for example with root: {here[0].partition}",
    )


def _systems_by_mount(runner: Runner, regions: Sequence[Region], path: str) -> list[Region]:
    if regions and os.geteuid() != 0:
        raise InputError(
            f"only a mount, which needs root, can tell which of the partitions {_listed(regions)} is the root",
            where=path,
            hint=f"say it, for example with root: {regions[0].partition}",
        )
    systems = []
    for region in regions:
        with mounted(runner, region.volume, region.kind, writable=False) as folder:
            if is_system(MountedTree(folder)):
                systems.append(region)
    return systems


def _listed(regions: Sequence[Region]) -> str:
    return " and ".join(str(region.partition) for region in regions)


def root_volume(runner: Runner, path: str, number: int | None = None) -> tuple[Volume, Filesystem]:
    """Return where the root filesystem of a raw image is; see `find`.

    Raises:
        InputError: also if the image is not raw.
    """
    contents.require_raw(path)
    volume = find(runner, contents.look(runner, path), path, number).volume
    return volume, filesystems.require_ext(volume)


__all__ = ["find", "is_system", "root_volume"]
