# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Services of a guest, whatever starts them: systemd, sysvinit, upstart or OpenRC; told and changed by files alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_UNIT_FOLDERS = (systemd.ADMIN_FOLDER, "/usr/lib/systemd/system", "/lib/systemd/system")
# Debian, EL, SUSE. The levels of a machine that runs; S is Debian's for what comes before them.
_LEVEL_FOLDERS = tuple(
    f"{folder}/rc{level}.d" for folder in ("/etc", "/etc/rc.d", "/etc/init.d") for level in ("S", 2, 3, 4, 5)
)
_SCRIPT_FOLDERS = ("/etc/rc.d/init.d", "/etc/init.d")
_RUNLEVELS = "/etc/runlevels"


def is_started(view: View, name: str) -> bool:
    """Say whether a service is started at boot.

    Args:
        name: without a suffix; the unit, script or job of that name.
    """
    if _is_masked(view, name):
        return False
    return next(_starters(view, name), None) is not None


def switch_off(plan: Plan, name: str) -> None:
    """Keep a service from being started at boot; nothing when it is absent."""
    unit = f"{name}.service"
    if systemd.find_unit(plan, unit) and not _stands_in_admin_folder(plan, unit):
        systemd.disable(plan, unit)
        systemd.mask(plan, unit)
    elif tree.exists(plan, "/usr/lib/systemd/systemd") and _script(plan, name):
        systemd.mask(plan, unit)  # systemd makes a unit of the script
    for path in list(_starters(plan, name)):
        if path.startswith("/etc/init/"):
            plan.write(f"/etc/init/{name}.override", b"manual\n")
        elif path.startswith(("/etc/", _RUNLEVELS)):
            plan.remove(path)


def switch_on(plan: Plan, name: str) -> None:
    """Let a service start at boot.

    Raises:
        GuestError: the guest has no such service.
    """
    unit = f"{name}.service"
    if tree.exists(plan, "/usr/lib/systemd/systemd") or tree.exists(plan, "/lib/systemd/systemd"):
        if _is_masked(plan, name):
            systemd.unmask(plan, unit)
        if systemd.find_unit(plan, unit) or not _script(plan, name):
            systemd.enable(plan, unit)
    if is_started(plan, name):
        return
    if tree.exists(plan, "/sbin/openrc"):
        plan.symlink(f"{_RUNLEVELS}/boot/{name}", f"/etc/init.d/{name}")
    elif tree.exists(plan, f"/etc/init/{name}.override"):
        plan.remove(f"/etc/init/{name}.override")
    else:
        _link_script(plan, name)


def _link_script(plan: Plan, name: str) -> None:
    """Link an init script where its own header asks for it: chkconfig's, or else levels 2 to 5."""
    script = _script(plan, name) or f"/etc/init.d/{name}"
    found = re.search(r"^# *chkconfig: *(\d+) +(\d\d?) ", tree.read_text(plan, script) or "", re.MULTILINE)
    levels, order = found.groups() if found else ("2345", "10")
    existing = [folder for folder in _LEVEL_FOLDERS if tree.exists(plan, folder)]
    for folder in existing:
        if folder[-3] in levels:
            plan.symlink(f"{folder}/S{int(order):02}{name}", f"../init.d/{name}")


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


def _script(view: View, name: str) -> str | None:
    return next((f"{folder}/{name}" for folder in _SCRIPT_FOLDERS if tree.exists(view, f"{folder}/{name}")), None)


def _is_masked(view: View, name: str) -> bool:
    real = tree.resolve(view, f"{systemd.ADMIN_FOLDER}/{name}.service", follow=False)
    entry = view.lstat(real)
    return bool(entry and entry.kind == "symlink" and view.readlink(real) == "/dev/null")


def _stands_in_admin_folder(view: View, unit: str) -> bool:
    entry = view.lstat(tree.resolve(view, f"{systemd.ADMIN_FOLDER}/{unit}", follow=False))
    return bool(entry and entry.kind != "symlink")


__all__ = ["is_started", "switch_off", "switch_on"]
