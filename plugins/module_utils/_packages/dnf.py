# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Packages of Fedora and Enterprise Linux: dnf (4 and 5), and the yum that they replaced."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages import rpm
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    EVERYTHING,
    LATEST,
    Change,
    Repository,
    Request,
    Site,
    Step,
)
from ansible_collections.voc.cluster.plugins.module_utils._packages.rpm import RpmManager

_REPOSITORIES = "/etc/yum.repos.d"

# It ends with 1 when nobody agrees to a transaction, as it does when there is an error.
_DECLINED = r"Operation aborted|[Ee]xiting on user"

# A table's heading says what becomes of the packages below it, one a line: NAME ARCH VERSION REPOSITORY SIZE.
_HEADING = re.compile(r"(Installing|Upgrading|Removing|Downgrading|Reinstalling)\b.*:$")
_LONGEST = 1000  # characters, of a line that is looked at
_ROW = re.compile(r" +(\S+) +(\S+) +(?:\d+:)?(\d\S*|\S+-\S+) +\S+ +\d+(?:\.\d+)? ?[kKMGTiB]*\s*$")


class Dnf(RpmManager):
    """dnf4, dnf5 or yum, which share what is used of them here."""

    # A table is broken into lines as wide as the terminal.
    environment: t.ClassVar[Mapping[str, str]] = {"COLUMNS": "500"}

    def recover(self) -> list[Step]:
        # It looks for the process of that number, and another one has it now.
        return [Step(("sh", "-c", "rm -f /var/cache/dnf/*.pid /var/lib/dnf/*.pid")), rpm.REMOVE_CACHES]

    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        del view
        if not repositories:
            return Site()
        files = {f"repos/voc-{one.name}.repo": rpm.repository_file(one, folder) for one in repositories}
        return Site((f"--setopt=reposdir={_REPOSITORIES},{folder}/repos",), files)

    def refresh(self, site: Site) -> list[Step]:
        return [
            Step((*self._base(site), "clean", "expire-cache")),
            Step((*self._base(site), "makecache"), network=True),
        ]

    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        if state == ABSENT:
            return [Step((*self._base(site), "remove", *map(_word, wanted)))]
        orders = list(_orders(state, wanted, installed))
        if self.program == "yum":  # its older versions need a plugin to download only
            return [Step((*self._base(site), *words), network=True) for words in orders]
        return [
            *(Step((*self._base(site), "--downloadonly", *words), network=True) for words in orders),
            *(Step((*self._base(site), "--cacheonly", *words)) for words in orders),
        ]

    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        base = [word if word != "-y" else "--assumeno" for word in self._base(site)]
        orders = [("remove", *map(_word, wanted))] if state == ABSENT else list(_orders(state, wanted, installed))
        return [Step((*base, *words), network=state != ABSENT, unless=_DECLINED) for words in orders]

    def parse_simulation(self, text: str) -> list[Change]:
        changes: list[Change] = []
        heading = ""
        for line in text.splitlines():
            if len(line) > _LONGEST:
                continue
            found = _HEADING.match(line)
            row = _ROW.match(line)
            if found:
                heading = found[1]
            elif row and heading:
                name, version = row[1], row[3]
                changes.append(Change(name, version, None) if heading == "Removing" else Change(name, None, version))
            elif not line.strip() or line.startswith("Transaction"):
                heading = ""
        return changes

    def clean(self) -> list[Step]:
        return [Step((self.program, "clean", "packages")), rpm.REMOVE_CACHES]

    def _base(self, site: Site) -> tuple[str, ...]:
        weak = () if self.program == "yum" else (f"--setopt=install_weak_deps={self.recommends}",)
        return (self.program, "-y", *weak, *site.options)


def _orders(state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[tuple[str, ...]]:
    """Return the verbs with their packages: what is there is upgraded, the rest installed."""
    if any(request.name == EVERYTHING for request in wanted):
        return [("upgrade",)]
    there = [request for request in wanted if state == LATEST and request.name in installed and not request.version]
    rest = [request for request in wanted if request not in there]
    orders = [("install", *map(_word, rest)), ("upgrade", *map(_word, there))]
    return [words for words in orders if len(words) > 1]


def _word(request: Request) -> str:
    return rpm.word(request.name, request.version, request.file, "-")


__all__ = ["Dnf"]
