# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's time zone, wherever its family keeps it."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import Anchor, LineSearch, compiled, with_line
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

LOCALTIME = "/etc/localtime"
ZONES = "/usr/share/zoneinfo"
_TIMEZONE = "/etc/timezone"  # Debian
_CLOCK = "/etc/sysconfig/clock"  # EL 6, SUSE
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,3}")


def set_timezone(plan: Plan, zone: str) -> None:
    """Let local time be that of a zone such as Europe/Prague.

    Raises:
        InputError: a name that no zone can have.
        GuestError: the guest does not know the zone.
    """
    if not _NAME.fullmatch(zone):
        raise InputError(f"{zone!r} is not the name of a time zone", hint="write it like Europe/Prague")
    real, entry = tree.lookup(plan, f"{ZONES}/{zone}")
    if entry is None or entry.kind != "file":
        raise GuestError(f"the guest does not know the time zone {zone}", where=ZONES, hint="install its tzdata")
    clock = tree.read_text(plan, _CLOCK)
    own = plan.lstat(tree.resolve(plan, LOCALTIME, follow=False))
    if own and own.kind == "file" and clock is not None:
        plan.write(LOCALTIME, plan.read(real))  # EL 6 and SLES 11 keep a copy
    else:
        plan.symlink(LOCALTIME, f"..{ZONES}/{zone}")
    if tree.exists(plan, _TIMEZONE):
        plan.write_text(_TIMEZONE, f"{zone}\n")
    if clock is not None:
        key = "TIMEZONE" if re.search(r"^TIMEZONE=", clock, re.MULTILINE) else "ZONE"
        line = LineSearch(f'{key}="{zone}"', compiled(rf"^{key}="))
        plan.write_text(_CLOCK, with_line(clock, line, Anchor()))


__all__ = ["LOCALTIME", "ZONES", "set_timezone"]
