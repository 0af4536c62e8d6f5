"""Runs operations on trees in memory."""

from __future__ import annotations

import typing as t

from ansible_collections.voc.cluster.plugins.module_utils._generalize import registry, run
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Account
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def clean(guest: MemoryTree, *words: str, **options: t.Any) -> dict[str, Account]:
    """Do operations, see that doing them again changes nothing, and return what each of them did."""
    plan = Plan(guest)
    done = run.clean(plan, registry.select(words), **options)
    plan.apply()
    again = Plan(guest)
    run.clean(again, registry.select(words), **options)
    assert again.changes() == []
    return done


def paths(guest: MemoryTree) -> set[str]:
    """Return all that is in a tree but for directories."""
    return {path for path, (entry, _content, _target) in guest.nodes.items() if entry.kind != "directory"}
