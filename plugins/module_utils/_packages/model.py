# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What is wanted of a guest's packages, and what a package manager has to know to do it."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

PRESENT, ABSENT, LATEST = "present", "absent", "latest"
STATES = (PRESENT, ABSENT, LATEST)

# Every package, with the state latest.
EVERYTHING = "*"

# No name may be an option; the rest are names, dnf's groups and paths, and versions with epoch and wildcard.
# None ends in a dash, with which apt is told to remove what it is to install (man 8 apt-get, remove); a plus stays a
# part of the name for it, where there is such a package.
_NAME = re.compile(r"[A-Za-z0-9@/][A-Za-z0-9@^+._:/()-]*(?<!-)")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:~^*-]*(?<!-)")


@dataclass(frozen=True)
class Request:
    """One package that is wanted.

    Attributes:
        version: None for any.
        file: its own file, by the path at which the guest's programs see it; None for one from a repository.
        torn: its files are partly there, see `Manager.torn`.
    """

    name: str
    version: str | None = None
    file: str | None = None
    torn: bool = False


@dataclass(frozen=True)
class Change:
    """What becomes of a package; a version is None where there is none, or where it is not known."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Step:
    """A program of the guest's.

    Attributes:
        network: whether it has to reach package sources.
        accept: the statuses with which it succeeds.
        unless: what it says, a pattern, where another status is no failure either.
    """

    argv: tuple[str, ...]
    network: bool = False
    accept: Collection[int] = (0,)
    unless: str | None = None

    def has_succeeded(self, status: int, said: str) -> bool:
        """Judge how it ended."""
        return status in self.accept or (self.unless is not None and re.search(self.unless, said) is not None)


@dataclass(frozen=True)
class Repository:
    """A package source of the site's, for one run.

    Attributes:
        key: the file of its signing key on the builder; None for a source that is trusted without one.
        suite: apt's, as ``trixie``; ``./`` for a flat one.
        components: apt's.
        managers: the names of those that it is for.
    """

    name: str
    uri: str
    key: str | None = None
    suite: str = "./"
    components: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """What a manager needs to use the site's repositories.

    Attributes:
        options: of its command line.
        files: their content, by their paths below the folder that the guest's programs see.
        links: what links in that folder lead to, the guest's own files.
    """

    options: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


class Manager(ABC):
    """A package manager: its command lines, and how its answers are read. It starts nothing itself."""

    suffixes: t.ClassVar[tuple[str, ...]] = ()
    environment: t.ClassVar[Mapping[str, str]] = {}

    def __init__(self, program: str, *, recommends: bool = False) -> None:
        """Take the program's name in the guest, and whether what packages merely recommend is wanted."""
        self.program = program
        self.recommends = recommends

    def read(self, view: View) -> dict[str, str] | None:
        """Return the installed packages with their versions, from the guest's database; None where it must be asked."""
        del view
        return None

    def query(self) -> Step:
        """Return what asks for the installed packages."""
        raise NotImplementedError

    def parse_query(self, text: str) -> dict[str, str]:
        """Return the installed packages with their versions, of the answer to `query`."""
        raise NotImplementedError

    def recover(self) -> list[Step]:
        """Return what lets it go on in a guest in which it was killed; nobody else works in the guest now."""
        return []

    def torn(self, view: View) -> list[str]:
        """Return the packages that a killed run left half unpacked, and that `recover` does not mend."""
        del view
        return []

    def key_name(self, repository: Repository) -> str:
        """Return what the file of a repository's key is called."""
        return f"{repository.name}.asc"

    @abstractmethod
    def site(self, repositories: Sequence[Repository], view: View, folder: str) -> Site:
        """Return what makes the site's repositories known, in `folder` as the guest's programs see it.

        Raises:
            InputError: this manager cannot use one of them.
        """

    def before(self, repositories: Sequence[Repository], folder: str) -> list[Step]:
        """Return what has to be done once before the site's repositories can be used."""
        del repositories, folder
        return []

    @abstractmethod
    def refresh(self, site: Site) -> list[Step]:
        """Return what reads the package sources anew."""

    @abstractmethod
    def steps(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        """Return what brings about a state; what needs no network comes last."""

    @abstractmethod
    def simulate(self, site: Site, state: str, wanted: Sequence[Request], installed: Collection[str]) -> list[Step]:
        """Return what tells what `steps` would do, and does nothing."""

    @abstractmethod
    def parse_simulation(self, text: str) -> list[Change]:
        """Return what `simulate` tells."""

    @abstractmethod
    def clean(self) -> list[Step]:
        """Return what removes files that were downloaded and are not needed any more."""

    def is_version(self, version: str, wanted: str) -> bool:
        """Say whether an installed version is the one that is wanted: without what is left out of that."""
        bare = version.partition(":")[2] or version
        forms = {version, bare, version.rpartition("-")[0], bare.rpartition("-")[0]}
        return any(fnmatch.fnmatchcase(form, wanted) for form in forms if form)


def parse_request(text: str, suffixes: Collection[str]) -> Request:
    """Read a package as a user gives it: ``name``, ``name=version``, or the path of a file on the builder.

    Raises:
        InputError: it is none of them.
    """
    if text.startswith("/") and text.endswith(tuple(suffixes)):
        return Request(text, file=text)
    name, equals, version = text.partition("=")
    good = text == EVERYTHING or (_NAME.fullmatch(name) and (not equals or _VERSION.fullmatch(version)))
    if not good:
        raise InputError(
            f"{text!r} is not a package", where="name", hint="write name, name=version or the path of a file"
        )
    return Request(name, version if equals else None)


def pending(manager: Manager, state: str, wanted: Sequence[Request], installed: Mapping[str, str]) -> list[Request]:
    """Return those of the packages about which something has, or may have, to be done."""

    def is_there(request: Request) -> bool:
        version = installed.get(request.name)
        return version is not None and (request.version is None or manager.is_version(version, request.version))

    if state == ABSENT:
        return [request for request in wanted if is_there(request)]
    if state == LATEST:
        return list(wanted)
    return [request for request in wanted if request.file or not is_there(request)]


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """Return what became of packages, by name."""
    names = sorted({*before, *after})
    return [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


__all__ = [
    "ABSENT",
    "EVERYTHING",
    "LATEST",
    "PRESENT",
    "STATES",
    "Change",
    "Manager",
    "Repository",
    "Request",
    "Site",
    "Step",
    "differences",
    "parse_request",
    "pending",
]
