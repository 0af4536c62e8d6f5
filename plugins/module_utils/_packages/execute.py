# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Lets a guest's own package manager do what is wanted, in the sandbox."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import mounted_guest, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._guest.rehearsal import private_folder, rehearsed
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages import apt, model, rpm
from ansible_collections.voc.cluster.plugins.module_utils._packages.apk import Apk
from ansible_collections.voc.cluster.plugins.module_utils._packages.apt import Apt
from ansible_collections.voc.cluster.plugins.module_utils._packages.cache import Cache
from ansible_collections.voc.cluster.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    Change,
    Manager,
    Repository,
    Request,
    Site,
    Step,
)
from ansible_collections.voc.cluster.plugins.module_utils._packages.pacman import Pacman
from ansible_collections.voc.cluster.plugins.module_utils._packages.zypper import Zypper
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import given_folder, sandbox

MANAGERS: Mapping[str, type[Manager]] = {
    "apt": Apt,
    "dnf": Dnf,
    "yum": Dnf,
    "zypper": Zypper,
    "apk": Apk,
    "pacman": Pacman,
}
_GONE = re.compile(
    rb"404 +Not Found|[nN]o longer has a Release file|does not have a Release file|File not found - |"
    rb"Cannot find a valid baseurl|All mirrors were tried|failed retrieving file|Valid metadata not found"
)
_FULL = re.compile(rb"No space left on device|[nN]ot enough free (disk )?space|needs [0-9.]+ ?[kKMG]i?B more space")
_KEY_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True)
class Order:
    """What is wanted of a guest's packages.

    Attributes:
        names: as users give them, see `model.parse_request`.
        repositories: the site's, for this run alone.
        update_cache: read the package sources before.
        recommends: also install what packages merely recommend.
        cache: a folder on the builder for downloaded packages that images share.
    """

    state: str
    names: tuple[str, ...]
    repositories: tuple[Repository, ...] = ()
    update_cache: bool = True
    recommends: bool = False
    cache: str | None = None


def manage(runner: Runner, spread: Spread, order: Order, *, apply: bool) -> list[Change]:
    """Bring a guest's packages into a state, and return what became of them.

    Args:
        apply: otherwise the guest's package manager only tells it, on a copy of the guest in memory.

    Raises:
        InputError: the user is not root, or an option cannot be used.
        GuestError: the guest has no package manager, or it failed.
    """
    with open_guest(runner, spread, writable=apply) as files:
        name = _name(files)
        order = replace(order, repositories=tuple(one for one in order.repositories if name in one.managers))
        manager = choose(files, name, order)
        wanted = [model.parse_request(name, manager.suffixes) for name in order.names]
        before = manager.read(files)
    if before is not None and not model.pending(manager, order.state, wanted, before):
        return []
    if os.geteuid() != 0:
        raise InputError("running the guest's programs needs root", where=spread.image, hint="run the builder as root")
    with ExitStack() as stack:
        root = stack.enter_context(mounted_guest(runner, spread, writable=apply))
        folder = stack.enter_context(private_folder(runner))
        if not apply:
            points = [place.path for place in spread.places if os.path.ismount(root + place.path)]
            root = stack.enter_context(rehearsed(runner, root, points, folder))
        work = _Work(runner, root, manager, order, _stage(manager, order, root, folder))
        return work.apply(wanted) if apply else work.tell(wanted)


def _name(view: View) -> str:
    """Return the name of a guest's package manager.

    Raises:
        GuestError: it has none that is known.
    """
    name = system.inspect(view).package_manager
    if name is None:
        raise GuestError("the guest has no package manager that is known", hint=f"known are {', '.join(MANAGERS)}")
    return name


def choose(view: View, name: str, order: Order) -> Manager:
    """Return the package manager of that name, by the program that the guest has of it."""
    program = "dnf5" if name == "dnf" and not tree.exists(view, "/usr/bin/dnf") else name
    return MANAGERS[name](program, recommends=order.recommends)


@dataclass(frozen=True)
class _Given:
    """What the guest's programs are given for this run.

    Attributes:
        binds: see `sandbox`.
        paths: at which the guest sees the user's own package files, by their paths on the builder.
    """

    site: Site
    folder: str
    binds: tuple[tuple[str, str], ...]
    paths: Mapping[str, str]


def _stage(manager: Manager, order: Order, root: str, private: str) -> _Given:
    """Lay out the site's repositories, keys and package files in a private folder."""
    seen = given_folder(root)
    site = manager.site(order.repositories, MountedTree(root), seen)
    here = f"{private}/given"
    contents = dict(site.files)
    for one in order.repositories:
        if one.key:
            contents[f"keys/{manager.key_name(one)}"] = _read_key(one.key)
    own = [name for name in order.names if model.parse_request(name, manager.suffixes).file]
    paths = {path: f"files/{number}/{os.path.basename(path)}" for number, path in enumerate(own)}
    contents.update(dict.fromkeys(paths.values(), b""))  # something to mount them on
    os.mkdir(here)
    for name, content in contents.items():
        os.makedirs(os.path.dirname(f"{here}/{name}"), exist_ok=True)
        with open(f"{here}/{name}", "wb") as file:
            file.write(content)
    for name, target in site.links.items():
        os.makedirs(os.path.dirname(f"{here}/{name}"), exist_ok=True)
        if not os.path.lexists(f"{here}/{name}"):
            os.symlink(target, f"{here}/{name}")
    for path in own:
        if not os.path.isfile(path):
            raise InputError("there is no such file on the builder", where=path)
    files = [(os.path.realpath(path), f"{seen}/{name}") for path, name in paths.items()]
    return _Given(site, seen, ((here, seen), *files), {path: f"{seen}/{name}" for path, name in paths.items()})


def _read_key(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read(_KEY_LIMIT)
    if not content.startswith(b"-----BEGIN "):
        raise InputError("it is not a key in text form", where=path, hint="export it with gpg --armor --export")
    return content


@dataclass(frozen=True)
class _Work:
    """One run of a guest's package manager."""

    runner: Runner
    root: str
    manager: Manager
    order: Order
    given: _Given

    def apply(self, wanted: Sequence[Request]) -> list[Change]:
        before = self._installed()
        if not model.pending(self.manager, self.order.state, wanted, before):
            return []
        self._do(self.manager.recover())
        with self._prepared():
            pending = self._pending([*wanted, *self._torn()], before)
            steps = self.manager.steps(self.given.site, self.order.state, pending, before)
            cached = self._from_cache(pending)
            self._do([step for step in steps if step.network])
            self._to_cache(cached)
            self._do([step for step in steps if not step.network])
            self._do(self.manager.clean())
        return model.differences(before, self._installed())

    def tell(self, wanted: Sequence[Request]) -> list[Change]:
        """Return what `apply` would."""
        before = self._installed()
        if not model.pending(self.manager, self.order.state, wanted, before):
            return []
        with self._prepared():
            pending = self._pending(wanted, before)
            texts = self._do(self.manager.simulate(self.given.site, self.order.state, pending, before))
        told = [change for text in texts for change in self.manager.parse_simulation(text)]
        # Some managers do not say which version there was, and tell a package that stays as it is.
        whole = [replace(change, before=change.before or before.get(change.name)) for change in told]
        return sorted((one for one in whole if one.before != one.after), key=lambda one: one.name)

    def _pending(self, wanted: Sequence[Request], before: Mapping[str, str]) -> list[Request]:
        found = model.pending(self.manager, self.order.state, wanted, before)
        return [replace(one, file=self.given.paths[one.file]) if one.file else one for one in found]

    def _torn(self) -> list[Request]:
        names = [] if self.order.state == model.ABSENT else self.manager.torn(MountedTree(self.root))
        return [Request(name, torn=True) for name in names]

    def _installed(self) -> dict[str, str]:
        found = self.manager.read(MountedTree(self.root))
        return self.manager.parse_query(self._do([self.manager.query()])[0]) if found is None else found

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """Make the site's repositories known as long as this lasts, and read the package sources."""
        before = self.manager.before(self.order.repositories, self.given.folder)
        known = set(self._do([rpm.keys()])[0].split()) if before else set()
        self._do(before)
        try:
            if self.order.state != model.ABSENT and (self.order.update_cache or self.order.repositories):
                self._do(self.manager.refresh(self.given.site))
            yield
        finally:
            if before:
                now = self._do([rpm.keys()])[0].split()
                self._do(rpm.forget(sorted({name for name in now if name.startswith(rpm.KEY)} - known)))

    def _from_cache(self, pending: Sequence[Request]) -> dict[str, str]:
        """Return which files the run needs, and give the guest those that are there."""
        if not self.order.cache or not isinstance(self.manager, Apt) or self.order.state == model.ABSENT:
            return {}
        step = self.manager.uris(self.given.site, self.order.state, pending)
        wanted = apt.parse_uris(self._do([step])[0])
        Cache(self.order.cache).give(MountedTree(self.root), apt.ARCHIVES, wanted)
        return wanted

    def _to_cache(self, wanted: Mapping[str, str]) -> None:
        if self.order.cache and wanted:
            Cache(self.order.cache).take(MountedTree(self.root), apt.ARCHIVES, wanted)

    def _do(self, steps: Sequence[Step]) -> list[str]:
        """Run programs of the guest's, in their order, and return what they said."""
        texts = []
        for network, group in itertools.groupby(steps, lambda step: step.network):
            with sandbox(self.runner, self.root, network=network, given=self.given.binds) as box:
                for step in group:
                    done = box.run(step.argv, self.manager.environment, accept=range(256))
                    said = (done.errors + done.output).decode("utf-8", "replace")
                    if not step.has_succeeded(done.status, said):
                        raise failure(step, done)
                    texts.append(done.text)
        return texts


def failure(step: Step, done: Completed) -> ImageError:
    """Return the error about a package manager that failed: what is the matter, else its own words."""
    said = done.errors + done.output
    name = f"the guest's {step.argv[0]}"
    if _FULL.search(said):
        return SpaceError(f"{name} ran out of space in the image", hint="give it a larger disk")
    if step.network and _GONE.search(said):
        return GuestError(
            f"{name} cannot get what its package sources name, as if they were gone ({done.complaint})",
            hint="where the guest's release is served no more, give its archive in repositories or in its own sources",
        )
    return GuestError(
        f"{name} failed with status {done.status}: {done.complaint}",
        hint="check the names, the guest's package sources and the builder's network",
    )


__all__ = ["MANAGERS", "Order", "choose", "failure", "manage"]
