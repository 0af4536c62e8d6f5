# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""From one image format and compression to another; the output is sparse, whole, or absent."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    UnsafeImageError,
    called,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks, safety
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import Probe, probe

FORMATS = ("raw", "qcow2")
MAX_VIRTUAL_SIZE = 16 << 40

_PIECE = 1 << 20
_GRAIN = 64 << 10  # a run of zeros this long, and aligned, becomes a hole
_ZEROS = bytes(_GRAIN)

_DAMAGED = 2  # man 1 qemu-img, "check"
_LEAKS = 3  # clusters that nothing uses: harmless


@dataclass(frozen=True)
class Source:
    """An image that has been found acceptable.

    Attributes:
        virtual_size: what the guest sees, in bytes; None while it is compressed.
    """

    path: str
    probe: Probe
    virtual_size: int | None


def examine(path: str, *, declared: str | None = None, max_virtual_size: int = MAX_VIRTUAL_SIZE) -> Source:
    """Decide what an image is and whether it may be used. Runs no other program.

    Args:
        declared: the format its owner says it has.
        max_virtual_size: in bytes.

    Raises:
        InputError: it does not exist, or its format is not supported.
        UnsafeImageError, DamagedImageError: see `safety`.
    """
    seen = probe(path)
    if seen.compression:
        if seen.compression != "gzip":
            raise InputError(f"{seen.compression} is not supported", where=path, hint="unpack it, or use gzip")
        return Source(path, seen, None)
    safety.check_declared(seen, declared, path)
    if seen.container == "qcow2":
        with open(path, "rb") as file:
            header = safety.parse_qcow2(file.read(safety.QCOW2_HEADER), path)
        safety.check_qcow2(header, path, max_virtual_size)
        return Source(path, seen, header.virtual_size)
    if seen.container != "raw":
        raise InputError(f"the format {seen.container} is not supported", where=path, hint="convert it to qcow2 or raw")
    safety.check_virtual_size(seen.size, path, max_virtual_size)
    return Source(path, seen, seen.size)


def convert(
    runner: Runner,
    path: str,
    target: str,
    *,
    target_format: str = "raw",
    declared: str | None = None,
    max_virtual_size: int = MAX_VIRTUAL_SIZE,
    compress: bool = False,
) -> None:
    """Write the guest-visible bytes of an image to `target`.

    Args:
        target_format: ``raw`` or ``qcow2``.
        declared, max_virtual_size: as for `examine`.
        compress: compress the clusters of a qcow2 target.

    Raises:
        ImageError: as `examine`, and where the content is damaged or there is no room.
    """
    folder = os.path.dirname(os.path.abspath(target))
    source = examine(path, declared=declared, max_virtual_size=max_virtual_size)
    blocks.require_other_file(path, target)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    blocks.require_space(folder, source.probe.allocated)
    with blocks.new_file(target) as partial, _unpacked(source, target, declared, max_virtual_size) as plain:
        if plain.probe.compression:
            raise InputError("it is compressed twice", where=path, hint="unpack it once")
        if plain.probe.container == "qcow2":
            _check_qcow2(runner, plain.path, path)
        if plain.probe.container == target_format == "raw":
            if plain is source:
                _copy(plain.path, partial)
            else:
                os.replace(plain.path, partial)
        else:
            _qemu_convert(runner, plain, partial, target_format, compress)


@contextmanager
def _unpacked(source: Source, target: str, declared: str | None, maximum: int) -> Iterator[Source]:
    """Give the image without its compression; an unpacked copy lives only this long."""
    if source.probe.compression is None:
        yield source
        return
    unpacked = f"{target}.{os.getpid()}.unpacked"
    try:
        os.close(os.open(unpacked, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        gunzip(source.path, unpacked, maximum)
        with called(unpacked, source.path):
            yield examine(unpacked, declared=declared, max_virtual_size=maximum)
    finally:
        if os.path.lexists(unpacked):
            os.unlink(unpacked)


def gunzip(path: str, target: str, maximum: int) -> None:
    """Unpack a gzip file into a file that exists and is empty; zeros become holes.

    Raises:
        DamagedImageError: it is cut short, or its checksum is wrong.
        UnsafeImageError: it unpacks to more than `maximum` bytes.
    """
    written = 0
    with gzip.open(path, "rb") as reader, open(target, "r+b") as writer:
        try:
            while piece := reader.read(_PIECE):
                if written + len(piece) > maximum:
                    raise UnsafeImageError(
                        f"it unpacks to more than {maximum} bytes",
                        where=path,
                        hint="raise max_virtual_size if this is right",
                    )
                _write_sparse(writer.fileno(), piece, written)
                written += len(piece)
        except EOFError:
            raise DamagedImageError("the gzip data ends too early", where=path, hint="fetch the image again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DamagedImageError(
                f"the gzip data is damaged ({error})", where=path, hint="fetch the image again"
            ) from None
        writer.truncate(written)


def _write_sparse(descriptor: int, piece: bytes, offset: int) -> None:
    """Write `piece` at `offset`, leaving out aligned runs of zeros."""
    view = memoryview(piece)
    begin = 0
    for position in range(0, len(piece), _GRAIN):
        if piece[position : position + _GRAIN] == _ZEROS:
            _write_all(descriptor, view[begin:position], offset + begin)
            begin = position + _GRAIN
    _write_all(descriptor, view[begin:], offset + begin)


def _write_all(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


def _copy(path: str, target: str) -> None:
    with open(path, "rb") as reader, open(target, "r+b") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        blocks.copy_range(reader.fileno(), writer.fileno(), source_offset=0, target_offset=0, length=size)


def _check_qcow2(runner: Runner, path: str, where: str) -> None:
    """Refuse a qcow2 image with clusters that are not there: qemu-img would read them as zeros."""
    argv = ["qemu-img", "check", "-q", "-f", "qcow2", os.path.abspath(path)]
    done = runner.run(argv, limits=TRANSFORM, accept=(0, _DAMAGED, _LEAKS))
    if done.status == _DAMAGED:
        raise DamagedImageError("the qcow2 image is inconsistent", where=where, hint="fetch the image again")


def _qemu_convert(runner: Runner, source: Source, target: str, target_format: str, compress: bool) -> None:
    """Let qemu-img convert; both formats are named, so that it never guesses.

    Paths are made absolute: a slash before any colon keeps qemu from reading
    them as a protocol.
    """
    flags = ["-c"] if compress and target_format == "qcow2" else []
    runner.run(
        [
            *("qemu-img", "convert", *flags),
            *("-f", str(source.probe.container), "-O", target_format),
            *(os.path.abspath(source.path), os.path.abspath(target)),
        ],
        limits=TRANSFORM,
    )


__all__ = ["FORMATS", "MAX_VIRTUAL_SIZE", "Source", "convert", "examine", "gunzip"]
