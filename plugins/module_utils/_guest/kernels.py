# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The kernels of a guest, under the names that its family gives them.

Most are called by their version. Arch and Alpine call them by their package
(`vmlinuz-linux-lts`) or flavour (`vmlinuz-virt`), and only the folder of their
modules says the version. Boot entries of the Boot Loader Specification may
name kernels that lie elsewhere (uapi-group.org, specification 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

PREFIXES = ("vmlinuz-", "vmlinux-")
ENTRIES = "/boot/loader/entries"
_MODULES = "/lib/modules"
_INITRAMFS = ("initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initrd-{}.img", "initramfs-{}")
# A version goes into results, file names and GRUB's configuration: a name with more than this is no kernel's.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:@-]{0,127}")
# Debugging symbols of SUSE, checksums of EL, and the like lie beside kernels.
_NO_KERNEL = (".gz", ".hmac", ".xz", ".old", ".sig")


@dataclass(frozen=True)
class Kernel:
    """A kernel in /boot; paths are the guest's, None where the part is missing."""

    version: str
    image: str
    initramfs: str | None
    modules: str | None


def kernels(view: View) -> list[Kernel]:
    """Return the kernels in /boot, newest first."""
    names = tree.names_in(view, "/boot")
    found = {kernel.image: kernel for kernel in _by_name(view, names)}
    for kernel in _by_entry(view):
        found.setdefault(kernel.image, kernel)
    return sorted(found.values(), key=lambda kernel: version_key(kernel.version), reverse=True)


def _by_name(view: View, names: list[str]) -> Iterator[Kernel]:
    for name in names:
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if prefix is None or name.endswith(_NO_KERNEL):
            continue
        label = name[len(prefix) :]
        initramfs = next((given for form in _INITRAMFS if (given := form.format(label)) in names), None)
        version = _version_of(view, label)
        if _VERSION.fullmatch(version):
            path = f"{_MODULES}/{version}"
            yield Kernel(
                version=version,
                image=f"/boot/{name}",
                initramfs=f"/boot/{initramfs}" if initramfs else None,
                modules=path if tree.exists(view, path) else None,
            )


def _version_of(view: View, label: str) -> str:
    """Return the version of a kernel of this name: the name itself, unless other modules belong to it."""
    if label[:1].isdigit():
        return label
    versions = sorted(tree.names_in(view, _MODULES), key=version_key, reverse=True)
    for version in versions:
        # Arch says which package the modules belong to, Alpine puts the flavour behind the version.
        package = (tree.read_text(view, f"{_MODULES}/{version}/pkgbase") or "").strip()
        if package == label or (not package and version.endswith(f"-{label}")):
            return version
    return label


def _by_entry(view: View) -> Iterator[Kernel]:
    for name in tree.names_in(view, ENTRIES):
        if not name.endswith(".conf"):
            continue
        entry = parse_entry(tree.read_text(view, f"{ENTRIES}/{name}") or "")
        image = _in_boot(view, entry.get("linux"))
        version = entry.get("version", "")
        if image and _VERSION.fullmatch(version):
            modules = f"{_MODULES}/{version}"
            initramfs = _in_boot(view, entry.get("initrd"))
            yield Kernel(version, image, initramfs, modules if tree.exists(view, modules) else None)


def parse_entry(text: str) -> dict[str, str]:
    """Read a boot entry: its keys and their first values."""
    values: dict[str, str] = {}
    for line in text.splitlines()[:200]:
        key, _space, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            values.setdefault(key, value.strip())
    return values


def _in_boot(view: View, path: str | None) -> str | None:
    """Return where a file of a boot entry is: entries name it as the boot loader sees it, perhaps without /boot."""
    if not path or not re.fullmatch(r"/[A-Za-z0-9/._+~:@-]+", path) or ".." in path:
        return None
    candidates = [path] if path.startswith("/boot/") else [f"/boot{path}"]
    return next((place for place in candidates if tree.exists(view, place)), None)


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts version strings as people read them: 6.9 before 6.12."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


__all__ = ["ENTRIES", "PREFIXES", "Kernel", "kernels", "parse_entry", "version_key"]
