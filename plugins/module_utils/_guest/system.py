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
from ansible_collections.voc.cluster.plugins.module_utils._guest.kernels import ENTRIES, Kernel, kernels, version_key
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import stacks
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View, exists

# ELF e_machine (System V ABI) -> the kernel's name of the architecture.
_MACHINES = {
    3: "i386",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}

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
# Told by what /sbin/init is, and where that says nothing by what is there.
_INITS = (
    ("systemd", "/usr/lib/systemd/systemd"),
    ("systemd", "/lib/systemd/systemd"),
    ("openrc", "/sbin/openrc"),
    ("upstart", "/sbin/initctl"),
    ("sysvinit", "/sbin/init"),
)
_SYSTEMD_FOLDERS = ("/usr/lib/systemd", "/lib/systemd")
_SYSTEMD_LIBRARY = re.compile(r"libsystemd-(?:shared|core)-(\d{2,4})\b.*\.so")
_SYSTEMD_VERSION = re.compile(rb"systemd (\d{2,4})\b")
_LIBRARY_FOLDERS = ("/lib64", "/lib", "/usr/lib64", "/usr/lib")
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
_SELINUX = "/etc/selinux"

# What told the release before os-release did: file, ID, and where in its text the version is.
_OLDER_RELEASES = (
    ("/etc/SuSE-release", "suse", r"VERSION = ([\d.]+)"),
    ("/etc/centos-release", "centos", r"release ([\d.]+)"),
    ("/etc/redhat-release", "rhel", r"release ([\d.]+)"),
    ("/etc/alpine-release", "alpine", r"([\d.]+)"),
    ("/etc/arch-release", "arch", r"(?!)"),
    ("/etc/debian_version", "debian", r"([\d.]+)"),
)
_LINE_LIMIT = 4096


@dataclass(frozen=True)
class Guest:
    """What the files say about the system; None where nothing tells.

    Attributes:
        init_version: the version of systemd; None with other init systems.
        network_stacks: those that are installed, the likeliest to be in charge first.
        network: the one that is in charge; None when none is started at boot.
        boot_entries: whether there are entries of the Boot Loader Specification (EL 8 and later, systemd-boot).
        python: the path of its newest Python.
        cloud_init: whether it has cloud-init, which rewrites network and users at first boot.
        selinux: ``enforcing``, ``permissive`` or ``disabled``; None without a policy.
        glibc: the version of its C library, before 2.34; later ones do not say it by their names.
    """

    id: str | None
    version: str | None
    name: str | None
    architecture: str | None
    package_manager: str | None
    init: str | None
    network_stacks: tuple[str, ...]
    kernels: tuple[Kernel, ...] = ()
    network: str | None = None
    init_version: int | None = None
    boot_loader: str | None = None
    boot_entries: bool = False
    python: str | None = None
    cloud_init: bool = False
    selinux: str | None = None
    glibc: str | None = None
    fstab: tuple[FstabEntry, ...] = ()

    @property
    def newest_kernel(self) -> Kernel | None:
        """The kernel that would be booted."""
        return self.kernels[0] if self.kernels else None


def inspect(view: View) -> Guest:
    """Describe the guest in a tree."""
    text = _text(view, "/etc/os-release") or _text(view, "/usr/lib/os-release")
    release = parse_os_release(text) if text else _older_release(view)
    found = stacks.find(view)
    init = init_system(view)
    return Guest(
        id=release.get("ID"),
        version=release.get("VERSION_ID"),
        name=release.get("PRETTY_NAME"),
        architecture=_architecture(view),
        package_manager=_first(view, _PACKAGE_MANAGERS),
        init=init,
        init_version=_systemd_version(view) if init == "systemd" else None,
        network_stacks=tuple(stack.name for stack in found),
        network=next((stack.name for stack in found if stack.started), None),
        kernels=tuple(kernels(view)),
        boot_loader=_first(view, _BOOT_LOADERS),
        boot_entries=any(name.endswith(".conf") for name in tree.names_in(view, ENTRIES)),
        python=_python(view),
        cloud_init=exists(view, "/usr/bin/cloud-init") and not exists(view, "/etc/cloud/cloud-init.disabled"),
        selinux=_selinux(view),
        glibc=_glibc(view),
        fstab=tuple(fstab.parse(_text(view, fstab.PATH) or "")),
    )


def _text(view: View, path: str) -> str | None:
    """Return a file's text; None where there is none, or none that can be read."""
    try:
        return tree.read_text(view, path)
    except GuestError:
        return None


def _first(view: View, candidates: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for name, path in candidates if exists(view, path)), None)


def init_system(view: View) -> str | None:
    """Tell the init system: a guest may have several installed, and runs the one that /sbin/init is."""
    try:
        real, entry = tree.lookup(view, "/sbin/init")
    except GuestError:
        entry = None
    if entry and real.endswith("/systemd"):
        return "systemd"
    if entry and entry.kind == "file":
        others = tuple(each for each in _INITS if each[0] != "systemd")
        return _first(view, others)
    return _first(view, _INITS)


def _systemd_version(view: View) -> int | None:
    """Return systemd's version, by the name of its library or, before there was one, by the text in its program."""
    multiarch = [f"{folder}/{name}/systemd" for folder in ("/usr/lib", "/lib") for name in _triplets(view, folder)]
    for folder in (*_SYSTEMD_FOLDERS, *multiarch):
        for name in tree.names_in(view, folder):
            found = _SYSTEMD_LIBRARY.fullmatch(name)
            if found:
                return int(found.group(1))
    for folder in _SYSTEMD_FOLDERS:
        real, entry = tree.lookup(view, f"{folder}/systemd")
        if entry and entry.kind == "file" and entry.size < tree.READ_LIMIT:
            text = _SYSTEMD_VERSION.search(view.read(real))
            return int(text.group(1)) if text else None
    return None


def _triplets(view: View, folder: str) -> list[str]:
    """Return the folders of one architecture's libraries that Debian has."""
    return [name for name in tree.names_in(view, folder) if "-linux-gnu" in name]


def _glibc(view: View) -> str | None:
    """Return the C library's version, which its file was named by until 2.34."""
    multiarch = [f"{folder}/{name}" for folder in ("/lib", "/usr/lib") for name in _triplets(view, folder)]
    for folder in (*_LIBRARY_FOLDERS, *multiarch):
        for name in tree.names_in(view, folder):
            found = re.fullmatch(r"libc-(\d+(?:\.\d+){1,2})\.so", name)
            if found:
                return found.group(1)
    return None


def _python(view: View) -> str | None:
    """Return the newest Python; one without a common name is told by its version."""
    common = next((path for path in _PYTHONS if exists(view, path)), None)
    if common and "3" in common:
        return common
    numbered = [name for name in tree.names_in(view, "/usr/bin") if re.fullmatch(r"python3\.\d{1,2}", name)]
    return f"/usr/bin/{max(numbered, key=version_key)}" if numbered else common


def _selinux(view: View) -> str | None:
    """Return the state of SELinux at the next boot (man 5 selinux_config)."""
    told = dict(
        re.findall(
            r"^[ \t]*(SELINUX|SELINUXTYPE)[ \t]*=[ \t]*(\w+)", _text(view, f"{_SELINUX}/config") or "", re.MULTILINE
        )
    )
    policy = f"{_SELINUX}/{told.get('SELINUXTYPE', 'targeted')}/contexts/files/file_contexts"
    state = told.get("SELINUX", "").lower()
    if state not in ("enforcing", "permissive", "disabled"):
        return None
    return state if exists(view, policy) or state == "disabled" else None


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
    if machine == 21 and order == "<":
        return "ppc64le"
    return _MACHINES.get(machine)


__all__ = [
    "Guest",
    "Kernel",
    "elf_machine",
    "init_system",
    "inspect",
    "kernels",
    "parse_os_release",
    "version_key",
]
