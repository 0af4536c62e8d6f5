# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Whether a service of a guest is started at boot, whatever starts it: told by files, for inspection."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_UNIT_FOLDERS = (systemd.ADMIN_FOLDER, "/usr/lib/systemd/system", "/lib/systemd/system")
# Debian, EL, SUSE. The levels of a machine that runs; S is Debian's for what comes before them.
_LEVEL_FOLDERS = tuple(
    f"{folder}/rc{level}.d" for folder in ("/etc", "/etc/rc.d", "/etc/init.d") for level in ("S", 2, 3, 4, 5)
)
_RUNLEVELS = "/etc/runlevels"


def is_started(view: View, name: str) -> bool:
    """Say whether a service is started at boot.

    Args:
        name: without a suffix; the unit, script or job of that name.
    """
    if _is_masked(view, name):
        return False
    return next(_starters(view, name), None) is not None


def _starters(view: View, name: str) -> Iterator[str]:
    """Yield the links and files that let a service start."""
    unit = f"{name}.service"
    for folder in _UNIT_FOLDERS:
        for wants in tree.names_in(view, folder):
            if wants.endswith((".wants", ".requires")) and unit in tree.names_in(view, f"{folder}/{wants}"):
                yield f"{folder}/{wants}/{unit}"
    for folder in _LEVEL_FOLDERS:
        for link in tree.names_in(view, folder):
            if re.fullmatch(rf"S\d\d{re.escape(name)}", link):
                yield f"{folder}/{link}"
    for level in tree.names_in(view, _RUNLEVELS):
        if name in tree.names_in(view, f"{_RUNLEVELS}/{level}"):
            yield f"{_RUNLEVELS}/{level}/{name}"
    if tree.exists(view, f"/etc/init/{name}.conf"):
        override = tree.read_text(view, f"/etc/init/{name}.override") or ""
        if "manual" not in override.split():
            yield f"/etc/init/{name}.conf"


def _is_masked(view: View, name: str) -> bool:
    real = tree.resolve(view, f"{systemd.ADMIN_FOLDER}/{name}.service", follow=False)
    entry = view.lstat(real)
    return bool(entry and entry.kind == "symlink" and view.readlink(real) == "/dev/null")


__all__ = ["is_started"]
