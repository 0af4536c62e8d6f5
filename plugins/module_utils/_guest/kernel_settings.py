# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What the guest's kernel is told at boot: modules to load or to leave alone, and sysctl values."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import (
    Anchor,
    LineSearch,
    compiled,
    split,
    with_line,
    without_line,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

MODPROBE = "/etc/modprobe.d"
MODULES_LOAD = "/etc/modules-load.d"
# Those of packages; a file of the same name in /etc wins (man 5 modules-load.d).
_MODULES_LOAD_FOLDERS = (
    MODULES_LOAD,
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
    "/lib/modules-load.d",
)
SYSCTL = "/etc/sysctl.conf"
SYSCTL_FOLDER = "/etc/sysctl.d"
# After 99-sysctl.conf, a link to sysctl.conf that Debian and EL have.
SYSCTL_FILE = f"{SYSCTL_FOLDER}/99-voc-cluster.conf"

_ETC_MODULES = "/etc/modules"  # Debian and Alpine without systemd
_SCRIPTS = "/etc/sysconfig/modules"  # EL 5 and 6: scripts that rc.sysinit runs
_SUSE = "/etc/sysconfig/kernel"  # SLES 11: a list in a variable
_SUSE_LIST = re.compile(r'^MODULES_LOADED_ON_BOOT="([^"\n]*)"', re.MULTILINE)
_SCRIPT = "#!/bin/sh\n# Written by voc.cluster.\nexec /sbin/modprobe {} >/dev/null 2>&1\n"
_HEADER = "# Written by voc.cluster.\n"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_.*/@:-]{1,255}")


def load_module(plan: Plan, name: str, wanted: bool) -> None:
    """Let a kernel module be loaded at boot, or not. What else the guest loads stays.

    Raises:
        InputError: a name that no module can have.
    """
    _require_module(name)
    init = system.init_system(plan)
    if init == "systemd" or tree.names_in(plan, MODULES_LOAD):
        _load_by_folder(plan, name, wanted)
    elif tree.exists(plan, _SCRIPTS):
        _file(plan, f"{_SCRIPTS}/voc-cluster-{name}.modules", _SCRIPT.format(name) if wanted else None, 0o755)
        if not wanted:
            plan.remove(f"{_SCRIPTS}/{name}.modules")
    elif _SUSE_LIST.search(tree.read_text(plan, _SUSE) or ""):
        _suse(plan, name, wanted)
    else:
        search = LineSearch(name, compiled(rf"^\s*{re.escape(name)}\s*$"))
        _text(plan, _ETC_MODULES, search, wanted)


def _load_by_folder(plan: Plan, name: str, wanted: bool) -> None:
    own = f"{MODULES_LOAD}/voc-cluster-{name}.conf"
    listing = {path: text for path, text in _module_lists(plan) if without_module(text, name) != text}
    if wanted and not listing:
        plan.write_text(own, f"{_HEADER}{name}\n")
    elif not wanted:
        for path, text in listing.items():
            rest = without_module(text, name)
            if rest == _HEADER:
                plan.remove(path)
            else:
                plan.write_text(f"{MODULES_LOAD}/{posixpath.basename(path)}", rest)
        # Debian has a link to it in the folder, Alpine reads both.
        old = tree.read_text(plan, _ETC_MODULES)
        if old is not None:
            plan.write_text(_ETC_MODULES, without_module(old, name))


def _module_lists(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield path and text of the files that count in the folders of modules to load."""
    seen = set()
    for folder in _MODULES_LOAD_FOLDERS:
        for name in tree.names_in(plan, folder):
            text = tree.read_text(plan, f"{folder}/{name}")
            if name.endswith(".conf") and name not in seen:
                seen.add(name)
                yield f"{folder}/{name}", text or ""


def without_module(text: str, name: str) -> str:
    """Return a list of kernel modules without one; its name may have dashes for underscores."""

    def names(line: str) -> bool:
        return [word.replace("-", "_") for word in line.split()[:1]] == [name.replace("-", "_")]

    return "".join(line for line in split(text) if not names(line))


def blacklist_module(plan: Plan, name: str, wanted: bool) -> None:
    """Keep a kernel module from being loaded, by its aliases and by others that want it; or no more.

    Raises:
        InputError: a name that no module can have.
    """
    _require_module(name)
    text = f"{_HEADER}blacklist {name}\ninstall {name} /bin/false\n"
    path = f"{MODPROBE}/voc-cluster-blacklist-{name}.conf"
    if wanted and tree.read_text(plan, path) != text:
        plan.note(f"an initramfs that holds the kernel module {name} may load it until it is made again")
    _file(plan, path, text if wanted else None)


def module_options(plan: Plan, name: str, parameters: str) -> None:
    """Give a kernel module parameters, whoever loads it; none for an empty text.

    Raises:
        InputError: a name that no module can have, or parameters that no line can hold.
    """
    _require_module(name)
    if "\n" in parameters:
        raise InputError("the parameters of a module are one line")
    text = f"{_HEADER}options {name} {parameters}\n" if parameters.strip() else None
    _file(plan, f"{MODPROBE}/voc-cluster-{name}.conf", text)


def set_sysctl(plan: Plan, key: str, value: str | None) -> None:
    """Set a kernel parameter at boot; None for leaving it to others.

    Raises:
        InputError: a key or value that no line can hold.
    """
    if not _KEY.fullmatch(key) or "\n" in (value or ""):
        raise InputError(f"{key!r} cannot be a kernel parameter with that value", hint="write it like vm.swappiness")
    search = LineSearch(f"{key} = {value}", compiled(rf"^\s*-?{_either(key)}\s*="))
    # EL 5 and SLES 11 read sysctl.conf alone.
    apart = tree.exists(plan, SYSCTL_FOLDER) or system.init_system(plan) == "systemd"
    _text(plan, SYSCTL_FILE if apart else SYSCTL, search, value is not None, header=_HEADER)
    old = tree.read_text(plan, SYSCTL) or ""
    if apart and any(search.matches(line) for line in old.split("\n")):
        _text(plan, SYSCTL, search, value is not None)


def _either(key: str) -> str:
    """Return a pattern for a key, whose parts may be written with dots or slashes (man 5 sysctl.conf)."""
    return "[./]".join(re.escape(part) for part in re.split("[./]", key))


def _text(plan: Plan, path: str, search: LineSearch, wanted: bool, header: str = "") -> None:
    """Let a file have one line that a search finds, the wanted one, or none."""
    text = tree.read_text(plan, path)
    if text is None and not wanted:
        return
    old = header if text is None else text
    known = sum(map(search.matches, old.split("\n")))
    # Of several the last one counts; it would be changed and the others left.
    base = without_line(old, search) if known > 1 or not wanted else old
    after = with_line(base, search, Anchor()) if wanted else base
    plan.write_text(path, after)


def _file(plan: Plan, path: str, text: str | None, mode: int = 0o644) -> None:
    if text is None:
        plan.remove(path)
    else:
        plan.write_text(path, text, Attributes(mode))


def _suse(plan: Plan, name: str, wanted: bool) -> None:
    text = tree.read_text(plan, _SUSE) or ""

    def fill(match: re.Match[str]) -> str:
        kept = [word for word in match.group(1).split() if word != name]
        return f'MODULES_LOADED_ON_BOOT="{" ".join([*kept, name] if wanted else kept)}"'

    found = _SUSE_LIST.search(text)
    if found and (name in found.group(1).split()) != wanted:
        plan.write_text(_SUSE, _SUSE_LIST.sub(fill, text, count=1))


def _require_module(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a kernel module")


__all__ = [
    "MODPROBE",
    "MODULES_LOAD",
    "SYSCTL",
    "SYSCTL_FILE",
    "blacklist_module",
    "load_module",
    "module_options",
    "set_sysctl",
    "without_module",
]
