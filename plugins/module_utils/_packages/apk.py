# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Alpine's packages: apk and its database."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    EVERYTHING,
    LATEST,
    Change,
    Manager,
    Repository,
    Request,
    Site,
    Step,
)

# apk-tools 3 looks in the second place.
DATABASES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_KEYS = "/etc/apk/keys"

# (1/2) Installing zlib (1.3-r0), Upgrading zlib (1.2-r0 -> 1.3-r0), Purging zlib (1.3-r0)
_SIMULATED = re.compile(r"\(\d+/\d+\) (\w+) (\S+) \((\S+)(?: -> (\S+))?\)")


class Apk(Manager):
    """apk, of Alpine. It downloads and installs in one go."""

    suffixes = (".apk",)

    def read(self, view: View) -> dict[str, str] | None:
        texts = (tree.read_text(view, path) for path in DATABASES)
        return parse_installed(next((text for text in texts if text is not None), ""))

    def key_name(self, repository: Repository) -> str:
        return os.path.basename(repository.key or "")  # a signature names the file of its key

    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        if not repositories:
            return Site()
        options = [word for one in repositories for word in ("--repository", one.uri)]
        untrusted = ["--allow-untrusted"] if any(one.key is None for one in repositories) else []
        links = {f"keys/{name}": f"{_KEYS}/{name}" for name in tree.names_in(view, _KEYS)}
        return Site((*options, *untrusted, "--keys-dir", f"{folder}/keys"), {}, links)

    def refresh(self, site: Site) -> list[Step]:
        return [Step((*_base(site), "update"), network=True)]

    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        return [Step(_words(site, state, wanted), network=state != ABSENT)]

    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        return [Step(_words(site, state, wanted, "--simulate"), network=state != ABSENT)]

    def parse_simulation(self, text: str) -> list[Change]:
        found = (_SIMULATED.match(line) for line in text.splitlines())
        return [_change(*match.groups()) for match in found if match]

    def clean(self) -> list[Step]:
        return []  # without a cache of its own nothing is kept


def _base(site: Site) -> tuple[str, ...]:
    return ("apk", "--no-progress", *site.options)


def _words(site: Site, state: str, wanted: Sequence[Request], *options: str) -> tuple[str, ...]:
    names = [_word(request) for request in wanted if request.name != EVERYTHING]
    if state == ABSENT:
        return (*_base(site), "del", *options, *names)
    if any(request.name == EVERYTHING for request in wanted):
        return (*_base(site), "upgrade", *options)
    upgrade = ("--upgrade",) if state == LATEST else ()
    untrusted = ("--allow-untrusted",) if any(request.file for request in wanted) else ()
    return (*_base(site), "add", *upgrade, *untrusted, *options, *names)


def _word(request: Request) -> str:
    return request.file or (f"{request.name}={request.version}" if request.version else request.name)


def _change(verb: str, name: str, first: str, second: str | None) -> Change:
    if verb == "Purging":
        return Change(name, first, None)
    return Change(name, first, second) if second else Change(name, None, first)


def parse_installed(text: str) -> dict[str, str]:
    """Return the installed packages and their versions: paragraphs with lines P:NAME and V:VERSION (apk's wiki)."""
    installed: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        fields = {line[:1]: line[2:] for line in paragraph.splitlines() if line[1:2] == ":" and line[:1] in "PV"}
        if fields.get("P"):
            installed[fields["P"]] = fields.get("V", "")
    return installed


__all__ = ["DATABASES", "Apk", "parse_installed"]
