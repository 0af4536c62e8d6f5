# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Access control lists as extended attributes hold them, and what Linux makes of them when files are made.

Sources: Linux, include/uapi/linux/posix_acl_xattr.h and fs/posix_acl.c; man 5 acl.
"""

from __future__ import annotations

import struct

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"

_OWNER, _GROUP, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20
_NAMED = (0x02, 0x08)  # a user, a group
_NOBODY = 0xFFFFFFFF

_HEAD = 4  # bytes, the version
_ENTRY = struct.Struct("<HHI")  # tag, permissions, user or group


def as_kernel_shows(acl: bytes) -> bytes:
    """Return a list as Linux gives it: entries that name nobody have -1 there, where debugfs has 0."""
    return _packed(acl, [(tag, bits, who if tag in _NAMED else _NOBODY) for tag, bits, who in _entries(acl)])


def fit(acl: bytes, mode: int) -> bytes:
    """Return a list with a mode's permissions, as chmod would make it.

    Without that, whom the list names would keep an access that the mode denies.
    """
    entries = _entries(acl)
    has_mask = any(tag == _MASK for tag, _bits, _who in entries)
    shifts = {_OWNER: 6, _MASK if has_mask else _GROUP: 3, _OTHER: 0}
    return _packed(acl, [(tag, mode >> shifts[tag] & 7 if tag in shifts else bits, who) for tag, bits, who in entries])


def inherited(default: bytes, mode: int) -> bytes | None:
    """Return the list that a new file with permission bits `mode` gets from its directory's default, if any.

    A default that says no more than a mode makes none.
    """
    plain = all(tag in (_OWNER, _GROUP, _OTHER) for tag, _bits, _who in _entries(default))
    return None if plain else fit(default, mode)


def _entries(acl: bytes) -> list[tuple[int, int, int]]:
    if len(acl) % _ENTRY.size != _HEAD:
        raise GuestError("an access control list in the guest is damaged", hint="check the filesystem with e2fsck")
    return list(_ENTRY.iter_unpack(acl[_HEAD:]))


def _packed(acl: bytes, entries: list[tuple[int, int, int]]) -> bytes:
    return acl[:_HEAD] + b"".join(_ENTRY.pack(*entry) for entry in entries)


__all__ = ["ACCESS", "DEFAULT", "as_kernel_shows", "fit", "inherited"]
