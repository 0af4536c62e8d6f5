# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""All operations in their fixed order, and which of them a selection means."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._generalize import (
    cloud,
    identity,
    membership,
    network,
    space,
    ssh_keys,
    traces,
)
from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation

# Blocks come last: files must be gone by then.
OPERATIONS: tuple[Operation, ...] = (
    *identity.OPERATIONS,
    *ssh_keys.OPERATIONS,
    *network.OPERATIONS,
    *cloud.OPERATIONS,
    *traces.OPERATIONS,
    *membership.OPERATIONS,
    *space.OPERATIONS,
)


def select(words: Iterable[str]) -> list[Operation]:
    """Return the operations that a selection names, in their fixed order.

    Args:
        words: names; ``defaults`` and ``all`` for several; ``-name`` takes one back.

    Raises:
        InputError: there is no operation of that name.
    """
    names = {operation.name for operation in OPERATIONS}
    groups = {"all": names, "defaults": {operation.name for operation in OPERATIONS if operation.default}}
    chosen: set[str] = set()
    for word in words:
        name = word[1:] if word.startswith("-") else word
        if name not in names and name not in groups:
            raise InputError(
                f"there is no operation {name!r}", hint=f"choose from {', '.join(sorted(names | set(groups)))}"
            )
        members = groups.get(name, {name})
        chosen = chosen - members if word.startswith("-") else chosen | members
    return [operation for operation in OPERATIONS if operation.name in chosen]


__all__ = ["OPERATIONS", "select"]
