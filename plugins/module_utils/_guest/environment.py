# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Environment variables for everybody in the guest: login shells and services.

Each consumer has its own syntax, so there is one file for each, both written
from the same variables. Ours are read back, so that several edits add up.
"""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

SHELL_PATH = "/etc/profile.d/voc-cluster.sh"
SERVICES_PATH = "/etc/systemd/system.conf.d/50-voc-cluster.conf"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORT = re.compile(r"^export ([A-Za-z_][A-Za-z0-9_]*)='(.*)'$")
_HEADER = "# Written by voc.cluster: the site's environment.\n"


def set_variables(plan: Plan, variables: dict[str, str]) -> None:
    """Set variables for login shells and for services of systemd; others stay.

    Raises:
        InputError: a name or value that no shell could hold.
    """
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is not the name of an environment variable")
        if re.search(r"[\0-\x1f]", value):
            raise InputError(f"the value of {name} contains a control character", hint="use one line of text")
    merged = {**parse_shell(tree.read_text(plan, SHELL_PATH) or ""), **variables}
    plan.write(SHELL_PATH, shell(merged).encode("utf-8", "surrogateescape"))
    plan.write(SERVICES_PATH, services(merged).encode("utf-8", "surrogateescape"))


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


def _shell_quote(value: str) -> str:
    return value.replace("'", "'\\''")


def _systemd_quote(value: str) -> str:
    # Backslashes and quotes as in C, percent signs against specifiers.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


__all__ = ["SERVICES_PATH", "SHELL_PATH", "parse_shell", "services", "set_variables", "shell"]
