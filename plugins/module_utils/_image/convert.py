# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""From one image format and compression to another; the output is sparse, whole, or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    called,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import (
    allocation,
    blocks,
    compression,
    formats,
    safety,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import SECTOR, Probe, probe

MAX_VIRTUAL_SIZE = 16 << 40

_DAMAGED = 2  # man 1 qemu-img, "check"
_LEAKS = 3  # clusters that nothing uses: harmless

# Where nothing is packed or unpacked, the eight requests that qemu-img has at once mostly wait for
# one another: two take a third less of a processor's time, and no longer by the clock.
_FEW = ("-m", "2")


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
        UnsafeImageError, DamagedImageError: see `formats` and `safety`.
    """
    seen = probe(path)
    if seen.container is None:
        return Source(path, seen, None)
    safety.check_declared(seen, declared, path)
    size = formats.virtual_size(seen.container, path)
    safety.check_virtual_size(size, path, max_virtual_size)
    return Source(path, seen, size)


def convert(
    runner: Runner,
    path: str,
    target: str,
    output: Output,
    *,
    declared: str | None = None,
    max_virtual_size: int = MAX_VIRTUAL_SIZE,
) -> None:
    """Write the guest-visible bytes of an image to `target`.

    Args:
        declared, max_virtual_size: as for `examine`.

    Raises:
        ImageError: as `examine`, and where the content is damaged or there is no room.
    """
    folder = os.path.dirname(os.path.abspath(target))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with blocks.new_file(target) as partial, blocks.unchanged(path):
        source = examine(path, declared=declared, max_virtual_size=max_virtual_size)
        blocks.require_other_file(path, target)
        blocks.require_space(folder, source.probe.allocated, runner.reserve)
        with _unpacked(runner, source, target, declared, max_virtual_size) as plain:
            _convert(runner, plain, partial, output, path)
        if output.compression:
            compression.pack(runner, partial, output.compression)


def _convert(runner: Runner, plain: Source, partial: str, output: Output, path: str) -> None:
    """Write what is not compressed to `partial`; `path` is what users know it by."""
    if plain.probe.compression:
        raise InputError("it is compressed twice", where=path, hint="unpack it once")
    with called(plain.path, path):
        allocation.require_held(str(plain.probe.container), plain.path)
    if plain.probe.container != output.format or output.format != "raw":
        with _checked(runner, plain, path):
            _qemu_convert(runner, plain, partial, output)
        _require_whole(plain, partial, output, path)
    elif plain.path == path:
        _copy(runner, plain.path, partial)
    else:
        os.replace(plain.path, partial)


@contextmanager
def _unpacked(runner: Runner, source: Source, target: str, declared: str | None, maximum: int) -> Iterator[Source]:
    """Give the image without its compression; an unpacked copy lives only this long."""
    if source.probe.compression is None:
        yield source
        return
    folder, name = os.path.split(os.path.abspath(target))
    descriptor, unpacked = tempfile.mkstemp(prefix=f".{name}.", suffix=".unpacked", dir=folder)
    os.close(descriptor)
    try:
        compression.unpack(runner, source.path, source.probe.compression, unpacked, maximum)
        with called(unpacked, source.path):
            yield examine(unpacked, declared=declared, max_virtual_size=maximum)
    finally:
        if os.path.lexists(unpacked):
            os.unlink(unpacked)


def _copy(runner: Runner, path: str, target: str) -> None:
    with open(path, "rb") as reader, open(target, "r+b") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        blocks.copy_range(
            reader.fileno(),
            writer.fileno(),
            source_offset=0,
            target_offset=0,
            length=size,
            progress=runner.progress,
        )


@contextmanager
def _checked(runner: Runner, source: Source, where: str) -> Iterator[None]:
    """Let qemu-img check an image while it is converted; in the end its verdict counts before all else.

    What it finds is damage. That an image writes more than it should was looked for before.
    """
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(_check, runner, source, where)
        try:
            yield
        finally:
            checking.result()


def _check(runner: Runner, source: Source, where: str) -> None:
    """Refuse an image whose own tables disagree.

    Raises:
        DamagedImageError: it is one.
    """
    container = str(source.probe.container)
    known = formats.FORMATS[container]
    if not known.checked:
        return
    argv = ["qemu-img", "check", "-q", "-f", known.driver, os.path.abspath(source.path)]
    done = runner.run(argv, limits=TRANSFORM, accept=(0, 1, _DAMAGED, _LEAKS))
    if done.status not in (0, _LEAKS):
        raise DamagedImageError(f"the {container} image is inconsistent", where=where, hint="fetch the image again")


def _qemu_convert(runner: Runner, source: Source, target: str, output: Output) -> None:
    """Let qemu-img convert; both formats are named, so that it never guesses.

    Paths are made absolute: a slash before any colon keeps qemu from reading
    them as a protocol.
    """
    flags = ["-c"] if output.compress and output.format == "qcow2" else []
    if source.probe.container == "raw" and not output.compresses:
        flags += _FEW
    options = ",".join(f"{name}={value}" for name, value in output.qemu_options())
    runner.run(
        [
            *("qemu-img", "convert", "-p", *flags),
            *("-O", formats.FORMATS[output.format].driver, *(["-o", options] if options else [])),
            *(*_read_as(source), os.path.abspath(target)),
        ],
        limits=TRANSFORM,
        watch=runner.progress.from_qemu("converting"),
    )


def _read_as(source: Source) -> tuple[str, ...]:
    """Return the words that name an image and its format to qemu-img."""
    known, path = formats.FORMATS[str(source.probe.container)], os.path.abspath(source.path)
    if not known.reading:
        return "-f", known.driver, path
    name = path.replace(",", ",,")  # a comma ends a value (man 1 qemu, "OPTIONS")
    return "--image-opts", ",".join(
        [f"driver={known.driver}", *known.reading, f"file.driver=file,file.filename={name}"]
    )


def _require_whole(source: Source, made: str, output: Output, where: str) -> None:
    """Refuse what qemu-img made if its disk is of another size; QEMU counts in sectors.

    Raises:
        DamagedImageError: with both sizes.
    """
    size, expected = formats.virtual_size(output.format, made), source.virtual_size or 0
    if not expected <= size < expected + SECTOR:
        raise DamagedImageError(
            f"the {source.probe.container} image has a disk of {expected} bytes, but qemu-img reads {size}",
            where=where,
            hint="convert it to raw or qcow2 where it was made",
        )


__all__ = ["MAX_VIRTUAL_SIZE", "Source", "convert", "examine"]
