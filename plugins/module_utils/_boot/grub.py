# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""GRUB and its configuration; for BIOS put in place by its files alone: no mount, no device map, no guest program.

The boot sector holds the start of boot.img, which loads the first sector of
core.img; that one loads the rest by its block list. On a disk with a DOS table
core.img lies from sector 1 up to the first partition, on one with a GPT in the
BIOS boot partition. grub-mkimage fills in the block list for sector 1, which
`locate` checks before it puts another place there. Layout of both files: GRUB,
grub-core/boot/i386/pc/boot.S and diskboot.S.
"""

from __future__ import annotations

import os
import posixpath
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner, first_of
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest import composed
from ansible_collections.voc.cluster.plugins.module_utils._guest.command_line import for_grub, grub_word
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Table

CONFIG_PATH = "/boot/grub/grub.cfg"

FOLDER = "/usr/lib/grub"
_BIOS_PLATFORM = "i386-pc"
_MODULES = (
    *("part_msdos", "part_gpt"),
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


# The same of XFS, for Debian 12's GRUB 2.06 and for 2.12 (grub-core/fs/xfs.c: XFS_SB_FEAT_INCOMPAT_SUPPORTED).
_READABLE_XFS_FEATURES = 0x3F
_DRIVERS = {"xfs": "xfs", "btrfs": "btrfs"}  # ext2 reads all the others that there are


@dataclass(frozen=True)
class Home:
    """The filesystem that GRUB finds by its UUID, and that holds its configuration and the kernels.

    Attributes:
        type: by the names of libblkid.
        mount_point: where it belongs in the guest.
    """

    uuid: str
    type: str = "ext4"
    mount_point: str = "/"

    def path(self, path: str) -> str:
        """Return the path of a guest's file in this filesystem, which GRUB sees alone."""
        return composed.below(path, self.mount_point)


@dataclass(frozen=True)
class BootLoader:
    """The two pieces of GRUB for BIOS, and the sector of 512 bytes at which the second begins."""

    boot: bytes
    core: bytes
    start: int = 1


def require_readable(found: Filesystem, where: str) -> None:
    """Refuse a filesystem that GRUB cannot read.

    Raises:
        InputError: with the features in question.
    """
    unreadable = found.incompatible & ~(_READABLE_FEATURES if found.is_ext else _READABLE_XFS_FEATURES)
    if unreadable:
        without = "mke2fs -O ^feature" if found.is_ext else "mkfs.xfs -i exchange=0 -n parent=0"
        raise InputError(
            f"GRUB cannot read a filesystem with the features {unreadable:#x}",
            where=where,
            hint=f"make the filesystem without them ({without})",
        )


def make(runner: Runner, home: Home) -> BootLoader:
    """Build GRUB for BIOS and the filesystem of its configuration, which it finds by UUID on whatever disk.

    Raises:
        ToolError: GRUB's files for BIOS are not on the builder.
    """
    boot_path = f"{FOLDER}/{_BIOS_PLATFORM}/boot.img"
    if not os.path.exists(boot_path):
        raise ToolError("GRUB's files for BIOS are not installed", hint="install the package grub-pc-bin")
    with open(boot_path, "rb") as file:
        boot = file.read()
    return BootLoader(boot, make_image(runner, _BIOS_PLATFORM, home, ("biosdisk",)))


def make_image(runner: Runner, platform: str, home: Home, modules: Sequence[str]) -> bytes:
    """Return GRUB in one piece for a platform: it looks for a filesystem by UUID and reads `CONFIG_PATH` there.

    Args:
        modules: what the platform needs beside what all need.
    """
    with tempfile.TemporaryDirectory(prefix="voc-grub-") as folder:
        early, made = os.path.join(folder, "early.cfg"), os.path.join(folder, "grub.img")
        config_path = home.path(CONFIG_PATH)
        folder_path = posixpath.dirname(config_path)
        with open(early, "w", encoding="ascii") as text:
            text.write(
                f"search.fs_uuid {home.uuid} root\nset prefix=($root){folder_path}\nconfigfile ($root){config_path}\n"
            )
        needed = (*_MODULES, _DRIVERS.get(home.type, "ext2"), *modules)
        # EL, Fedora and SUSE call it grub2-mkimage.
        tool = first_of("grub2-mkimage", "grub-mkimage")
        runner.run([tool, "-O", platform, "-p", folder_path, "-c", early, "-o", made, *needed])
        with open(made, "rb") as file:
            return file.read()


def locate(loader: BootLoader, table: Table, where: str) -> BootLoader:
    """Return GRUB as it must be for its place on a disk.

    Raises:
        InputError: the disk has no place for it.
        SpaceError: the place is too small.
        ToolError: this GRUB is made in an unexpected way.
    """
    (kernel_sector,) = struct.unpack_from("<Q", loader.boot, _KERNEL_SECTOR)
    start, length = struct.unpack_from("<QH", loader.core, _BLOCK_LIST)
    rest = -(-len(loader.core) // _SECTOR) - 1
    if (kernel_sector, start, length) != (1, 2, rest):
        raise ToolError(
            f"this GRUB's block list is unexpected ({kernel_sector}, {start}, {length}, not 1, 2, {rest})",
            hint="use the GRUB of Debian 12 or 13",
        )
    if table.sector_size != _SECTOR:
        raise InputError(
            f"BIOS cannot start a disk with sectors of {table.sector_size} bytes",
            where=where,
            hint="use firmware: uefi, or sectors of 512 bytes",
        )
    first, room, place_name = _gap(table) if table.label == "dos" else _boot_partition(table, where)
    if len(loader.core) > room * _SECTOR:
        raise SpaceError(
            f"GRUB needs {len(loader.core)} bytes {place_name} but there are {room * _SECTOR}",
            where=where,
            hint="let image_layout make the disk",
        )
    return _moved(loader, first)


def _gap(table: Table) -> tuple[int, int, str]:
    """Return where the gap before the first partition begins and its length, in sectors, and how it is called."""
    return 1, min(part.start for part in table.partitions) - 1, "before the first partition"


def _boot_partition(table: Table, where: str) -> tuple[int, int, str]:
    """Return the same of a GPT's BIOS boot partition."""
    for part in table.partitions:
        if part.is_for("bios"):
            return part.start, part.size, "in the BIOS boot partition"
    raise InputError(
        "BIOS cannot start a disk with a GPT that has no BIOS boot partition",
        where=where,
        hint="let image_layout make a disk with one, or use firmware: uefi",
    )


def _moved(loader: BootLoader, first: int) -> BootLoader:
    """Return GRUB with core.img at another sector."""
    boot, core = bytearray(loader.boot), bytearray(loader.core)
    struct.pack_into("<Q", boot, _KERNEL_SECTOR, first)
    struct.pack_into("<Q", core, _BLOCK_LIST, first + 1)
    return replace(loader, boot=bytes(boot), core=bytes(core), start=first)


def is_placed(loader: BootLoader, path: str) -> bool:
    """Say whether a disk image already carries exactly this GRUB."""
    with open(path, "rb") as disk:
        code = disk.read(_BOOT_CODE)
        disk.seek(loader.start * _SECTOR)
        return code == loader.boot[:_BOOT_CODE] and disk.read(len(loader.core)) == loader.core


def has_boot_code(path: str) -> bool:
    """Say whether there is any boot code in a disk's first sector."""
    with open(path, "rb") as disk:
        return any(disk.read(_BOOT_CODE))


def place(loader: BootLoader, path: str) -> None:
    """Write GRUB to a disk image; its partition table stays."""
    with open(path, "r+b") as disk:
        disk.seek(loader.start * _SECTOR)
        disk.write(loader.core)
        disk.seek(0)
        disk.write(loader.boot[:_BOOT_CODE])


def config(kernels: Sequence[Kernel], home: Home, command_line: str, title: str) -> str:
    """Return grub.cfg: one entry a kernel, on the screen and on the first serial port.

    Raises:
        InputError: see `for_grub`.
    """
    line = for_grub([command_line])
    entries = "".join(_entry(kernel, home, line, title) for kernel in kernels)
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


def _entry(kernel: Kernel, home: Home, line: str, title: str) -> str:
    # The title comes from the guest; in single quotes only a quote is special.
    name = f"{title}, Linux {kernel.version}".replace("'", "")
    return (
        f"menuentry '{name}' {{\n"
        f"  search --no-floppy --fs-uuid --set=root {home.uuid}\n"
        f"  linux {grub_word(home.path(kernel.image))} {line}\n"
        f"  initrd {grub_word(home.path(kernel.initramfs or ''))}\n"
        "}\n"
    )


__all__ = [
    "CONFIG_PATH",
    "FOLDER",
    "BootLoader",
    "Home",
    "config",
    "has_boot_code",
    "is_placed",
    "locate",
    "make",
    "make_image",
    "place",
    "require_readable",
]
