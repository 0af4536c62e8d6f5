# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""From partition images or a disk image to another disk image: blocks are copied, files never looked at.

Partitions follow one another in their old order, but the root comes last and
takes the rest of the disk, so that it can always grow.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    GuestError,
    ImageError,
    InputError,
    SpaceError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, places, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.references import DEVICE, Renaming
from ansible_collections.voc.cluster.plugins.module_utils._guest.root import find as find_root
from ansible_collections.voc.cluster.plugins.module_utils._image import (
    blocks,
    contents,
    filesystems,
    partitions,
    renewal,
    resize,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import MEBIBYTE, Partition, Wish

# The smallest FAT32 by the disk's sectors: 65525 clusters of one sector, and its tables (Microsoft's
# FAT specification).
_SMALLEST_ESP = {512: 34 * MEBIBYTE, 4096: 260 * MEBIBYTE}
_ESP_LABEL = "ESP"


@dataclass(frozen=True)
class Extra:
    """A partition that the disk is to have beside those of its source.

    Attributes:
        role: ``boot``, ``data`` or ``swap``.
        source: the raw partition image that is copied into it; None for an empty swap area.
        size: in bytes; None for what the image has.
        path: where the guest's fstab is to mount it; None for nowhere.
    """

    role: str
    source: str | None = None
    size: int | None = None
    path: str | None = None


@dataclass(frozen=True)
class Options:
    """What a user can say about a disk.

    Attributes:
        label: ``dos`` or ``gpt``; None for the source's own, and ``dos`` where it has none.
        esp: the size in bytes of an EFI system partition to add where there is none; None for no such.
        root: the number of the source's partition with the root filesystem; None to find it.
        extras: more partitions, in their order on the disk.
        shrink: whether an ext root may become smaller than it is.
        sector_size: of the disk, in bytes; None for that of the source, and 512 where it is no disk.
        new_uuids: whether what is copied gets new identifiers, which the references in its files follow.
    """

    label: str | None = None
    esp: int | None = None
    root: int | None = None
    extras: tuple[Extra, ...] = ()
    shrink: bool = False
    sector_size: int | None = None
    new_uuids: bool = False


_DEFAULTS = Options()


@dataclass(frozen=True)
class Piece:
    """What a partition is made of.

    Attributes:
        source: what is copied to its beginning; None where it is made empty.
        path: where the guest's fstab is to mount it, ``none`` for swap; None for no entry of its own.
    """

    wish: Wish
    source: Volume | None = None
    filesystem: Filesystem | None = None
    path: str | None = None


@dataclass(frozen=True)
class Plan:
    """A disk to be made; sizes in bytes.

    Attributes:
        pieces: what its partitions are made of, in the table's order; the root is the last.
        seen, seen_root: what is in the source, and where its root filesystem is.
        identities: of the source and all other files, when they were looked at.
        renamings: the identifiers that are to become others.
    """

    source: str
    seen: Contents
    seen_root: Region
    disk_size: int
    table: partitions.Table
    pieces: tuple[Piece, ...]
    filesystem: Filesystem
    identities: Mapping[str, blocks.Identity]
    renamings: tuple[Renaming, ...] = ()

    @property
    def root(self) -> Partition:
        """The partition of the root filesystem."""
        return self.table.partitions[-1]

    @property
    def kept(self) -> list[renewal.Kept]:
        """What the partitions continue, in the table's order."""
        return [renewal.Kept(piece.wish.role, piece.wish.like, piece.filesystem) for piece in self.pieces]

    @property
    def renumbers(self) -> bool:
        """Whether a partition of the source gets another number."""
        return renewal.are_renumbered(self.kept, self.table.partitions)

    @property
    def follows(self) -> bool:
        """Whether references in files have to follow."""
        return bool(self.renamings) or self.renumbers


def plan(runner: Runner, source: str, wanted: int | None, options: Options = _DEFAULTS) -> Plan:
    """Work out the disk for a raw partition or disk image.

    Args:
        wanted: size of the disk in bytes; None for the smallest that holds it.

    Raises:
        InputError: the source is not raw, what it holds is not supported (on such sectors), or an option cannot be.
        GuestError: none, or more than one, could be the root filesystem.
        DamagedImageError: the file is shorter than its filesystem.
        SpaceError: the disk is too small for the partitions.
    """
    others = (extra.source for extra in options.extras if extra.source)
    identities = {path: blocks.identity(path) for path in (source, *others)}
    contents.require_raw(source)
    seen = contents.look(source)
    root = find_root(runner, seen, source, options.root)
    label = options.label or (seen.table.label if seen.table else "dos")
    sector_size = options.sector_size or (seen.table.sector_size if seen.table else partitions.SECTOR)
    found = filesystems.require(root.volume, contents.ROOTS)
    size = contents.length(seen, root, source)
    content = replace(root.volume, size=size)
    least = size - (found.free or 0) if options.shrink and found.is_ext and wanted is not None else size
    last = Piece(Wish("root", least, root.partition, _partition(seen, root)), content, found)
    extras = (_extra(extra) for extra in options.extras)
    pieces = (*_before_root(seen, root, label, sector_size, options.esp), *extras, last)
    _require_sectors(pieces, sector_size)
    wishes = [piece.wish for piece in pieces]
    try:
        disk_size = partitions.disk_size_for(label, wishes, wanted)
        table = partitions.arrange(label, wishes, disk_size, like=seen.table, sector_size=sector_size)
    except ImageError as error:
        error.where = source
        raise
    resize.require_possible(found, table.length(table.partitions[-1]), source)
    planned = Plan(source, seen, root, disk_size, table, pieces, found, identities)
    table, renamings = renewal.plan(seen.table, table, planned.kept, new_uuids=options.new_uuids)
    return replace(planned, table=table, renamings=renamings)


def _before_root(seen: Contents, root: Region, label: str, sector_size: int, esp: int | None) -> Iterator[Piece]:
    """Yield what comes before the root: what a boot loader needs, and the source's other partitions."""
    roles = {region.partition: _role(seen, region) for region in seen.regions if region is not root}
    if label == "gpt" and sector_size == partitions.SECTOR and "bios" not in roles.values():
        yield Piece(Wish("bios", MEBIBYTE))
    if esp is not None and "esp" not in roles.values():
        yield Piece(Wish("esp", _esp_size(esp, sector_size)))
    for region in sorted(seen.regions, key=lambda region: region.volume.offset):
        role = roles.get(region.partition)
        old = _partition(seen, region)
        if region is root or role is None:
            continue
        if role != "bios":
            yield Piece(Wish(role, region.volume.size, region.partition, old), region.volume, region.filesystem)
        elif label == "gpt":  # GRUB's blocks are of no use in another place: image_boot writes them
            yield Piece(Wish(role, MEBIBYTE, region.partition, old))


def _extra(extra: Extra) -> Piece:
    path = _mount_point(extra)
    if extra.source is None:
        if extra.size is None or extra.role != "swap":
            raise InputError(
                f"a partition of type {extra.role} has no src and no size"
                if extra.size is None
                else f"a partition of type {extra.role} has no src",
                where="partitions",
                hint="give a size to swap, and a src to all others",
            )
        return Piece(Wish("swap", extra.size), path=path)
    contents.require_raw(extra.source)
    seen = contents.look(extra.source)
    if seen.table:
        raise InputError("it is a disk image", where=extra.source, hint="take its partition out with image_extract")
    (region,) = seen.regions
    filesystems.refuse_container(region.filesystem, extra.source)
    size = contents.length(seen, region, extra.source)
    if extra.size is not None and extra.size < size:
        raise SpaceError(f"it does not fit into {extra.size} bytes", where=extra.source, hint=f"give it {size} bytes")
    if path and (region.filesystem is None or region.filesystem.uuid is None):
        raise InputError("it has no filesystem with a UUID, by which fstab could name it", where=extra.source)
    wish = Wish(extra.role, extra.size or size)
    return Piece(wish, replace(region.volume, size=size), region.filesystem, path)


def _mount_point(extra: Extra) -> str | None:
    """Return what stands in fstab as the place of a partition; None for one that has no entry."""
    if extra.path is None:
        return "none" if extra.role == "swap" else None
    path = "/" + posixpath.normpath(extra.path).lstrip("/")
    if extra.role == "swap" or path == "/" or not extra.path.startswith("/"):
        raise InputError(
            f"{extra.path} is no mount point for a partition of type {extra.role}",
            where="partitions",
            hint="give boot and data an absolute path below the root, and swap none",
        )
    return path


def _role(seen: Contents, region: Region) -> str | None:
    """Return what a partition is for; None for an extended one, which is not kept."""
    part = _partition(seen, region)
    if part is None or part.is_container:
        return None
    if region.filesystem and region.filesystem.type == "swap":
        return "swap"
    return next((role for role in ("bios", "esp", "swap") if part.is_for(role)), "data")


def _partition(seen: Contents, region: Region) -> Partition | None:
    parts = seen.table.partitions if seen.table else ()
    return next((part for part in parts if part.number == region.partition), None)


def _esp_size(wanted: int, sector_size: int) -> int:
    smallest = _SMALLEST_ESP[sector_size]
    if wanted < smallest:
        raise InputError(
            f"an EFI system partition of {wanted} bytes is too small for FAT32 with sectors of {sector_size}",
            hint=f"give it at least {smallest // MEBIBYTE}M",
        )
    return wanted


def _require_sectors(pieces: Iterable[Piece], sector_size: int) -> None:
    for piece in pieces:
        if piece.source:
            number = piece.wish.like.number if piece.wish.like else None
            filesystems.require_sectors(piece.filesystem, sector_size, piece.source.path, number)


def build(runner: Runner, planned: Plan, target: str, finish: Callable[[str], None] | None = None) -> Volume:
    """Write the disk image `target` and return where its root filesystem lies.

    The filesystem is checked before it grows and after, see `resize.fill`; `target` appears
    when everything is done and on disk, or not at all.

    Args:
        finish: what is done to the disk's file in the end, before it appears.

    The filesystem begins at 0 until it has grown, where it could not grow in its place:
    that costs all that the kernel keeps of the file in memory.

    Raises:
        DamagedImageError: the filesystem cannot be repaired safely.
        SpaceError: there is no room for the copy.
        UnsafeImageError: the source is not what it was when this was planned.
    """
    offset, length = planned.table.offset(planned.root), planned.table.length(planned.root)
    sources = {piece.source.path for piece in planned.pieces if piece.source}
    for source in sources:
        blocks.require_other_file(source, target)
    folder = os.path.dirname(os.path.abspath(target))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    blocks.require_space(folder, sum(os.stat(source).st_blocks * 512 for source in sources), runner.reserve)
    with blocks.new_file(target) as partial:
        start = offset if resize.can_lie_at(offset, planned.filesystem, length) else 0
        os.truncate(partial, start + max(length, planned.filesystem.size or 0))
        root = Volume(partial, start, length)
        _fill(runner, planned.pieces[-1], root, planned.table.sector_size)
        resize.fill(runner, root, planned.filesystem, planned.source)
        renewal.renew(runner, root, planned.filesystem, planned.root.number, planned.renamings)
        if start != offset:
            os.truncate(partial, length)
            blocks.insert_hole(runner, partial, offset)
        os.truncate(partial, planned.disk_size)
        for piece, part in zip(planned.pieces[:-1], planned.table.partitions):
            volume = Volume(partial, planned.table.offset(part), planned.table.length(part))
            _fill(runner, piece, volume, planned.table.sector_size)
            if planned.follows and piece.filesystem and piece.filesystem.is_ext:
                filesystems.check(runner, volume, where=piece.source.path if piece.source else None)
            renewal.renew(runner, volume, piece.filesystem, part.number, planned.renamings)
        for path, identity in planned.identities.items():
            blocks.require_unchanged(path, identity)
        partitions.write(partial, planned.table)
        if planned.follows:
            _follow(runner, planned, partial)
        if finish:
            finish(partial)
        blocks.sync_file(partial)
    return Volume(target, offset, length)


def _follow(runner: Runner, planned: Plan, disk: str) -> None:
    """Let the references in the files of all partitions follow."""
    renamings = [*_device_names(runner, planned, disk), *planned.renamings]
    for piece, part in zip(planned.pieces, planned.table.partitions):
        volume = Volume(disk, planned.table.offset(part), planned.table.length(part))
        renewal.follow(runner, volume, piece.filesystem, piece.wish.role, renamings)


def _device_names(runner: Runner, planned: Plan, disk: str) -> Iterator[Renaming]:
    """Yield what comes in place of another machine's names, like /dev/sda5, where numbers change.

    Only the source's table tells what they mean.
    """
    if not planned.renumbers:
        return
    root = Volume(disk, planned.table.offset(planned.root), planned.table.length(planned.root))
    try:
        with renewal.opened(runner, root, planned.filesystem) as files:
            entries = fstab.parse(tree.read_text(files, fstab.PATH) or "")
    except GuestError:  # no way leads to one
        return
    kept = zip(planned.kept, planned.table.partitions)
    now = {item.partition.number: (item.role, part.number) for item, part in kept if item.partition}
    for name, region in places.by_device(planned.seen, planned.seen_root, entries).items():
        if region.filesystem and region.filesystem.uuid and region.partition in now:
            yield Renaming(DEVICE, *now[region.partition], name, f"UUID={region.filesystem.uuid}")


def _fill(runner: Runner, piece: Piece, target: Volume, sector_size: int) -> None:
    """Give a region, which must be a hole, its content."""
    if piece.source:
        with open(piece.source.path, "rb") as reader, open(target.path, "r+b") as writer:
            blocks.copy_range(
                reader.fileno(),
                writer.fileno(),
                source_offset=piece.source.offset,
                target_offset=target.offset,
                length=piece.source.size,
                progress=runner.progress,
            )
    elif piece.wish.role == "esp":
        filesystems.make_fat(runner, target, _ESP_LABEL, sector_size)
    elif piece.wish.role == "swap":
        filesystems.make_swap(target)


__all__ = ["Extra", "Options", "Piece", "Plan", "build", "plan"]
