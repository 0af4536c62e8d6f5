# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What an instance is: settings that a libvirt domain or a Xen configuration is written from."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError

FIRMWARES = ("bios", "uefi")
FOLDER = "/var/lib/voc-cluster/instances"
# What the modules that make an instance's files have in common; see the documentation fragment _instance.
ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "folder": {"type": "path", "default": FOLDER},
    "memory": {"type": "str", "default": "2G"},
    "vcpus": {"type": "int", "default": 1},
    "architecture": {"type": "str", "default": "x86_64"},
    "overcommit": {"type": "float", "default": 1.0},
}
DIRECT_BOOT: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "kernel": {"type": "path", "required": True},
        "initramfs": {"type": "path", "required": True},
        "command_line": {"type": "str", "required": True},
    },
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ROUNDS = 100_000  # a twentieth of a second
_BUS = {"virtio": "vd", "sata": "sd", "scsi": "sd"}


@dataclass(frozen=True)
class DirectBoot:
    """A kernel that the hypervisor starts itself, without a boot loader; paths on the hypervisor."""

    kernel: str
    initramfs: str
    command_line: str


@dataclass(frozen=True)
class Definition:
    """An instance, apart from where it is now.

    Attributes:
        uuid: of its domain, always the same.
        hypervisor: the inventory's name of the host it runs on; two names can mean one machine.
        voc: the virtual cluster it works for, or an empty text.
        release: the image file that its overlay is based on, on the hypervisor; never written to.
        folder: where its own files are, on the hypervisor.
        memory: in MiB.
        machine: QEMU's machine type.
        cpu: a mode of libvirt (host-passthrough, host-model, maximum) or the name of a model;
            an empty text for what suits the accelerator.
        disk_bus: of its disk: virtio, sata or scsi.
        bridge: the host's bridge it is connected to; else `network`, one of libvirt's, is not empty.
        scratch: the size of a second, blank disk in bytes; 0 for none.
        seed: tells what is in its NoCloud seed, see `seed_digest`; an empty text for none.
        direct_boot: for partition images.
    """

    name: str
    uuid: str
    mac: str
    hypervisor: str
    release: str
    folder: str
    voc: str = ""
    memory: int = 2048
    vcpus: int = 1
    architecture: str = "x86_64"
    machine: str = "q35"
    cpu: str = ""
    firmware: str = "bios"
    disk_bus: str = "virtio"
    bridge: str = ""
    network: str = ""
    scratch: int = 0
    seed: str = ""
    direct_boot: DirectBoot | None = None

    @property
    def overlay(self) -> str:
        """The path of its disk."""
        return self._file("qcow2")

    @property
    def scratch_disk(self) -> str:
        """The path of its second disk."""
        return self._file("scratch.qcow2")

    @property
    def seed_image(self) -> str:
        """The path of its NoCloud seed."""
        return self._file("seed.img")

    @property
    def nvram(self) -> str:
        """The path of what UEFI keeps."""
        return self._file("nvram")

    @property
    def log(self) -> str:
        """The path of what it writes to its serial console."""
        return self._file("log")

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files that it may have and that end with it; its log stays."""
        return self.overlay, self.scratch_disk, self.seed_image, self.nvram

    def device(self, number: int) -> str:
        """Return the name of its disk of this number, as libvirt wants it."""
        return f"{_BUS[self.disk_bus]}{'abcd'[number]}"

    def digest(self) -> str:
        """Return what tells whether a running domain is this one."""
        settings = asdict(self)
        del settings["hypervisor"]  # the same machine by another name
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def _file(self, ending: str) -> str:
        return os.path.join(self.folder, f"{self.name}.{ending}")


def seed_digest(name: str, seed: Mapping[str, t.Any] | None) -> str:
    """Return what tells whether the seed of an instance of this name has another content; nothing for none.

    Raises:
        InputError: it is no NoCloud seed.
    """
    if seed is None:
        return ""
    if not {"meta-data"} <= set(seed) <= {"meta-data", "user-data", "network-config"}:
        raise InputError("a seed has meta-data, and user-data and network-config if you like", where="seed")
    for key, value in seed.items():
        if not isinstance(value, str):
            raise InputError(
                "it is no text", where=f"seed: {key}", hint=f"write it as '{key}: |', with the file's lines"
            )
    # libvirt shows domains to every user of the hypervisor, so nobody shall find out a password by trying.
    content = json.dumps(seed, sort_keys=True).encode()
    return hashlib.pbkdf2_hmac("sha256", content, name.encode(), _ROUNDS).hex()


def require_name(name: str) -> None:
    """See to it that the files of an instance of this name are in its folder.

    Raises:
        InputError: they would not be.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be an instance's name", hint="use letters, digits, dots and dashes")


def require_sound(definition: Definition) -> None:
    """See to it that names cannot lead elsewhere and the instance has a network.

    Raises:
        InputError: something cannot be.
    """
    require_name(definition.name)
    if not os.path.isabs(definition.release) or not os.path.isabs(definition.folder):
        raise InputError("image and overlay must be absolute paths", where=definition.name)
    if bool(definition.bridge) == bool(definition.network):
        raise InputError("an instance needs either a bridge or a network", where=definition.name)
    if definition.memory < 64 or definition.vcpus < 1:
        raise InputError("an instance needs at least 64 MiB of memory and a processor", where=definition.name)


__all__ = [
    "ARGUMENT_SPEC",
    "DIRECT_BOOT",
    "FIRMWARES",
    "FOLDER",
    "Definition",
    "DirectBoot",
    "require_name",
    "require_sound",
    "seed_digest",
]
