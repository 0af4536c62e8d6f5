# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Services of a guest, whatever starts them: each is enabled, disabled and masked by what holds it.

A service is a unit of systemd, a job of upstart, or an init script, which OpenRC and
sysvinit start by links of their own. systemd starts init scripts, too.
"""

from __future__ import annotations

import typing as t

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import openrc, system, systemd, sysv, upstart
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View


class Manager(t.Protocol):
    """What starts a service; all take its bare name."""

    def enable(self, plan: Plan, name: str) -> None:
        """Let it start at boot."""

    def disable(self, plan: Plan, name: str) -> None:
        """Keep it from being started at boot."""

    def mask(self, plan: Plan, name: str) -> None:
        """Keep it from being started at all."""

    def unmask(self, plan: Plan, name: str) -> None:
        """Take back `mask`."""


def set_service(
    plan: Plan, name: str, *, enabled: bool | None = None, masked: bool | None = None, runlevel: str = "default"
) -> None:
    """Let a service start at boot or not, and let it be startable or not; None leaves that.

    Args:
        runlevel: the one of OpenRC in which it starts.

    Raises:
        InputError: a name that no service can have.
        GuestError: it is to be enabled and is not there, or cannot be.
    """
    systemd.unit_name(name)  # whatever the guest has, a name with a slash is none
    manager = _manager(plan, name, runlevel)
    if manager is None:
        if enabled:
            raise GuestError(f"the guest has no service {name}", hint="install the package that brings it")
        return
    if masked is not None:
        (manager.mask if masked else manager.unmask)(plan, name)
    if enabled is not None:
        (manager.enable if enabled else manager.disable)(plan, name)


def _manager(view: View, name: str, runlevel: str) -> Manager | None:
    """Return what starts a service of a guest; None when nothing does."""
    init = system.init_system(view)
    if init in (None, "systemd"):
        by_script = systemd.find_unit(view, systemd.unit_name(name)) is None and sysv.find_script(view, name)
        return _ScriptUnderSystemd() if by_script else systemd.Units()
    if init == "openrc":
        return openrc.Scripts(runlevel) if openrc.find_script(view, name) else None
    if init == "upstart" and upstart.find_job(view, name):
        return upstart.Jobs()
    return sysv.Scripts() if sysv.find_script(view, name) else None


class _ScriptUnderSystemd(sysv.Scripts):
    """Init scripts that systemd makes units of: they start by their links, and are masked as units."""

    def enable(self, plan: Plan, name: str) -> None:
        """See `Manager`."""
        self.unmask(plan, name)
        super().enable(plan, name)

    def mask(self, plan: Plan, name: str) -> None:
        """See `Manager`."""
        systemd.mask(plan, systemd.unit_name(name))

    def unmask(self, plan: Plan, name: str) -> None:
        """See `Manager`."""
        systemd.unmask(plan, systemd.unit_name(name))


__all__ = ["Manager", "set_service"]
