# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which guest is it: told by its files, without running any of them."""

from __future__ import annotations

import re
import shlex
import struct
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, printable
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

# ELF e_machine (System V ABI) -> the kernel's name of the architecture.
_MACHINES = {3: "i386", 20: "ppc", 21: "ppc64", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}

# The first that is there wins; dnf stands before the yum that it replaces.
_PACKAGE_MANAGERS = (
    ("apt", "/usr/bin/apt-get"),
    ("dnf", "/usr/bin/dnf"),
    ("dnf", "/usr/bin/dnf5"),
    ("yum", "/usr/bin/yum"),
    ("zypper", "/usr/bin/zypper"),
    ("pacman", "/usr/bin/pacman"),
    ("apk", "/sbin/apk"),
)
_INITS = (
    ("systemd", "/usr/lib/systemd/systemd"),
    ("systemd", "/lib/systemd/systemd"),
    ("openrc", "/sbin/openrc"),
    ("upstart", "/sbin/initctl"),
    ("sysvinit", "/sbin/init"),
)
_NETWORK_STACKS = (
    ("netplan", "/usr/sbin/netplan"),
    ("networkmanager", "/usr/sbin/NetworkManager"),
    ("ifupdown", "/sbin/ifup"),
    ("networkd", "/usr/lib/systemd/systemd-networkd"),
    ("networkd", "/lib/systemd/systemd-networkd"),
)
_BOOT_LOADERS = (
    ("grub2", "/boot/grub/grub.cfg"),
    ("grub2", "/boot/grub2/grub.cfg"),
    ("grub-legacy", "/boot/grub/menu.lst"),
    ("grub-legacy", "/boot/grub/grub.conf"),
    ("extlinux", "/boot/extlinux/extlinux.conf"),
    ("extlinux", "/boot/extlinux.conf"),
    ("systemd-boot", "/boot/loader/loader.conf"),
    ("systemd-boot", "/boot/efi/loader/loader.conf"),
)
_PYTHONS = ("/usr/bin/python3", "/usr/libexec/platform-python", "/usr/bin/python2", "/usr/bin/python")

# What told the release before os-release did: file, ID, and where in its text the version is.
_OLDER_RELEASES = (
    ("/etc/SuSE-release", "suse", r"VERSION = ([\d.]+)"),
    ("/etc/centos-release", "centos", r"release ([\d.]+)"),
    ("/etc/redhat-release", "rhel", r"release ([\d.]+)"),
    ("/etc/alpine-release", "alpine", r"([\d.]+)"),
    ("/etc/arch-release", "arch", r"(?!)"),
    ("/etc/debian_version", "debian", r"([\d.]+)"),
)
KERNEL_PREFIX = "vmlinuz-"
# A version goes into results, file names and GRUB's configuration: a name with more than this is no kernel's.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:@-]{0,127}")
_LINE_LIMIT = 4096


@dataclass(frozen=True)
class Kernel:
    """A kernel in /boot; paths are the guest's, None where the part is missing."""

    version: str
    image: str
    initramfs: str | None
    modules: str | None


@dataclass(frozen=True)
class Guest:
    """What the files say about the system; None where nothing tells.

    Attributes:
        python: the path of its newest Python.
        cloud_init: whether it has cloud-init, which rewrites network and users at first boot.
    """

    id: str | None
    version: str | None
    name: str | None
    architecture: str | None
    package_manager: str | None
    init: str | None
    network_stacks: tuple[str, ...]
    kernels: tuple[Kernel, ...] = ()
    boot_loader: str | None = None
    python: str | None = None
    cloud_init: bool = False
    fstab: tuple[FstabEntry, ...] = ()

    @property
    def newest_kernel(self) -> Kernel | None:
        """The kernel that would be booted."""
        return self.kernels[0] if self.kernels else None


def inspect(view: View) -> Guest:
    """Describe the guest in a tree."""
    text = _text(view, "/etc/os-release") or _text(view, "/usr/lib/os-release")
    release = parse_os_release(text) if text else _older_release(view)
    return Guest(
        id=release.get("ID"),
        version=release.get("VERSION_ID"),
        name=release.get("PRETTY_NAME"),
        architecture=_architecture(view),
        package_manager=_first(view, _PACKAGE_MANAGERS),
        init=_first(view, _INITS),
        network_stacks=tuple(dict.fromkeys(name for name, path in _NETWORK_STACKS if exists(view, path))),
        kernels=tuple(kernels(view)),
        boot_loader=_first(view, _BOOT_LOADERS),
        python=next((path for path in _PYTHONS if exists(view, path)), None),
        cloud_init=exists(view, "/usr/bin/cloud-init") and not exists(view, "/etc/cloud/cloud-init.disabled"),
        fstab=tuple(fstab.parse(_text(view, fstab.PATH) or "")),
    )


def exists(view: View, path: str) -> bool:
    """Say whether something stands at a guest path, links followed; a loop of links leads to nothing."""
    try:
        return tree.lookup(view, path)[1] is not None
    except GuestError:
        return False


def _text(view: View, path: str) -> str | None:
    """Return a file's text; None where there is none, or none that can be read."""
    try:
        return tree.read_text(view, path)
    except GuestError:
        return None


def _first(view: View, candidates: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for name, path in candidates if exists(view, path)), None)


def parse_os_release(text: str) -> dict[str, str]:
    """Read an os-release file (man 5 os-release); it is data, never run as shell.

    Values are made printable and are at most 200 characters long.
    """
    values: dict[str, str] = {}
    for line in text.splitlines()[:200]:
        key, equals, value = line.strip().partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
            continue
        try:
            words = shlex.split(value[:_LINE_LIMIT])  # its time grows with the square of the length
        except ValueError:
            continue
        values[key] = printable(words[0] if words else "")[:200]
    return values


def _older_release(view: View) -> dict[str, str]:
    """Return what the files before os-release say, by its keys (EL 5 and 6, SLES 11, ...)."""
    for path, name, version in _OLDER_RELEASES:
        text = _text(view, path)
        if text is not None:
            found = re.search(version, text[:_LINE_LIMIT])
            first = printable(text[:_LINE_LIMIT].strip().partition("\n")[0])[:200]
            return {"ID": name, "PRETTY_NAME": first, **({"VERSION_ID": found.group(1)} if found else {})}
    return {}


def _architecture(view: View) -> str | None:
    for path in ("/bin/sh", "/usr/bin/env", "/sbin/init"):
        if not exists(view, path):
            continue
        real, entry = tree.lookup(view, path)
        if entry and entry.kind == "file" and 64 < entry.size < tree.READ_LIMIT:
            return elf_machine(view.read(real))
    return None


def elf_machine(head: bytes) -> str | None:
    """Return the architecture that an ELF file is for, by its header."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    order = ">" if head[5] == 2 else "<"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    return _MACHINES.get(machine)


def kernels(view: View) -> list[Kernel]:
    """Return the kernels in /boot, newest first."""
    names = tree.names_in(view, "/boot")
    versions = [name[len(KERNEL_PREFIX) :] for name in names if name.startswith(KERNEL_PREFIX)]
    told = filter(_VERSION.fullmatch, versions)
    return [_kernel(view, version, names) for version in sorted(told, key=version_key, reverse=True)]


def _kernel(view: View, version: str, names: list[str]) -> Kernel:
    initramfs = (f"initrd.img-{version}", f"initramfs-{version}.img", f"initrd-{version}")
    modules = f"/lib/modules/{version}"
    return Kernel(
        version=version,
        image=f"/boot/{KERNEL_PREFIX}{version}",
        initramfs=next((f"/boot/{name}" for name in initramfs if name in names), None),
        modules=modules if exists(view, modules) else None,
    )


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts version strings as people read them: 6.9 before 6.12."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


__all__ = [
    "KERNEL_PREFIX",
    "Guest",
    "Kernel",
    "elf_machine",
    "exists",
    "inspect",
    "kernels",
    "parse_os_release",
    "version_key",
]
