# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Init scripts that sysvinit starts, by links in the folders of its runlevels (LSB 3.1, 20; Debian, EL and SUSE)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_LEVELS = "0123456"
_RUNNING = "2345"
_SCRIPTS = "/etc/init.d"  # EL's is a link to rc.d/init.d
# Where the folders of the runlevels are, and where a link in one leads: SUSE, EL, Debian.
_PLACES = (("/etc/init.d", "../"), ("/etc/rc.d", "../init.d/"), ("/etc", "../init.d/"))
_LINK = re.compile(r"([SK])(\d\d)(.+)")
_START = 20
_EXECUTE = 0o111


@dataclass(frozen=True)
class Header:
    """What a script says of itself; `stop` is its order when it is stopped."""

    levels: str = _RUNNING
    stop_levels: str = "016"
    start: int = _START
    stop: int = 100 - _START
    needs: tuple[str, ...] = ()


class Scripts:
    """Init scripts of sysvinit; see `services.Manager`."""

    def enable(self, plan: Plan, name: str) -> None:
        """Let a script be run at boot, in the levels that it names itself; it is unmasked."""
        _set_execute(plan, name, True)
        folder, _target = _place(plan)
        if any(_links(plan, folder, level, name, "S") for level in f"{_RUNNING}S"):
            return
        header = parse_header(tree.read_text(plan, f"{_SCRIPTS}/{name}") or "")
        order = _order(plan, folder, header)
        for level in f"{_LEVELS}S":
            if level in header.levels:
                _link(plan, level, name, "S", order)
            elif level in header.stop_levels:
                _link(plan, level, name, "K", header.stop)

    def disable(self, plan: Plan, name: str) -> None:
        """Keep a script from being run at boot: it is stopped instead."""
        folder, _target = _place(plan)
        stop = parse_header(tree.read_text(plan, f"{_SCRIPTS}/{name}") or "").stop
        for level in f"{_RUNNING}S":
            started = _links(plan, folder, level, name, "S")
            if started and level != "S":
                _link(plan, level, name, "K", stop)
            for path in started:
                plan.remove(path)

    def mask(self, plan: Plan, name: str) -> None:
        """Take away a script's execute bits: nothing starts it then."""
        _set_execute(plan, name, False)

    def unmask(self, plan: Plan, name: str) -> None:
        """Take back `mask`."""
        _set_execute(plan, name, True)


def find_script(view: View, name: str) -> str | None:
    """Return the path of an init script, or None."""
    path = f"{_SCRIPTS}/{name}"
    entry = tree.lookup(view, path)[1]
    return path if entry and entry.kind == "file" else None


def parse_header(text: str) -> Header:
    """Read the comments that tell when a script runs: those of LSB, those of chkconfig, or none."""
    head = text[: 16 << 10]
    header = Header()
    lsb = dict(
        re.findall(r"^# (Default-Start|Default-Stop|Required-Start|Should-Start):[ \t]*(.*)$", head, re.MULTILINE)
    )
    if lsb:
        needs = f"{lsb.get('Required-Start', '')} {lsb.get('Should-Start', '')}".split()
        header = replace(
            header,
            levels=lsb.get("Default-Start", "").replace(" ", "").strip() or _RUNNING,
            stop_levels=lsb.get("Default-Stop", "").replace(" ", "").strip(),
            needs=tuple(need.lstrip("$") for need in needs),
        )
    chkconfig = re.search(r"^#[ \t]*chkconfig:[ \t]*(-|[0-6]+)[ \t]+(\d\d?)[ \t]+(\d\d?)", head, re.MULTILINE)
    if chkconfig:
        levels = header.levels if chkconfig.group(1) == "-" else chkconfig.group(1)
        others = "".join(level for level in _LEVELS if level not in levels)
        start, stop = int(chkconfig.group(2)), int(chkconfig.group(3))
        header = Header(levels, others, start, stop)
    return header


def _order(view: View, folder: str, header: Header) -> int:
    """Return a script's order: its own, but after all that it needs."""
    names = tree.names_in(view, f"{folder}/rc{header.levels[:1]}.d")
    found = filter(None, map(_LINK.fullmatch, names))
    needed = [int(link.group(2)) for link in found if link.group(1) == "S" and link.group(3) in header.needs]
    return min(max([header.start, *(order + 1 for order in needed)]), 99)


def _place(view: View) -> tuple[str, str]:
    for folder, target in _PLACES:
        if tree.names_in(view, f"{folder}/rc3.d") or tree.names_in(view, f"{folder}/rc0.d"):
            return folder, target
    return _PLACES[1] if tree.exists(view, "/etc/rc.d/init.d") else _PLACES[2]


def _links(view: View, folder: str, level: str, name: str, letter: str) -> list[str]:
    """Return the links of a script in a level."""
    found = filter(None, map(_LINK.fullmatch, tree.names_in(view, f"{folder}/rc{level}.d")))
    return [
        f"{folder}/rc{level}.d/{link.group()}" for link in found if (link.group(1), link.group(3)) == (letter, name)
    ]


def _link(plan: Plan, level: str, name: str, letter: str, order: int) -> None:
    """Let a script have one link in a level, and none of the other letter."""
    folder, target = _place(plan)
    for path in _links(plan, folder, level, name, "K" if letter == "S" else "S"):
        plan.remove(path)
    if not _links(plan, folder, level, name, letter):
        plan.symlink(f"{folder}/rc{level}.d/{letter}{order:02}{name}", f"{target}{name}")


def _set_execute(plan: Plan, name: str, wanted: bool) -> None:
    real, entry = tree.lookup(plan, f"{_SCRIPTS}/{name}")
    if entry is None:
        raise GuestError("there is no such file in the guest", where=real)
    mode = entry.attributes.mode
    has = bool(mode & _EXECUTE)
    if has != wanted:
        plan.set_attributes(real, replace(entry.attributes, mode=mode | 0o755 if wanted else mode & ~_EXECUTE))


__all__ = ["Header", "Scripts", "find_script", "parse_header"]
