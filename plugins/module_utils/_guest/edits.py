# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The kinds of edit, and how a list of them becomes a plan.

An edit is a mapping with one key, its kind. Each family of kinds has a room of
its own below `kinds`: the options, as users write them, beside the functions
that read them. What those functions know of a guest is a level below, in the
modules beside this one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import located
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds import (
    files,
    kernel,
    mounts,
    networking,
    people,
    services,
    site,
    texts,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_FAMILIES = (files, texts, mounts, services, kernel, people, site, networking)
_KINDS: dict[str, Kind] = {kind.name: kind for family in _FAMILIES for kind in family.KINDS}

ARGUMENT_SPEC: Options = {name: kind.spec for name, kind in _KINDS.items()}


def plan_edits(plan: Plan, edits: Sequence[Options]) -> None:
    """Lay edits over a plan, in their order.

    Raises:
        ImageError: one of them cannot be done; its number is named.
    """
    wanted = [{name: options for name, options in edit.items() if options is not None} for edit in edits]
    plan.expect({folder for edit in wanted for name, options in edit.items() for folder in _folders(name, options)})
    for number, edit in enumerate(wanted, start=1):
        for name, options in edit.items():
            with plan.on_behalf_of(number), located(f"edit {number} ({name})", above=True):
                _KINDS[name].plan(plan, options)


def _folders(name: str, options: Options) -> Iterator[str]:
    """Give the directories that an edit will look at."""
    yield from _KINDS[name].folders
    path = options.get("path")
    if isinstance(path, str) and path.startswith("/"):
        yield posixpath.dirname(posixpath.normpath("/" + path.strip("/")))


__all__ = ["ARGUMENT_SPEC", "plan_edits"]
