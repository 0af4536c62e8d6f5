# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Jobs of upstart: EL 6 (0.6.5) and Ubuntu until 14.10 (man 5 init of upstart)."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import split
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_JOBS = "/etc/init"
_OFF = "#voc-cluster: "
_MANUAL = "manual\n"


class Jobs:
    """Jobs of upstart; see `services.Manager`."""

    def enable(self, plan: Plan, name: str) -> None:
        """Let a job start by the events that it names."""
        path = f"{_JOBS}/{name}.override"
        text = tree.read_text(plan, path) or ""
        kept = without_manual(text)
        if kept.strip():
            plan.write_text(path, kept)
        elif text:
            plan.remove(path)
        plan.write_text(f"{_JOBS}/{name}.conf", with_start(_text(plan, name)))

    def disable(self, plan: Plan, name: str) -> None:
        """Let a job start by hand alone."""
        if _has_overrides(plan):
            path = f"{_JOBS}/{name}.override"
            # At the end: events that an administrator wrote there would start it otherwise.
            plan.write_text(path, without_manual(tree.read_text(plan, path) or "") + _MANUAL)
        else:
            plan.write_text(f"{_JOBS}/{name}.conf", without_start(_text(plan, name)))

    def mask(self, plan: Plan, name: str) -> None:
        """Let a job not start; upstart has nothing stronger."""
        self.disable(plan, name)

    def unmask(self, plan: Plan, name: str) -> None:
        """Take back `mask`."""
        self.enable(plan, name)


def find_job(view: View, name: str) -> str | None:
    """Return the path of a job's file, or None."""
    path = f"{_JOBS}/{name}.conf"
    entry = tree.lookup(view, path)[1]
    return path if entry and entry.kind == "file" else None


def without_start(text: str) -> str:
    """Return a job's text in which the events that start it are comments.

    A stanza of events goes on while a parenthesis is open, and after a backslash.
    """
    lines: list[str] = []
    inside = False
    depth = 0
    for line in split(text):
        if not inside and re.match(r"[ \t]*start[ \t]+on\b", line):
            inside, depth = True, 0
        if inside:
            depth += line.count("(") - line.count(")")
            lines.append(f"{_OFF}{line}")
            inside = depth > 0 or line.rstrip("\n").endswith("\\")
        else:
            lines.append(line)
    return "".join(lines)


def with_start(text: str) -> str:
    """Take back `without_start`."""
    return "".join(line[len(_OFF) :] if line.startswith(_OFF) else line for line in split(text))


def without_manual(text: str) -> str:
    """Return the text of an override without what keeps a job from being started by events."""
    kept = "".join(line for line in split(text) if line.strip() != "manual")
    return f"{kept}\n" if kept and not kept.endswith("\n") else kept


def _has_overrides(view: View) -> bool:
    """Say whether upstart is at least 1.3: EL 6, which has sysconfig, has an older one."""
    return not tree.exists(view, "/etc/sysconfig")


def _text(view: View, name: str) -> str:
    return tree.read_text(view, f"{_JOBS}/{name}.conf") or ""


__all__ = ["Jobs", "find_job", "with_start", "without_manual", "without_start"]
