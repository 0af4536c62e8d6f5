# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What debugfs prints of directories and inodes, parsed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import MOUNT_INSTEAD
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry

# ls -p prints /inode/mode/uid/gid/name/size/, and no size for directories.
_LISTED = re.compile(rb"/(\d+)/(\d+)/(-?\d+)/(-?\d+)/([^/]*)/(\d*)/\n")

# What it prints of an inode.
_LINKS = re.compile(rb"^Links: (\d+)", re.MULTILINE)
_FLAGS = re.compile(rb"Flags: 0x([0-9a-f]+)$", re.MULTILINE)
_ATTRIBUTE_BLOCK = re.compile(rb"^File ACL: (\d+)", re.MULTILINE)
_ATTRIBUTES = re.compile(rb"^Extended attributes:\n((?:  .*\n)*)", re.MULTILINE)
_ATTRIBUTE = re.compile(rb"  (.+?) \(\d+\)(?: = .*)?")
_INLINE = "system.data"  # where the content of small files and directories lies (ext4, inline_data)


@dataclass(frozen=True)
class Inode:
    """What a directory does not tell of a file.

    Attributes:
        flags: as chattr sets them (linux/fs.h).
        attributes: the names of its extended attributes.
        attribute_block: whether they need a block outside the inode, which other inodes may share.
    """

    links: int
    flags: int = 0
    attributes: tuple[str, ...] = ()
    attribute_block: bool = False


def parse_listing(output: bytes) -> dict[str, tuple[int, Entry]]:
    """Read what ``ls -p`` printed: name -> (inode, entry). No name has a slash, but some have a newline.

    Raises:
        DamagedImageError: it is not what debugfs prints.
    """
    names: dict[str, tuple[int, Entry]] = {}
    end = 0
    for match in _LISTED.finditer(output):
        if match.start() != end:
            break
        end = match.end()
        inode, mode, uid, gid, name, size = match.groups()
        # debugfs prints owners as signed numbers.
        owner, group = int(uid) & 0xFFFFFFFF, int(gid) & 0xFFFFFFFF
        if inode == b"0":  # a block of a large directory's index
            continue
        names[os.fsdecode(name)] = (int(inode), Entry.from_mode(int(mode, 8), owner, group, int(size or 0)))
    if output[end:].strip():
        raise DamagedImageError("a directory in the guest cannot be read", hint="check the filesystem with e2fsck")
    return names


def parse_stat(number: int, shown: bytes) -> Inode:
    """Read what ``stat`` printed of an inode.

    Raises:
        DamagedImageError: it is not what debugfs prints.
    """
    links, flags, block = (pattern.search(shown) for pattern in (_LINKS, _FLAGS, _ATTRIBUTE_BLOCK))
    if links is None or flags is None or block is None:
        raise DamagedImageError(f"the inode {number} cannot be read", hint="check the filesystem with e2fsck")
    names = _attribute_names(number, shown)
    return Inode(int(links.group(1)), int(flags.group(1), 16), names, int(block.group(1)) != 0)


def _attribute_names(number: int, shown: bytes) -> tuple[str, ...]:
    section = _ATTRIBUTES.search(shown)
    matches = [_ATTRIBUTE.fullmatch(line) for line in section.group(1).split(b"\n")[:-1]] if section else []
    names = [os.fsdecode(match.group(1)) for match in matches if match]
    if len(names) != len(matches):  # it would be lost when the file is replaced
        raise GuestError(
            f"debugfs cannot express the name of an extended attribute of inode {number}", hint=MOUNT_INSTEAD
        )
    return tuple(name for name in names if name != _INLINE)


__all__ = ["Inode", "parse_listing", "parse_stat"]
