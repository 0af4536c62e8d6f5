# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GRUB for BIOS, put in place by its files alone: no mount, no device map, no guest program.

The boot sector holds the start of boot.img, which loads sector 1; core.img
lies from sector 1 up to the first partition. grub-mkimage already fills in the
block list for exactly this place, and `place` checks that it did. Layout of
both files: GRUB, grub-core/boot/i386/pc/boot.S and diskboot.S.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table

CONFIG_PATH = "/boot/grub/grub.cfg"

_FOLDER = "/usr/lib/grub/i386-pc"
_MODULES = (
    *("biosdisk", "part_msdos", "part_gpt", "ext2"),
    *("search", "search_fs_uuid", "configfile", "normal", "linux"),
    *("serial", "terminal", "echo", "test", "minicmd", "reboot", "halt"),
)
_SECTOR = 512
_BOOT_CODE = 440  # then come the disk signature and the partition table
_KERNEL_SECTOR = 0x5C  # in boot.img: where core.img begins
_BLOCK_LIST = 0x1F4  # in core.img: where its own rest lies: start, length, segment

# Incompatible features of ext that GRUB's driver reads or may ignore
# (GRUB, grub-core/fs/ext2.c: EXT2_DRIVER_SUPPORTED_INCOMPAT and _IGNORED_INCOMPAT).
_READABLE_FEATURES = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x10000


@dataclass(frozen=True)
class BootLoader:
    """The two pieces of GRUB that go before the first partition."""

    boot: bytes
    core: bytes


def require_readable(found: Filesystem, where: str) -> None:
    """Refuse a filesystem that GRUB cannot read.

    Raises:
        InputError: with the features in question.
    """
    unreadable = found.incompatible & ~_READABLE_FEATURES
    if unreadable:
        raise InputError(
            f"GRUB cannot read a filesystem with the features {unreadable:#x}",
            where=where,
            hint="make the filesystem without them (mke2fs -O ^feature)",
        )


def make(runner: Runner, root_uuid: str) -> BootLoader:
    """Build GRUB for a root filesystem, which it finds by UUID on whatever disk.

    Raises:
        ToolError: GRUB's files for BIOS are not on the builder.
    """
    boot_path = f"{_FOLDER}/boot.img"
    if not os.path.exists(boot_path):
        raise ToolError("GRUB's files for BIOS are not installed", hint="install the package grub-pc-bin")
    with open(boot_path, "rb") as file:
        boot = file.read()
    with tempfile.TemporaryDirectory(prefix="voc-grub-") as folder:
        early, core = os.path.join(folder, "early.cfg"), os.path.join(folder, "core.img")
        with open(early, "w", encoding="ascii") as text:
            text.write(
                f"search.fs_uuid {root_uuid} root\nset prefix=($root)/boot/grub\nconfigfile ($root){CONFIG_PATH}\n"
            )
        runner.run(["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", early, "-o", core, *_MODULES])
        with open(core, "rb") as file:
            return BootLoader(boot, file.read())


def check(loader: BootLoader, table: Table, where: str) -> None:
    """Check that GRUB fits before the first partition and knows where it will lie.

    Raises:
        InputError: the disk has no DOS table.
        SpaceError: the gap before the first partition is too small.
        ToolError: this GRUB expects to lie elsewhere.
    """
    if table.label != "dos":
        raise InputError(f"GRUB for BIOS needs a DOS partition table, not {table.label}", where=where)
    gap = (min(part.start for part in table.partitions) - 1) * _SECTOR
    if len(loader.core) > gap:
        raise SpaceError(
            f"GRUB needs {len(loader.core)} bytes before the first partition but there are {gap}",
            where=where,
            hint="let image_layout make the disk: its first partition begins at 1 MiB",
        )
    (kernel_sector,) = struct.unpack_from("<Q", loader.boot, _KERNEL_SECTOR)
    start, length = struct.unpack_from("<QH", loader.core, _BLOCK_LIST)
    rest = -(-len(loader.core) // _SECTOR) - 1
    if (kernel_sector, start, length) != (1, 2, rest):
        raise ToolError(
            f"this GRUB's block list is unexpected ({kernel_sector}, {start}, {length}, not 1, 2, {rest})",
            hint="use the GRUB of Debian 12 or 13",
        )


def is_placed(loader: BootLoader, path: str) -> bool:
    """Say whether a disk image already carries exactly this GRUB."""
    with open(path, "rb") as disk:
        code = disk.read(_BOOT_CODE)
        disk.seek(_SECTOR)
        return code == loader.boot[:_BOOT_CODE] and disk.read(len(loader.core)) == loader.core


def has_boot_code(path: str) -> bool:
    """Say whether there is any boot code in a disk's first sector."""
    with open(path, "rb") as disk:
        return any(disk.read(_BOOT_CODE))


def place(loader: BootLoader, path: str) -> None:
    """Write GRUB to a disk image; its partition table stays."""
    with open(path, "r+b") as disk:
        disk.seek(_SECTOR)
        disk.write(loader.core)
        disk.seek(0)
        disk.write(loader.boot[:_BOOT_CODE])


def config(kernels: Sequence[Kernel], root_uuid: str, command_line: str, title: str) -> str:
    """Return grub.cfg: one entry a kernel, on the screen and on the first serial port."""
    entries = "".join(_entry(kernel, root_uuid, command_line, title) for kernel in kernels)
    return (
        "# Written by voc.cluster. Guests without GRUB's packages do not rewrite it.\n"
        "set default=0\n"
        "set timeout=1\n"
        "if serial --unit=0 --speed=115200; then\n"
        "  terminal_input console serial\n"
        "  terminal_output console serial\n"
        "fi\n"
        f"{entries}"
    )


def _entry(kernel: Kernel, root_uuid: str, command_line: str, title: str) -> str:
    # The title comes from the guest; in single quotes only a quote is special.
    name = f"{title}, Linux {kernel.version}".replace("'", "")
    return (
        f"menuentry '{name}' {{\n"
        f"  search --no-floppy --fs-uuid --set=root {root_uuid}\n"
        f"  linux {_word(kernel.image)} {command_line}\n"
        f"  initrd {_word(kernel.initramfs or '')}\n"
        "}\n"
    )


def _word(path: str) -> str:
    """Return a guest path as one word of GRUB's script."""
    quoted = path.replace("'", "'\\''")
    return f"'{quoted}'"


__all__ = [
    "CONFIG_PATH",
    "BootLoader",
    "check",
    "config",
    "has_boot_code",
    "is_placed",
    "make",
    "place",
    "require_readable",
]
