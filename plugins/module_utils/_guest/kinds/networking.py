# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: how the guest's interfaces get their addresses."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import write
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan


def _network(plan: Plan, options: Options) -> None:
    del options  # DHCP is the one method there is
    write.write_dhcp(plan)


KINDS = (
    Kind(
        "network",
        {
            "type": "dict",
            "options": {"method": {"type": "str", "choices": ["dhcp"], "default": "dhcp"}},
        },
        _network,
    ),
)

__all__ = ["KINDS"]
