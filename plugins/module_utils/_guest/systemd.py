# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Units of the guest's systemd, enabled and masked by their links alone (man 5 systemd.unit)."""

from __future__ import annotations

import posixpath

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

ADMIN_FOLDER = "/etc/systemd/system"
_FOLDERS = (ADMIN_FOLDER, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_SUFFIXES = (".service", ".socket", ".timer", ".mount", ".automount", ".target", ".path", ".swap")
_NULL = "/dev/null"
_LARGEST = 64 << 10  # bytes of a unit that is searched for its other names


def unit_name(name: str) -> str:
    """Return a unit's full name; a bare one means a service.

    Raises:
        InputError: it is not the name of a unit.
    """
    if not name or "/" in name:
        raise InputError(f"{name!r} is not the name of a unit")
    return name if name.endswith(_SUFFIXES) else f"{name}.service"


def find_unit(view: View, unit: str) -> str | None:
    """Return the path of a unit's file in the guest, that of its template for an instance, or None; a mask is none."""
    template = template_of(unit)
    for name in (unit, template) if template else (unit,):
        for folder in _FOLDERS:
            path = f"{folder}/{name}"
            real, entry = tree.lookup(view, path)
            if entry and real != _NULL:
                return path
    return None


def template_of(unit: str) -> str | None:
    """Return the template that a unit such as ``getty@tty1.service`` is an instance of, or None."""
    prefix, at, rest = unit.partition("@")
    return f"{prefix}@.{rest.rpartition('.')[2]}" if at and not rest.startswith(".") else None


def own_name(plan: Plan, unit: str) -> str:
    """Return the name of the unit that has `unit` as another name, else `unit`.

    Another name is a link to the unit's file, or a word of its Alias=, for which enabling it makes that link.
    """
    path = find_unit(plan, unit)
    return _linked_name(plan, unit, path) if path else _name_by_alias(plan, unit) or unit


def _linked_name(view: View, unit: str, path: str) -> str:
    folder, name = posixpath.split(tree.resolve(view, path))
    # What a link brings in from elsewhere goes by the link's name.
    if name == posixpath.basename(path) or folder not in {tree.resolve(view, place) for place in _FOLDERS}:
        return unit
    prefix, at, suffix = name.partition("@")
    instance = unit.partition("@")[2] if template_of(unit) else ""
    return f"{prefix}@{instance}" if at and suffix.startswith(".") and instance else name


def _name_by_alias(plan: Plan, unit: str) -> str | None:
    files: dict[str, str] = {}  # the path of each name in the folder that wins; links are masks, or other names
    for folder in dict.fromkeys(tree.resolve(plan, folder) for folder in _FOLDERS):
        for name in tree.names_in(plan, folder):
            entry = plan.lstat(f"{folder}/{name}")
            if entry and entry.kind == "file" and name.endswith(posixpath.splitext(unit)[1]):
                files.setdefault(name, f"{folder}/{name}" if entry.size <= _LARGEST else "")
    texts = plan.read_many([path for path in files.values() if path])
    for name, path in files.items():
        text = texts.get(path, b"").decode("utf-8", "replace")
        if "Alias" in text and unit in install_section(text).get("Alias", ()):
            return name
    return None


def install_section(text: str) -> dict[str, list[str]]:
    """Return the words of a unit's [Install] section, by key."""
    words: dict[str, list[str]] = {}
    section = ""
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == "[Install]" and "=" in line and not line.startswith(("#", ";")):
            key, _equals, value = line.partition("=")
            words.setdefault(key.strip(), []).extend(value.split())
    return words


def enable(plan: Plan, unit: str) -> None:
    """Let a unit start at boot, with the units its Also= names.

    Raises:
        GuestError: there is no such unit, or it cannot be enabled.
    """
    _enable(plan, unit, set())


def _enable(plan: Plan, unit: str, seen: set[str]) -> None:
    if unit in seen:
        return
    seen.add(unit)
    if is_masked(plan, unit):
        plan.remove(f"{ADMIN_FOLDER}/{unit}")
    path = find_unit(plan, unit)
    if path is None:
        raise GuestError(f"the guest has no unit {unit}", hint="install the package that brings it")
    install = install_section(tree.read_text(plan, path) or "")
    if not install:
        raise GuestError(f"the unit {unit} has no [Install] section and cannot be enabled", where=path)
    for link in _links(_instance(unit, install), install):
        if not _leads_to(plan, f"{ADMIN_FOLDER}/{link}", path):
            plan.symlink(f"{ADMIN_FOLDER}/{link}", path)
    for other in install.get("Also", ()):
        _enable(plan, unit_name(other), seen)


def _instance(unit: str, install: dict[str, list[str]]) -> str:
    """Return a unit's name; a template's is that of its default instance.

    Raises:
        GuestError: a template has none.
    """
    prefix, at, rest = unit.partition("@")
    if not at or not rest.startswith("."):
        return unit
    default = install.get("DefaultInstance")
    if not default:
        raise GuestError(f"the unit {unit} is a template", hint=f"name an instance, like {prefix}@name{rest}")
    return f"{prefix}@{default[-1]}{rest}"


def _leads_to(view: View, link: str, path: str) -> bool:
    """Say whether a link enables a unit already; it may name the unit's folder in another way."""
    real = tree.resolve(view, link, follow=False)
    entry = view.lstat(real)
    return bool(entry and entry.kind == "symlink" and tree.resolve(view, real) == tree.resolve(view, path))


def disable(plan: Plan, unit: str) -> None:
    """Keep a unit from being started at boot; nothing when it is absent or not enabled.

    Whatever asked for it, all links to it below the administrator's folder go, as ``systemctl disable`` does it.
    """
    path = find_unit(plan, unit)
    install = install_section(tree.read_text(plan, path) or "") if path else {}
    places = {f"{ADMIN_FOLDER}/{link}" for link in _links(unit, install)}
    for folder in tree.names_in(plan, ADMIN_FOLDER):
        if folder.endswith((".wants", ".requires")) and unit in tree.names_in(plan, f"{ADMIN_FOLDER}/{folder}"):
            places.add(f"{ADMIN_FOLDER}/{folder}/{unit}")
    for place in sorted(places):
        entry = plan.lstat(tree.resolve(plan, place, follow=False))
        if entry and entry.kind == "symlink":
            plan.remove(place)


def mask(plan: Plan, unit: str) -> None:
    """Keep a unit from being started at all.

    Raises:
        GuestError: the administrator's folder holds the unit itself, where the link would go.
    """
    path = f"{ADMIN_FOLDER}/{unit}"
    entry = plan.lstat(tree.resolve(plan, path, follow=False))
    if entry and entry.kind != "symlink":
        raise GuestError(f"the unit {unit} stands where its mask would", where=path, hint="disable it instead")
    plan.symlink(path, _NULL)


def unmask(plan: Plan, unit: str) -> None:
    """Take back `mask`."""
    if is_masked(plan, unit):
        plan.remove(f"{ADMIN_FOLDER}/{unit}")


def is_masked(view: View, unit: str) -> bool:
    """Say whether `mask` was done."""
    real = tree.resolve(view, f"{ADMIN_FOLDER}/{unit}", follow=False)
    entry = view.lstat(real)
    return bool(entry and entry.kind == "symlink" and view.readlink(real) == _NULL)


def _links(unit: str, install: dict[str, list[str]]) -> list[str]:
    """Return the links, below the administrator's folder, that enable a unit."""
    instance = unit.partition("@")[2].rpartition(".")[0]
    words = {key: [word.replace("%i", instance) for word in values] for key, values in install.items()}
    links = [f"{target}.wants/{unit}" for target in words.get("WantedBy", ())]
    links += [f"{target}.requires/{unit}" for target in words.get("RequiredBy", ())]
    links += words.get("Alias", ())
    return [link for link in links if link != unit and ".." not in link]


class Units:
    """Units of systemd by the names of services, other names among them; see `services.Manager`."""

    def enable(self, plan: Plan, name: str) -> None:
        """Let a unit start at boot."""
        enable(plan, own_name(plan, unit_name(name)))

    def disable(self, plan: Plan, name: str) -> None:
        """Keep a unit from being started at boot."""
        disable(plan, own_name(plan, unit_name(name)))

    def mask(self, plan: Plan, name: str) -> None:
        """Keep a unit from being started at all."""
        mask(plan, own_name(plan, unit_name(name)))

    def unmask(self, plan: Plan, name: str) -> None:
        """Take back `mask`."""
        unit = unit_name(name)
        unmask(plan, unit)
        unmask(plan, own_name(plan, unit))


__all__ = [
    "ADMIN_FOLDER",
    "Units",
    "disable",
    "enable",
    "find_unit",
    "install_section",
    "is_masked",
    "mask",
    "own_name",
    "template_of",
    "unit_name",
    "unmask",
]
