# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The EFI system partition: found in the table, its files reached by mtools, without a mount."""

from __future__ import annotations

import os
import posixpath
import struct
import tempfile
from collections.abc import Collection
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import INSPECT, Completed, Runner, find
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    FileSizeError,
    InputError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Partition, Table

READ_LIMIT = 1 << 20  # bytes: what is read of it is text


def partitions_of(table: Table) -> list[Partition]:
    """Return the EFI system partitions of a disk."""
    return [part for part in table.partitions if part.is_for("esp")]


def locate(table: Table, image: str) -> Volume:
    """Return where the EFI system partition of a raw disk image lies.

    Raises:
        InputError: there is none, or more than one, or it holds no FAT filesystem.
        DamagedImageError: its filesystem does not fit the partition.
    """
    found = partitions_of(table)
    if len(found) != 1:
        count = "more than one" if found else "no"
        raise InputError(
            f"it has {count} EFI system partition",
            where=image,
            hint="let image_layout make a disk with one, or use firmware: bios",
        )
    volume = Volume(image, table.offset(found[0]), table.length(found[0]))
    with open(image, "rb") as file:
        file.seek(volume.offset)
        sector = file.read(512)
    try:
        require_fat(sector, volume.size)
    except (DamagedImageError, InputError) as error:
        error.where = f"{image}, partition {found[0].number}"
        raise
    return volume


def require_fat(sector: bytes, size: int) -> None:
    """Refuse a region whose first sector is not that of a FAT filesystem within `size` bytes.

    mtools believes what it reads: a filesystem that claims more than its
    partition would be written beyond its end.
    Source of the format: Microsoft, FAT32 File System Specification, 3.1 to 3.3.

    Raises:
        InputError: it is not FAT.
        DamagedImageError: its parts do not fit.
    """
    if len(sector) < 512 or sector[510:512] != b"\x55\xaa":
        raise InputError("the EFI system partition holds no FAT filesystem", hint="make one with mkfs.vfat")
    bytes_per_sector, sectors_per_cluster, reserved, tables, root_entries = struct.unpack_from("<HBHBH", sector, 11)
    small_total, table_length = struct.unpack_from("<H1xH", sector, 19)
    (large_total,) = struct.unpack_from("<I", sector, 32)
    (large_table_length,) = struct.unpack_from("<I", sector, 36)
    if bytes_per_sector not in (512, 1024, 2048, 4096) or not sectors_per_cluster or not reserved or not tables:
        raise InputError("the EFI system partition holds no FAT filesystem", hint="make one with mkfs.vfat")
    total = small_total or large_total
    before_data = reserved + tables * (table_length or large_table_length)
    before_data += -(-root_entries * 32 // bytes_per_sector)
    if total * bytes_per_sector > size or before_data >= total:
        raise DamagedImageError(
            f"the FAT filesystem claims {total} sectors of {bytes_per_sector} bytes, {before_data} of them for "
            f"itself, but the partition has {size} bytes",
            hint="make the filesystem anew with mkfs.vfat",
        )


def holds(runner: Runner, volume: Volume, path: str, content: bytes) -> bool:
    """Say whether a file of the EFI system partition is there with exactly this content."""
    with tempfile.TemporaryDirectory(prefix="voc-esp-") as folder:
        copy = os.path.join(folder, "copy")
        try:
            done = _mtools(runner, "mcopy", volume, "-n", f"::{path}", copy, file_size=len(content) + 1, accept=(0, 1))
        except FileSizeError:
            return False
        if done.status or not os.path.exists(copy):
            return False
        with open(copy, "rb") as file:
            return file.read() == content


def read(runner: Runner, volume: Volume, path: str, maximum: int = READ_LIMIT) -> bytes | None:
    """Return the content of a file of the EFI system partition; None when it is not there.

    Raises:
        FileSizeError: it has more than `maximum` bytes.
    """
    with tempfile.TemporaryDirectory(prefix="voc-esp-") as folder:
        copy = os.path.join(folder, "copy")
        done = _mtools(runner, "mcopy", volume, "-n", f"::{path}", copy, file_size=maximum, accept=(0, 1))
        if done.status or not os.path.isfile(copy):
            return None
        with open(copy, "rb") as file:
            return file.read()


def names(runner: Runner, volume: Volume, folder: str) -> list[str]:
    """Return the names in a folder of the EFI system partition; none when it is not there."""
    done = _mtools(runner, "mdir", volume, "-b", f"::{folder}", accept=(0, 1))
    lines = done.text.splitlines() if done.status == 0 else []
    return sorted(posixpath.basename(line.rstrip("/")) for line in lines)


def exists(runner: Runner, volume: Volume, path: str) -> bool:
    """Say whether something stands at a path of the EFI system partition."""
    return _mtools(runner, "mdir", volume, "-b", f"::{path}", accept=(0, 1)).status == 0


def write(runner: Runner, volume: Volume, path: str, content: bytes) -> None:
    """Make or replace a file of the EFI system partition, and the folders above it.

    Raises:
        SpaceError: it is full.
        ToolError: it did not take.
    """
    above = posixpath.dirname(path)
    folders: list[str] = []
    while above not in ("", "/"):
        folders.insert(0, above)
        above = posixpath.dirname(above)
    for each in folders:
        if not exists(runner, volume, each):
            _mtools(runner, "mmd", volume, f"::{each}")
    with tempfile.TemporaryDirectory(prefix="voc-esp-") as folder:
        source = os.path.join(folder, "new")
        with open(source, "wb") as file:
            file.write(content)
        try:
            _mtools(runner, "mcopy", volume, "-o", source, f"::{path}")
        except ToolError as error:
            if "full" in error.found:
                raise SpaceError(
                    f"{path} with {len(content)} bytes does not fit into the EFI system partition",
                    where=volume.path,
                    hint="make the partition larger",
                ) from error
            raise
    if not holds(runner, volume, path, content):
        raise ToolError(f"{path} did not get into the EFI system partition", where=volume.path)


def _mtools(
    runner: Runner,
    tool: str,
    volume: Volume,
    *arguments: str,
    file_size: int | None = None,
    accept: Collection[int] = (0,),
) -> Completed:
    """Run one of the mtools on a region, without the user's own settings for them.

    They refuse sizes that no diskette could have, unless told otherwise. They
    know the image by a link: a name with any of ``$*(){}[]\\`'"?<>~`` they give to
    a shell, to expand it (mtools 4.0, misc/expand.c), and @@ ends it.
    """
    settings = ("MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1")
    with tempfile.TemporaryDirectory(prefix="voc-esp-") as folder:
        link = os.path.join(folder, "image")
        os.symlink(os.path.abspath(volume.path), link)
        argv = ["env", *settings, find(tool), "-i", f"{link}@@{volume.offset}", *arguments]
        done = runner.run(argv, limits=replace(INSPECT, file_size=file_size), accept=range(256))
    if done.status not in accept:
        raise ToolError(f"{tool} failed with status {done.status}: {done.complaint}", where=volume.path)
    return done


__all__ = ["READ_LIMIT", "exists", "holds", "locate", "names", "partitions_of", "read", "require_fat", "write"]
