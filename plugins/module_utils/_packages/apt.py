# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Debian's packages: dpkg's database and apt-get."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    EVERYTHING,
    Change,
    Manager,
    Repository,
    Request,
    Site,
    Step,
)

STATUS = "/var/lib/dpkg/status"
ARCHIVES = "/var/cache/apt/archives"
_SOURCES = "/etc/apt/sources.list.d"
# What is read of the site's repositories; it would count in later runs, whoever signed it then.
_LISTS = "/var/lib/apt/voc-cluster-lists"
_REMOVE_LISTS = Step(("rm", "-rf", _LISTS))

_INSTALLED = "ok installed"  # after what is wanted of it: install, or hold
_TORN = "reinstreq"
_OPTIONS = (
    *("-o", "Acquire::Retries=3"),
    # A working image is thrown away after a crash: dpkg need not sync each file.
    *("-o", "Dpkg::Options::=--force-unsafe-io"),
    # Nobody is there to be asked about a changed configuration file: keep it.
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
    "--yes",
)
# man 8 apt-get, simulation: Inst NAME [OLD] (NEW ...) and Remv NAME [OLD]; Conf follows each Inst.
_SIMULATED = re.compile(r"(Inst|Remv|Purg) (\S+)(?: \[([^]]*)\])?(?: \((\S+))?")
# 'URI' FILE SIZE SHA256:DIGEST
_URI = re.compile(r"'[^']*' (\S+) \d+ SHA256:([0-9a-f]{64})\s*")


class Apt(Manager):
    """apt-get, of any Debian or Ubuntu."""

    suffixes = (".deb",)
    environment: t.ClassVar[Mapping[str, str]] = {"DEBIAN_FRONTEND": "noninteractive"}

    def read(self, view: View) -> dict[str, str] | None:
        return parse_status(tree.read_text(view, STATUS) or "")

    def recover(self) -> list[Step]:
        return [Step(("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")), _REMOVE_LISTS]

    def torn(self, view: View) -> list[str]:
        return parse_torn(tree.read_text(view, STATUS) or "")

    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        if not repositories:
            return Site()
        names = [name for name in tree.names_in(view, _SOURCES) if re.fullmatch(r"[\w.-]+\.(list|sources)", name)]
        files = {f"sources/voc-{one.name}.list": _source(one, folder).encode() for one in repositories}
        links = {f"sources/{name}": f"{_SOURCES}/{name}" for name in names}
        options = ("-o", f"Dir::Etc::SourceParts={folder}/sources", "-o", f"Dir::State::Lists={_LISTS}")
        return Site(options, files, links)

    def refresh(self, site: Site) -> list[Step]:
        return [Step(("apt-get", *_OPTIONS, *site.options, "update"), network=True)]

    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        words = self._words(site, state, wanted)
        if state == ABSENT:
            return [Step(words)]
        # --no-download would refuse repositories and packages that are files.
        return [Step((words[0], "--download-only", *words[1:]), network=True), Step(words)]

    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        words = self._words(site, state, wanted)
        return [Step((*words[:1], "--simulate", *words[1:]))]

    def parse_simulation(self, text: str) -> list[Change]:
        found = (_SIMULATED.match(line) for line in text.splitlines())
        return [Change(match[2], match[3], match[4] if match[1] == "Inst" else None) for match in found if match]

    def uris(self, site: Site, state: str, wanted: Sequence[Request]) -> Step:
        """Return what lists the files that would be downloaded, with the digests that signed indexes give them."""
        words = self._words(site, state, wanted)
        # By itself it prints the weakest digest.
        return Step((words[0], "--print-uris", "-o", "Acquire::ForceHash=SHA256", *words[1:]))

    def clean(self) -> list[Step]:
        return [Step(("apt-get", "clean")), _REMOVE_LISTS]

    def is_version(self, version: str, wanted: str) -> bool:
        return fnmatch.fnmatchcase(version, wanted)  # as apt itself takes it

    def _words(self, site: Site, state: str, wanted: Sequence[Request]) -> tuple[str, ...]:
        everything = [request for request in wanted if request.name == EVERYTHING]
        verb = "remove" if state == ABSENT else "dist-upgrade" if everything else "install"
        recommends = "--install-recommends" if self.recommends else "--no-install-recommends"
        # By itself apt keeps such a package as it is, and says that all is well.
        again = ("--reinstall",) if any(request.torn for request in wanted) else ()
        exact = ("--allow-downgrades",) if any(request.version for request in wanted) else ()
        names = [_word(request) for request in wanted if request.name != EVERYTHING]
        return ("apt-get", *_OPTIONS, recommends, *again, *exact, *site.options, verb, "--", *names)


def _word(request: Request) -> str:
    return request.file or (f"{request.name}={request.version}" if request.version else request.name)


def _source(repository: Repository, folder: str) -> str:
    """Return a repository as a line of man 5 sources.list."""
    trust = "trusted=yes" if repository.key is None else f"signed-by={folder}/keys/{repository.name}.asc"
    return " ".join(["deb", f"[{trust}]", repository.uri, repository.suite, *repository.components]) + "\n"


def parse_status(text: str) -> dict[str, str]:
    """Return the installed packages and their versions (man 1 dpkg-query, status file).

    A package of a second architecture is named with it, as apt does.
    """
    installed: dict[str, str] = {}
    for fields in _paragraphs(text):
        if fields.get("Status", "").partition(" ")[2] == _INSTALLED:
            name = fields["Package"]
            key = f"{name}:{fields.get('Architecture', '')}" if name in installed else name
            installed[key] = fields.get("Version", "")
    return installed


def parse_torn(text: str) -> list[str]:
    """Return the packages that dpkg was unpacking when it was killed, as apt takes them (man 1 dpkg, package flags)."""
    torn = [fields for fields in _paragraphs(text) if fields.get("Status", "").split(" ")[1:2] == [_TORN]]
    names = [(fields["Package"], fields.get("Architecture", "all")) for fields in torn]
    return [name if architecture == "all" else f"{name}:{architecture}" for name, architecture in names]


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Return the packages of a status file, by their fields."""
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if ": " in line and not line.startswith(" ")]
        fields = dict(line.split(": ", 1) for line in lines)
        if "Package" in fields:
            yield fields


def parse_uris(text: str) -> dict[str, str]:
    """Return the file names in the answer to `Apt.uris` with their sha256, those that have one."""
    found = (_URI.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match and "/" not in match[1] and match[1].endswith(".deb")}


__all__ = ["ARCHIVES", "STATUS", "Apt", "parse_status", "parse_torn", "parse_uris"]
