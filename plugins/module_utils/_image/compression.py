# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Compressed files: unpacked into sparse files within a limit, and packed on all cores."""

from __future__ import annotations

import bz2
import os
import re
import typing as t
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Limits, Runner, first_of
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    FileSizeError,
    ToolError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._progress import Progress

_PIECE = 1 << 20
_GRAIN = 64 << 10  # a run of zeros this long, and aligned, becomes a hole
_ZEROS = bytes(_GRAIN)

_GZIP = 31  # zlib's wbits for gzip's header and checksum
_MEMORY = 2 << 30  # xz's own levels need 64 MiB, its format allows 1.5 GiB; zstd's --long=31 needs 2 GiB
ENDINGS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}


class _Decoder(t.Protocol):
    """What zlib's and bz2's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end of the stream."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most `max_length` bytes of what `data` unpacks to."""


def unpack(runner: Runner, path: str, compression: str, target: str, maximum: int) -> None:
    """Unpack a file into a file that exists and is empty; runs of zeros become holes.

    Args:
        compression: by `probe`'s name.
        maximum: of the unpacked size, in bytes.

    Raises:
        DamagedImageError: it is cut short, or its checksum is wrong.
        UnsafeImageError: it unpacks to more than `maximum` bytes, or needs too much memory.
    """
    if compression == "gzip":
        _decode(runner.progress, path, target, maximum, compression, lambda: zlib.decompressobj(wbits=_GZIP))
    elif compression == "bzip2":
        _decode(runner.progress, path, target, maximum, compression, bz2.BZ2Decompressor)
    else:
        _unpack_with_tool(runner, path, compression, target, maximum)


def _decode(
    progress: Progress, path: str, target: str, maximum: int, compression: str, start: Callable[[], _Decoder]
) -> None:
    written, size = 0, os.stat(path).st_size
    with open(path, "rb", buffering=0) as reader, open(target, "r+b") as writer:
        try:
            for piece in _pieces(reader, start):
                if written + len(piece) > maximum:
                    raise _too_large(path, maximum)
                _write_sparse(writer.fileno(), piece, written)
                written += len(piece)
                progress.tell("unpacking", reader.tell(), size)
        except EOFError:
            raise DamagedImageError(
                f"the {compression} data ends too early", where=path, hint="fetch the image again"
            ) from None
        except (zlib.error, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # of the file, not of its content
            raise DamagedImageError(
                f"the {compression} data is damaged ({error})", where=path, hint="fetch the image again"
            ) from None
        writer.truncate(written)


def _pieces(reader: t.BinaryIO, start: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Yield what a file of one or more compressed streams holds, a MiB at most at a time.

    Raises:
        EOFError: the file ends inside a stream.
    """
    decoder = start()
    fresh = True
    data = reader.read(_PIECE)
    while data:
        fresh = False
        yield decoder.decompress(data, _PIECE)
        while not decoder.eof:
            more = _held_back(decoder)
            if more is None:
                break
            yield decoder.decompress(more, _PIECE)
        if decoder.eof:
            # Other streams may follow, or the zeros that fill up a tape's block.
            data = decoder.unused_data.lstrip(b"\0") or reader.read(_PIECE).lstrip(b"\0")
            decoder, fresh = start(), True
        else:
            data = reader.read(_PIECE)
    if not fresh:
        raise EOFError


def _held_back(decoder: _Decoder) -> bytes | None:
    """Return the input that a decoder could not use yet; None when it wants new one."""
    tail: bytes | None = getattr(decoder, "unconsumed_tail", None)
    if tail is not None:
        return tail or None
    return None if getattr(decoder, "needs_input", True) else b""


def _unpack_with_tool(runner: Runner, path: str, compression: str, target: str, maximum: int) -> None:
    """Let xz or zstd unpack; both leave holes, and cannot write more than `maximum` bytes."""
    limits = replace(TRANSFORM, file_size=maximum)
    try:
        if compression == "zstd":
            memory = f"--memory={_MEMORY >> 20}MB"
            argv = ["zstd", "-q", "-d", "-f", memory, "--sparse", "-o", target, "--", os.path.abspath(path)]
            runner.run(argv, limits=limits, watch=runner.progress.from_input("unpacking", path))
        else:
            _unpack_xz(runner, path, target, limits)
    except FileSizeError as error:
        raise _too_large(path, maximum) from error
    except ToolError as error:
        if re.search("too much memory|memory usage limit", error.found, re.IGNORECASE):
            raise UnsafeImageError(
                f"{compression} needs more than {_MEMORY >> 20} MiB of memory to unpack it",
                where=path,
                hint="pack it anew with a smaller window or dictionary",
            ) from error
        if re.search("(?:not enough|cannot allocate) memory", error.found, re.IGNORECASE):
            raise ToolError(
                f"{compression} got too little memory to unpack it", where=path, hint="raise limits: memory"
            ) from error
        raise DamagedImageError(
            f"the {compression} data is damaged or ends too early ({error.found})",
            where=path,
            hint="fetch the image again",
        ) from error


def _unpack_xz(runner: Runner, path: str, target: str, limits: Limits) -> None:
    """Let xz unpack beside a link of the name it wants: only into a file of its own does it leave holes."""
    link = f"{target}.xz"
    os.symlink(os.path.abspath(path), link)
    try:
        argv = ["xz", "-d", "-k", "-f", "-q", "-T0", f"--memlimit-decompress={_MEMORY}", "--", link]
        runner.run(argv, limits=limits, watch=runner.progress.from_input("unpacking", path))
        os.chmod(target, 0o600)  # it copied those of the source
    finally:
        os.unlink(link)


def pack(runner: Runner, path: str, compression: str) -> None:
    """Compress a file in its place, on all cores where the tool can."""
    packed = f"{path}{ENDINGS[compression]}"
    tools = {
        "gzip": (first_of("pigz", "gzip"), "-n"),
        "bzip2": (first_of("lbzip2", "bzip2"),),
        "xz": ("xz", "-T0"),
        "zstd": ("zstd", "-q", "-T0"),
    }
    try:
        watch = runner.progress.from_input("packing", path)
        runner.run([*tools[compression], "-k", "-f", "--", path], limits=TRANSFORM, watch=watch)
        os.replace(packed, path)
    finally:
        if os.path.lexists(packed):
            os.unlink(packed)


def _too_large(path: str, maximum: int) -> UnsafeImageError:
    return UnsafeImageError(
        f"it unpacks to more than {maximum} bytes", where=path, hint="raise max_virtual_size if this is right"
    )


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


__all__ = ["ENDINGS", "pack", "unpack"]
