# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which drivers a kernel and its initramfs have, told by names of files; nothing of the guest is run.

An initramfs is cpio archives one after the other, with zeros between them; the
last may be compressed (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import typing as t
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import INSPECT, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, ImageError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image.compression import unpack

PACKED_LIMIT = 512 << 20  # bytes; those of distributions have 10 to 150 MiB
UNPACKED_LIMIT = 2 << 30

_ENTRY_LIMIT = 200_000
_NAME_LIMIT = 4096
_MAGICS = (b"070701", b"070702")
_HEADER = 110
_TRAILER = b"TRAILER!!!"
_PIECE = 1 << 20

# How compressed data begins (Linux, lib/decompress.c).
_COMPRESSIONS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x5d\0\0", "lzma"),
)
# ext4's driver reads the older ones, too; before Linux 4.3 each had its own.
_EXT_DRIVERS = {"ext2": ("ext4", "ext2"), "ext3": ("ext4", "ext3")}
_MODULE = re.compile(r"([^/]+)\.ko(?:\.gz|\.xz|\.zst)?")

# What to install where a flavour of a distribution's kernel lacks a driver, by the kernel's version.
_REMEDIES = (
    (r".*-cloud-(amd64|arm64)", r"install linux-image-\1 instead"),
    (r".*-(?:kvm|aws|azure|gcp|oracle)", r"install linux-image-generic instead"),
    (r"(.*-generic)", r"install linux-modules-extra-\1"),
    (r".*-(?:kvmsmall|base)", "install kernel-default instead"),
    (r".*-virt", "install linux-lts instead"),
    (r".*\.(?:el|fc)[0-9].*", r"install kernel-modules and kernel-modules-extra of the same version"),
)

_REBUILDING = (
    "name it in the guest's /etc/initramfs-tools/modules, to dracut with add_drivers, in MODULES of mkinitcpio.conf or"
    " among the features of mkinitfs.conf, and rebuild it"
)


@dataclass(frozen=True)
class Drivers:
    """What a kernel can drive.

    Attributes:
        builtin: drivers in the kernel itself.
        modules: those it can load from the root filesystem, with their paths.
        early: those its initramfs carries, which it can load before that.
    """

    builtin: Collection[str]
    modules: Mapping[str, str]
    early: Collection[str]

    def absent(self, wanted: Iterable[str]) -> list[str]:
        """Return which drivers the kernel does not have at all."""
        return [name for name in wanted if _plain(name) not in {*self.builtin, *self.modules, *self.early}]

    def late(self, wanted: Iterable[str]) -> list[str]:
        """Return which drivers cannot help to reach the root filesystem; a network can wait until then."""
        return [
            name
            for name in wanted
            if _plain(name) in self.modules
            and _plain(name) not in {*self.builtin, *self.early}
            and not _is_network(self.modules[_plain(name)])
        ]


def require(runner: Runner, files: GuestTree, kernel: Kernel, wanted: Collection[str], where: str) -> None:
    """Refuse a kernel that lacks a driver, or gets it too late.

    Args:
        wanted: names of drivers; ``-`` and ``_`` are the same, as for modprobe.

    Raises:
        GuestError: the drivers are named.
    """
    if not wanted:
        return
    found = look(runner, files, kernel, wanted)
    absent = found.absent(wanted)
    if absent:
        raise GuestError(
            f"the kernel {kernel.version} has no driver {', '.join(absent)}", where=where, hint=remedy(kernel.version)
        )
    late = found.late(wanted)
    if late:
        raise GuestError(
            f"the initramfs of the kernel {kernel.version} has no driver {', '.join(late)}",
            where=where,
            hint=_REBUILDING,
        )


def filesystem_drivers(files: GuestTree, kernel: Kernel, kind: str) -> list[str]:
    """Return the driver that a kernel must have to read a root filesystem of some type, as `require` takes it.

    It is none where nothing tells: old kernels do not list what is built in.
    """
    known = {
        name
        for listed in ("modules.builtin", "modules.dep")
        for name in _parse_modules(tree.read_text(files, f"{kernel.modules}/{listed}") or "")
    }
    names = _EXT_DRIVERS.get(kind, (kind,))
    there = [name for name in names if name in known]
    lists_builtin = tree.exists(files, f"{kernel.modules}/modules.builtin")
    return there[:1] or ([names[0]] if lists_builtin else [])


def remedy(version: str) -> str:
    """Return what to do about a kernel that lacks a driver."""
    for pattern, advice in _REMEDIES:
        match = re.fullmatch(pattern, version)
        if match:
            return match.expand(advice)
    return "install a kernel that has it"


def look(runner: Runner, files: GuestTree, kernel: Kernel, wanted: Collection[str] | None = None) -> Drivers:
    """Tell the drivers of a kernel.

    Args:
        wanted: the initramfs is read only until these are found; None for all of it.

    Raises:
        GuestError: its initramfs cannot be read.
    """
    modules = _parse_modules(tree.read_text(files, f"{kernel.modules}/modules.dep") or "")
    builtin = _parse_modules(tree.read_text(files, f"{kernel.modules}/modules.builtin") or "")
    early: set[str] = set()
    sought = None
    if wanted is not None:
        elsewhere = {*builtin, *(name for name, path in modules.items() if _is_network(path))}
        sought = {_plain(name) for name in wanted} - elsewhere
    if kernel.initramfs and sought != set():
        with tempfile.TemporaryDirectory(prefix="voc-initramfs-") as folder:
            copy = os.path.join(folder, "initramfs")
            files.copy_out(tree.resolve(files, kernel.initramfs), copy, PACKED_LIMIT)
            try:
                early = carried(runner, copy, folder, sought)
            except ImageError as error:
                raise GuestError(
                    f"its initramfs cannot be read ({error.found})",
                    where=kernel.initramfs,
                    hint="rebuild it in the guest",
                ) from error
    return Drivers(set(builtin), modules, early)


def _parse_modules(text: str) -> dict[str, str]:
    """Read modules.dep or modules.builtin (man 5 modules.dep): a driver's name -> its path."""
    found = {}
    for line in text.split("\n"):
        path = line.partition(":")[0]
        name = driver(path)
        if name:
            found[name] = path
    return found


def driver(path: str) -> str | None:
    """Return the name of the driver in a file of this path, or None when it is no driver."""
    match = _MODULE.fullmatch(path.rpartition("/")[2])
    return _plain(match.group(1)) if match else None


def _is_network(path: str) -> bool:
    return "/drivers/net/" in f"/{path}"


def _plain(name: str) -> str:
    return name.replace("-", "_")


def carried(runner: Runner, path: str, folder: str, sought: Collection[str] | None = None) -> set[str]:
    """Return the drivers in an initramfs.

    Args:
        folder: where it can be unpacked, empty but perhaps for the initramfs.
        sought: when all of these are in what is not compressed, the rest is not unpacked. Debian has
            put its modules there since Debian 13, for they are compressed themselves.

    Raises:
        ImageError: it is damaged, too large, or packed in an unknown way.
    """
    drivers: set[str] = set()
    with open(path, "rb") as file:
        offset, size = scan(file, drivers), os.fstat(file.fileno()).st_size
        if offset == size or (sought is not None and drivers.issuperset(sought)):
            return drivers
        file.seek(offset)
        head = file.read(6)
        compression = next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), None)
        if compression is None:
            raise DamagedImageError(f"at {offset} bytes is neither a cpio archive nor known compressed data")
        packed = os.path.join(folder, f"packed.{compression}")
        with open(packed, "wb") as rest:
            file.seek(offset)
            shutil.copyfileobj(file, rest, _PIECE)
    unpacked = os.path.join(folder, "unpacked")
    with open(unpacked, "wb"):
        pass
    _unpack(runner, packed, compression, unpacked)
    with open(unpacked, "rb") as file:
        offset = scan(file, drivers)
        if offset != os.fstat(file.fileno()).st_size:
            raise DamagedImageError(f"at {offset} bytes of what it unpacks to is no cpio archive")
    return drivers


def _unpack(runner: Runner, packed: str, compression: str, target: str) -> None:
    limits = replace(INSPECT, file_size=UNPACKED_LIMIT)
    if compression == "lz4":
        runner.run(["lz4", "-q", "-d", "-f", packed, target], limits=limits)
    elif compression == "lzma":
        runner.run(["xz", "-q", "-d", "-f", "--format=lzma", f"--memlimit-decompress={1 << 29}", packed], limits=limits)
        os.replace(packed.rpartition(".")[0], target)
    else:
        unpack(runner, packed, compression, target, UNPACKED_LIMIT)


def scan(file: t.BinaryIO, drivers: set[str]) -> int:
    """Add the drivers in the cpio archives at the begin of a file to a set; return the offset at which they end.

    Raises:
        DamagedImageError: an archive is cut short or malformed, or has too many files.
    """
    size = os.fstat(file.fileno()).st_size
    offset = entries = 0
    while offset < size:
        file.seek(offset)
        head = file.read(_HEADER)
        if head[:1] == b"\0":
            offset = _skip_zeros(file, offset, size)
            continue
        if head[:6] not in _MAGICS:
            return offset
        entries += 1
        name, end = _entry(file, head, offset, size)
        if entries > _ENTRY_LIMIT:
            raise DamagedImageError(f"a cpio archive has more than {_ENTRY_LIMIT} files")
        found = driver(name.decode("utf-8", "replace"))
        if found:
            drivers.add(found)
        offset = end
    return offset


def _entry(file: t.BinaryIO, head: bytes, offset: int, size: int) -> tuple[bytes, int]:
    """Return the name of the file whose header (of 110 bytes) was read at `offset`, and where the next one begins."""
    fields = head[6:]
    if len(head) < _HEADER or not re.fullmatch(rb"[0-9A-Fa-f]{104}", fields):
        raise DamagedImageError(f"the cpio header at {offset} bytes is damaged")
    length, name_length = int(fields[48:56], 16), int(fields[88:96], 16)
    if not 0 < name_length <= _NAME_LIMIT:
        raise DamagedImageError(f"the cpio header at {offset} bytes has a name of {name_length} bytes")
    name = file.read(name_length).rstrip(b"\0")
    if name == _TRAILER:
        length = 0
    data = _aligned(offset + _HEADER + name_length)
    # The zeros that align what comes next may be missing in the end.
    if offset + _HEADER + name_length > size or data + length > max(size, data):
        raise DamagedImageError(f"the cpio archive ends inside the file at {offset} bytes")
    return name, min(_aligned(data + length), size)


def _aligned(offset: int) -> int:
    return -(-offset // 4) * 4


def _skip_zeros(file: t.BinaryIO, offset: int, size: int) -> int:
    """Return the offset of the first byte that is not zero, or the end."""
    file.seek(offset)
    while piece := file.read(_PIECE):
        rest = piece.lstrip(b"\0")
        offset += len(piece) - len(rest)
        if rest:
            return offset
    return size


__all__ = [
    "PACKED_LIMIT",
    "UNPACKED_LIMIT",
    "Drivers",
    "carried",
    "driver",
    "filesystem_drivers",
    "look",
    "remedy",
    "require",
    "scan",
]
