# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""References to filesystems and partitions in a guest's files, which follow when these get new identifiers or places.

A UUID of 36 characters is one wherever it stands. Shorter identifiers, a FAT's serial number and the
PARTUUID of a DOS table's partition, are only taken for one where a name says so.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree

# Relative to the root, and to where a boot loader looks: /boot, or a partition that is mounted there.
_SYSTEM_FILES = (
    *("etc/fstab", "etc/crypttab", "etc/kernel/cmdline", "etc/cmdline.d/*.conf", "etc/dracut.conf.d/*.conf"),
    *("etc/default/grub", "etc/default/grub.d/*.cfg", "etc/grub.d/*", "etc/default/extlinux"),
    "etc/initramfs-tools/conf.d/*",
)
BOOT_FILES = (
    *(f"{folder}/{name}" for folder in ("grub", "grub2", "EFI/*") for name in ("grub.cfg", "custom.cfg", "grubenv")),
    *("grub/menu.lst", "grub/grub.conf", "loader/entries/*.conf"),
    *("extlinux.conf", "extlinux/extlinux.conf", "syslinux.cfg", "syslinux/syslinux.cfg"),
)
_BOOT_FOLDERS = ("boot/", "boot/efi/", "efi/", "")

# Where a btrfs has the root when it is a subvolume: by the installers of Ubuntu, Debian and Fedora.
_SUBVOLUMES = ("", "@/", "@rootfs/", "root/")

_ENVIRONMENT = "grubenv"  # a block of fixed size, filled up with number signs (GRUB manual, "Environment block")
_FILLING = "#"

DEVICE = "DEVNAME"
_UUID_LENGTH = 36
_BEFORE = {
    "UUID": r"(?<![A-Za-z])UUID=[\"']?|/by-uuid/|fs[-_]uuid[^\n]*[\s\"']",
    "PARTUUID": r"(?<![A-Za-z])PARTUUID=[\"']?|/by-partuuid/",
}


@dataclass(frozen=True)
class Renaming:
    """An identifier that something got in place of another.

    Attributes:
        kind: as blkid calls it: ``UUID`` of a filesystem, ``PARTUUID``, or ``PTUUID`` of the disk. `DEVICE` for a
            name like /dev/sda5, in whose place the UUID comes that the filesystem has in the source, see `follow`.
        role: what the partition is for, or ``disk``.
        number: of the partition; None for the disk.
    """

    kind: str
    role: str
    number: int | None
    old: str
    new: str


def follow(text: str, renamings: Sequence[Renaming]) -> str:
    """Return a text with new identifiers in the place of old ones; where two had the same, the last one counts.

    Device names come first, so that their UUIDs follow, too.
    """
    for item in renamings:
        if item.kind == DEVICE:
            text = re.sub(rf"(?<![\w/.-]){re.escape(item.old)}(?![\w/.-])", item.new, text)
    everywhere = {
        item.old.lower(): item.new for item in renamings if item.kind in _BEFORE and len(item.old) == _UUID_LENGTH
    }
    text = _replace(text, "", everywhere)
    for kind, before in _BEFORE.items():
        named = {item.old.lower(): item.new for item in renamings if item.kind == kind and len(item.old) < _UUID_LENGTH}
        text = _replace(text, before, named)
    return text


def _replace(text: str, before: str, new: Mapping[str, str]) -> str:
    if not new:
        return text
    any_old = "|".join(map(re.escape, new))
    return re.sub(
        rf"({before})(?<![0-9A-Fa-f])({any_old})(?![0-9A-Fa-f])",
        lambda match: match.group(1) + _in_case_of(match.group(2), new[match.group(2).lower()]),
        text,
        flags=re.IGNORECASE,
    )


def _in_case_of(old: str, new: str) -> str:
    return new.upper() if old.isupper() else new.lower() if old.islower() else new


def follow_file(path: str, content: bytes, renamings: Sequence[Renaming]) -> bytes:
    """Return the content of a file as `follow` makes it; GRUB's environment keeps its size."""
    text = content.decode("utf-8", "surrogateescape")
    followed = follow(text, renamings)
    if posixpath.basename(path) == _ENVIRONMENT and followed != text:
        followed = followed.rstrip(_FILLING).ljust(len(text), _FILLING)
    return followed.encode("utf-8", "surrogateescape")


def follow_tree(files: GuestTree, renamings: Sequence[Renaming], *, subvolumes: bool = False) -> None:
    """Let the files of a guest that say what is mounted and started follow.

    Args:
        subvolumes: whether the root may be in one of those that installers make.
    """
    patterns = [
        f"/{above}{pattern}"
        for above in (_SUBVOLUMES if subvolumes else ("",))
        for pattern in (*_SYSTEM_FILES, *(f"{folder}{name}" for folder in _BOOT_FOLDERS for name in BOOT_FILES))
    ]
    files.expect({posixpath.dirname(pattern) for pattern in patterns if "*" not in posixpath.dirname(pattern)})
    plan = Plan(files)
    for path in matching(patterns, lambda folder: _names(plan, folder)):
        content = _content(plan, path)
        followed = None if content is None else follow_file(path, content, renamings)
        if followed is not None and followed != content:
            plan.write(path, followed)
    plan.apply()


def matching(patterns: Sequence[str], names: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """Yield the paths that may be meant by patterns whose components can be wildcards.

    Args:
        names: what is in a folder; nothing where it is none.
    """
    for pattern in patterns:
        head, star, rest = pattern.partition("*")
        if not star:
            yield pattern
            continue
        folder, beginning = posixpath.split(head)
        ending, slash, below = rest.partition("/")
        found = fnmatch.filter(names(folder), f"{beginning}*{ending}")
        yield from matching([f"{folder.rstrip('/')}/{name}{slash}{below}" for name in found if "*" not in name], names)


def _names(plan: Plan, folder: str) -> list[str]:
    try:
        return tree.names_in(plan, folder)
    except GuestError:  # no way leads there
        return []


def _content(plan: Plan, path: str) -> bytes | None:
    try:
        real, entry = tree.lookup(plan, path)
    except GuestError:  # no way leads there
        return None
    return plan.read(real) if entry and entry.kind == "file" else None


__all__ = ["BOOT_FILES", "DEVICE", "Renaming", "follow", "follow_file", "follow_tree", "matching"]
