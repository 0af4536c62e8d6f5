# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Packages of SUSE: zypper."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages import rpm
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    EVERYTHING,
    Change,
    Repository,
    Request,
    Site,
    Step,
)
from ansible_collections.voc.cluster.plugins.module_utils._packages.rpm import RpmManager

_REPOSITORIES = "/etc/zypp/repos.d"

# man 8 zypper, exit codes: done, and a reboot or a restart of zypper itself is due.
_DONE = (0, 102, 103)

# Its XML is a stranger's: read by a pattern, which no entity or depth of it can harm.
_TAG = re.compile(r"<(/?)(to-\w{1,20}|solvable)\b([^<>]{0,4096})>")
_GROUPS = ("to-install", "to-upgrade", "to-downgrade", "to-remove")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


class Zypper(RpmManager):
    """zypper, of openSUSE and SLES."""

    def recover(self) -> list[Step]:
        return [rpm.REMOVE_CACHES]

    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        if not repositories:
            return Site()
        files = {f"repos/voc-{one.name}.repo": rpm.repository_file(one, folder) for one in repositories}
        return Site(("--reposd-dir", f"{folder}/repos"), files, rpm.guests_own(view, _REPOSITORIES))

    def refresh(self, site: Site) -> list[Step]:
        return [Step(("zypper", "--non-interactive", *site.options, "refresh"), network=True)]

    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        if state == ABSENT:
            return [Step(self._words(site, state, wanted), accept=_DONE)]
        fetch = self._words(site, state, wanted, "--download-only")
        return [Step(fetch, network=True, accept=_DONE), Step(self._words(site, state, wanted), accept=_DONE)]

    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        words = self._words(site, state, wanted, "--dry-run")
        return [Step((words[0], "--xmlout", *words[1:]), accept=_DONE)]

    def parse_simulation(self, text: str) -> list[Change]:
        changes = []
        group = ""
        for end, tag, inside in _TAG.findall(text):
            if tag != "solvable":
                group = "" if end else tag
                continue
            said = dict(_ATTRIBUTE.findall(inside))
            if said.get("type") == "package" and said.get("name") and group in _GROUPS:
                new, old = said.get("edition"), said.get("edition-old")
                gone = group == "to-remove"
                changes.append(Change(said["name"], new if gone else old, None if gone else new))
        return changes

    def clean(self) -> list[Step]:
        return [Step(("zypper", "--non-interactive", "clean")), rpm.REMOVE_CACHES]

    def _words(self, site: Site, state: str, wanted: Sequence[Request], *options: str) -> tuple[str, ...]:
        base = ("zypper", "--non-interactive", "--no-refresh", *site.options)
        names = [rpm.word(one.name, one.version, one.file, "=") for one in wanted if one.name != EVERYTHING]
        if state == ABSENT:
            return (*base, "remove", *options, "--", *names)
        recommends = "--recommends" if self.recommends else "--no-recommends"
        agreed = ("--auto-agree-with-licenses", recommends, *options)
        if any(request.name == EVERYTHING for request in wanted):
            return (*base, "update", *agreed)
        exact = ("--oldpackage",) if any(request.version for request in wanted) else ()
        files = ("--allow-unsigned-rpm",) if any(request.file for request in wanted) else ()
        return (*base, "install", *agreed, *exact, *files, "--", *names)


__all__ = ["Zypper"]
