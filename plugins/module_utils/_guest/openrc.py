# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Init scripts that OpenRC starts, by links in the folders of its runlevels (man 8 rc-update)."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import sysv, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_RUNLEVELS = "/etc/runlevels"

find_script = sysv.find_script


class Scripts(sysv.Scripts):
    """Init scripts of OpenRC, which are masked as those of sysvinit; see `services.Manager`."""

    def __init__(self, runlevel: str) -> None:
        if not runlevel or "/" in runlevel or runlevel.startswith("."):
            raise InputError(f"{runlevel!r} is not the name of a runlevel")
        self._runlevel = runlevel

    def enable(self, plan: Plan, name: str) -> None:
        """Let a script be run in the runlevel, unless one has it already; it is unmasked."""
        self.unmask(plan, name)
        if not _links(plan, name):
            plan.symlink(f"{_RUNLEVELS}/{self._runlevel}/{name}", f"/etc/init.d/{name}")

    def disable(self, plan: Plan, name: str) -> None:
        """Take a script out of all runlevels."""
        for path in _links(plan, name):
            plan.remove(path)


def _links(plan: Plan, name: str) -> list[str]:
    levels = tree.names_in(plan, _RUNLEVELS)
    return [f"{_RUNLEVELS}/{level}/{name}" for level in levels if name in tree.names_in(plan, f"{_RUNLEVELS}/{level}")]


__all__ = ["Scripts", "find_script"]
