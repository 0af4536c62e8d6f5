# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Environment variables for everybody in the guest: login shells and services.

Each consumer has its own syntax, so there is one file for each, all written
from the same variables. Ours are read back, so that several edits add up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import Anchor, Markers, with_block
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

SHELL_PATH = "/etc/profile.d/voc-cluster.sh"
CSH_PATH = "/etc/profile.d/voc-cluster.csh"
SERVICES_PATH = "/etc/systemd/system.conf.d/50-voc-cluster.conf"
USERS_PATH = "/etc/environment.d/50-voc-cluster.conf"  # services of users; systemd 233 and later
OPENRC_PATH = "/etc/rc.conf"

_CSH_SIGNS = ("/etc/csh.login", "/etc/csh.cshrc", "/bin/tcsh")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORT = re.compile(r"^export ([A-Za-z_][A-Za-z0-9_]*)='(.*)'$")
_HEADER = "# Written by voc.cluster: the site's environment.\n"


def set_variables(plan: Plan, variables: Mapping[str, str | None]) -> None:
    """Set variables for login shells and for services, or take them away with None; others stay.

    Raises:
        InputError: a name or value that no shell could hold.
    """
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is not the name of an environment variable")
        if re.search(r"[\0-\x1f]", value or ""):
            raise InputError(f"the value of {name} contains a control character", hint="use one line of text")
    merged: dict[str, str | None] = {**parse_shell(tree.read_text(plan, SHELL_PATH) or ""), **variables}
    known = {name: value for name, value in merged.items() if value is not None}
    plan.write_text(SHELL_PATH, shell(known))
    if any(tree.exists(plan, path) for path in _CSH_SIGNS):
        plan.write_text(CSH_PATH, csh(known))
    _set_for_services(plan, known)


def _set_for_services(plan: Plan, variables: dict[str, str]) -> None:
    init = system.init_system(plan)
    if init in (None, "systemd"):
        plan.write_text(SERVICES_PATH, services(variables))
        plan.write_text(USERS_PATH, users(variables))
    elif init == "openrc":
        block = "".join(shell(variables).partition(_HEADER)[2])
        text = tree.read_text(plan, OPENRC_PATH) or ""
        plan.write_text(OPENRC_PATH, with_block(text, Markers.of("# {mark} voc.cluster"), block, Anchor()))
    else:
        plan.note(f"services that {init} starts have no common environment: set it in their own configuration, too")


def shell(variables: dict[str, str]) -> str:
    """Return variables as a script for login shells."""
    lines = (f"export {name}='{_shell_quote(value)}'\n" for name, value in sorted(variables.items()))
    return _HEADER + "".join(lines)


def parse_shell(text: str) -> dict[str, str]:
    """Read variables back from what `shell` wrote."""
    found = (_EXPORT.match(line) for line in text.split("\n"))
    return {match.group(1): match.group(2).replace("'\\''", "'") for match in found if match}


def services(variables: dict[str, str]) -> str:
    """Return variables as a drop-in for systemd's manager (man 5 systemd-system.conf)."""
    lines = (f'DefaultEnvironment="{name}={_systemd_quote(value)}"\n' for name, value in sorted(variables.items()))
    return f"{_HEADER}[Manager]\n" + "".join(lines)


def users(variables: dict[str, str]) -> str:
    """Return variables for the services of users (man 5 environment.d)."""
    lines = (f'{name}="{_environment_quote(value)}"\n' for name, value in sorted(variables.items()))
    return _HEADER + "".join(lines)


def csh(variables: dict[str, str]) -> str:
    """Return variables as a script for login shells of csh."""
    lines = (f"setenv {name} '{_csh_quote(value)}'\n" for name, value in sorted(variables.items()))
    return _HEADER + "".join(lines)


def _environment_quote(value: str) -> str:
    # Two dollar signs are one once variables were expanded.
    return re.sub(r'(["\\`])', r"\\\1", value).replace("$", r"\$\$")


def _csh_quote(value: str) -> str:
    # History is expanded within quotes, too.
    return value.replace("'", "'\\''").replace("!", "\\!")


def _shell_quote(value: str) -> str:
    return value.replace("'", "'\\''")


def _systemd_quote(value: str) -> str:
    # Backslashes and quotes as in C, percent signs against specifiers.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


__all__ = [
    "CSH_PATH",
    "OPENRC_PATH",
    "SERVICES_PATH",
    "SHELL_PATH",
    "USERS_PATH",
    "csh",
    "parse_shell",
    "services",
    "set_variables",
    "shell",
    "users",
]
