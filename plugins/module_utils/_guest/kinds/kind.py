# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What all kinds of edit share: their shape, and the options that several of them have."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import accounts, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

Options = dict[str, t.Any]

# Not type "path": that would expand a tilde or a variable of the builder.
PATH: Options = {"type": "str", "required": True}
PERMISSIONS: Options = {
    "mode": {"type": "raw"},  # YAML makes a number of 0644 without quotes; as a text that would be read as octal again
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


@dataclass(frozen=True)
class Kind:
    """A kind of edit.

    Attributes:
        name: the key by which users choose it.
        spec: its options, as an argument spec has them.
        plan: lays one edit, with its options, over a plan.
        folders: guest directories that it will look at, read ahead in one go; it may look elsewhere, too.
    """

    name: str
    spec: Options
    plan: Callable[[Plan, Options], None]
    folders: tuple[str, ...] = ()


def absolute(path: str) -> str:
    """Return a guest path that a user gave.

    Raises:
        InputError: it is relative.
    """
    if not path.startswith("/"):
        raise InputError("a guest path must be absolute", where=path, hint="begin it with a slash")
    return path


def attributes(plan: Plan, path: str, options: Options, new: Attributes) -> Attributes:
    """Return what `PERMISSIONS` ask for; what they leave out is that of the existing file, else of `new`.

    Raises:
        InputError: a mode that is none.
        GuestError: a user or group that the guest does not have.
    """
    entry = tree.lookup(plan, path)[1]
    kept = entry.attributes if entry else new
    mode = kept.mode if options["mode"] is None else parse_mode(options["mode"])
    uid = kept.uid if options["owner"] is None else accounts.user_id(plan, options["owner"])
    gid = kept.gid if options["group"] is None else accounts.group_id(plan, options["group"])
    return Attributes(mode, uid, gid)


def parse_mode(given: object) -> int:
    """Return permission bits: a text gives them in octal, a number is them, as `ansible.builtin.file` has it.

    Raises:
        InputError: it is neither, or has more than these bits.
    """
    try:
        mode = int(given, 8) if isinstance(given, str) else given
    except ValueError:
        mode = None
    if not isinstance(mode, int) or isinstance(mode, bool) or not 0 <= mode <= 0o7777:
        raise InputError(f"{given!r} is not a mode in octal", hint="write it like '0644', in quotes")
    return mode


__all__ = ["PATH", "PERMISSIONS", "Kind", "Options", "absolute", "attributes", "parse_mode"]
