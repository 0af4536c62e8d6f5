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
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region

_SUBVOLUME = 256  # the inode of every subvolume's root (Linux, BTRFS_FIRST_FREE_OBJECTID)
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
    here = [region for region in found if region.is_ext and _is_system_on(runner, region)]
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


def _is_system_on(runner: Runner, region: Region) -> bool:
    with ExtTree(runner, region.volume) as files:
        return is_system(files)


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


def require_top_level(folder: str, where: str) -> None:
    """Refuse a mounted btrfs in which the guest's root is a subvolume.

    The kernel mounts the default subvolume, which need not be the top level. Where it is, the root
    may still be a subvolume that fstab and the command line name, as Fedora and Ubuntu make it.

    Raises:
        InputError: with the subvolume's name.
    """
    files = MountedTree(folder)
    name = _mounted_part(folder)
    if name == "/" and not is_system(files):
        below = (f"/{name}" for name in sorted(files.listdir("/")))
        systems = (path for path in below if is_system(tree.Below(files, path)))
        name = next((path for path in systems if os.lstat(folder + path).st_ino == _SUBVOLUME), "/")
    if name != "/":
        raise InputError(
            f"the guest's root is the btrfs subvolume {name}, which is not supported",
            where=where,
            hint="copy its files to a filesystem of their own, and give that",
        )


def _mounted_part(folder: str) -> str:
    """Return which part of its filesystem is mounted at a folder (man 5 proc_pid_mountinfo)."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = [line.split(" ") for line in file]
    return [words[3] for words in mounts if words[4] == folder][-1]


__all__ = ["find", "is_system", "require_top_level"]
