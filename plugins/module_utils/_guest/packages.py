# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's packages: read from its database, installed by its own package manager."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox

DPKG_STATUS = "/var/lib/dpkg/status"

_INSTALLED = "ok installed"  # after what is wanted of it: install, or hold
_OPTIONS = (
    *("-o", "Acquire::Retries=3"),
    # A working image is thrown away after a crash: dpkg need not sync each file.
    *("-o", "Dpkg::Options::=--force-unsafe-io"),
    # Nobody is there to be asked about a changed configuration file: keep it.
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
    *("--yes", "--no-install-recommends"),
)


def parse_dpkg_status(text: str) -> dict[str, str]:
    """Return the installed packages and their versions (man 1 dpkg-query, status file)."""
    installed: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith(" ")
        )
        if fields.get("Status", "").partition(" ")[2] == _INSTALLED and "Package" in fields:
            installed[fields["Package"]] = fields.get("Version", "")
    return installed


def missing(view: View, names: Iterable[str]) -> list[str]:
    """Return which of the named packages a Debian guest does not have.

    Raises:
        GuestError: its packages are not managed by apt.
    """
    text = tree.read_text(view, DPKG_STATUS)
    if text is None:
        raise GuestError("the guest's packages are not managed by apt", hint="only apt is supported yet")
    installed = parse_dpkg_status(text)
    return [name for name in names if name not in installed]


def install(box: Sandbox, names: Sequence[str]) -> None:
    """Install packages in a Debian guest, and drop what was downloaded for it.

    Raises:
        GuestError: apt could not; its own words are in the message.
    """
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        box.run(["apt-get", *_OPTIONS, "update"], environment)
        box.run(["apt-get", *_OPTIONS, "install", "--", *names], environment)
        box.run(["apt-get", "clean"], environment)
    except ToolError as error:
        raise GuestError(
            f"the guest's apt-get failed: {error.found}",
            hint="check the guest's package sources and the builder's network",
        ) from error


__all__ = ["DPKG_STATUS", "install", "missing", "parse_dpkg_status"]
