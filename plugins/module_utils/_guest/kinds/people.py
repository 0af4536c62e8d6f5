# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: users, groups, and how users log in."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import accounts
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def _authorized_key(plan: Plan, options: Options) -> None:
    accounts.authorize_key(plan, options["user"], options["key"])


KINDS = (
    Kind(
        "authorized_key",
        # Public keys: Ansible would take both names for secrets.
        {
            "type": "dict",
            "no_log": False,
            "options": {
                "user": {"type": "str", "required": True},
                "key": {"type": "str", "required": True, "no_log": False},
            },
        },
        _authorized_key,
        folders=("/etc",),
    ),
)

__all__ = ["KINDS"]
