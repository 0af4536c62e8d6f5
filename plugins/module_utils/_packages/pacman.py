# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Arch's packages: pacman and its database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
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

DATABASE = "/var/lib/pacman/local"
_OPTIONS = ("--noconfirm", "--noprogressbar")
# What would be removed is printed as what would be installed is: a third word tells it.
_REMOVED = "removed"


class Pacman(Manager):
    """pacman, of Arch."""

    suffixes = (".pkg.tar", ".pkg.tar.gz", ".pkg.tar.xz", ".pkg.tar.zst")

    def read(self, view: View) -> dict[str, str] | None:
        return parse_local(tree.names_in(view, DATABASE))

    def recover(self) -> list[Step]:
        return [Step(("sh", "-c", "rm -f /var/lib/pacman/db.lck"))]

    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        del view
        signed = [one.name for one in repositories if one.key]
        if signed:
            raise InputError(
                "pacman's keys cannot be given for one run",
                where=f"repositories: {signed[0]}",
                hint="add the key to the guest's keyring with image_command, or give a local repository without a key",
            )
        if not repositories:
            return Site()
        sections = [f"[{one.name}]\nSigLevel = Optional TrustAll\nServer = {one.uri}\n" for one in repositories]
        config = "".join(["[options]\n", "Include = /etc/pacman.conf\n", *sections]).encode()
        return Site(("--config", f"{folder}/pacman.conf"), {"pacman.conf": config})

    def refresh(self, site: Site) -> list[Step]:
        return [Step(("pacman", *_OPTIONS, *site.options, "-Sy"), network=True)]

    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        orders = _orders(state, wanted)
        base = ("pacman", *_OPTIONS, *site.options)
        remote = [words for words in orders if words[0] == "-S"]
        fetch = [Step((*base, words[0], "--downloadonly", *words[1:]), network=True) for words in remote]
        return [*fetch, *(Step((*base, *words)) for words in orders)]

    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        del installed
        form = f"%n %v {_REMOVED}" if state == ABSENT else "%n %v"
        base = ("pacman", *_OPTIONS, *site.options)
        printed = ("--print", "--print-format", form)
        return [Step((*base, words[0], *printed, *words[1:])) for words in _orders(state, wanted)]

    def parse_simulation(self, text: str) -> list[Change]:
        lines = (line.split(" ") for line in text.splitlines())
        told = [words for words in lines if len(words) in (2, 3) and words[1][:1].isdigit()]
        return [
            Change(words[0], None, words[1]) if len(words) == 2 else Change(words[0], words[1], None)
            for words in told
            if words[2:] in ([], [_REMOVED])
        ]

    def clean(self) -> list[Step]:
        # -Scc asks, and nobody may say yes in advance.
        return [Step(("sh", "-c", "rm -f /var/cache/pacman/pkg/*.pkg.tar*"))]


def _orders(state: str, wanted: Sequence[Request]) -> list[tuple[str, ...]]:
    """Return the operations with their packages."""
    if state == ABSENT:
        return [("-R", *(request.name for request in wanted))]
    files = [request.file for request in wanted if request.file]
    names = [_word(request) for request in wanted if not request.file and request.name != EVERYTHING]
    everything = ("--sysupgrade",) if any(request.name == EVERYTHING for request in wanted) else ()
    orders: list[tuple[str, ...]] = [("-U", "--needed", *files)] if files else []
    return [*orders, ("-S", "--needed", *everything, *names)] if names or everything else orders


def _word(request: Request) -> str:
    return f"{request.name}={request.version}" if request.version else request.name


def parse_local(names: Iterable[str]) -> dict[str, str]:
    """Return packages and versions by their folders in the database, NAME-VERSION-RELEASE."""
    parts = (name.rsplit("-", 2) for name in names)
    return {part[0]: f"{part[1]}-{part[2]}" for part in parts if len(part) == 3 and part[0]}


__all__ = ["DATABASE", "Pacman", "parse_local"]
