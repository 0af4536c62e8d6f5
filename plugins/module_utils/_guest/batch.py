# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A batch of debugfs commands that is done wholly or not at all, even when it is killed.

debugfs keeps no journal, and e2fsck cannot know what a half-done batch was to
be. So the filesystem is marked as not clean before a batch, and what the batch
overwrites goes to an undo file beside the image, but for blocks that were free and
get the content of files. The batch's last command marks it as clean again: libext2fs
writes the superblock after all else. Whoever opens a working image to change it lets
`repair` look first.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    SpaceError,
    ToolError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import ComplaintError, Session, quote
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume, check, identify

_MARK_CLEAN = "set_super_value state 1"
_MARK_CHANGING = "set_super_value state 0"
_FULL = "Could not allocate"  # a block, or an inode

_FAR = 64 << 10  # bytes: the largest block of ext
_NOTHING_KEPT = b"nothing was kept\n"
_AGAIN = "make the working image from its source again"


def run(
    runner: Runner, volume: Volume, work: Callable[[Session], None], stack: ExitStack, *, whole: bool = True
) -> Session:
    """Let debugfs change an ext filesystem that is clean.

    Args:
        work: is given the debugfs that does it.
        stack: ends that debugfs.
        whole: whether the filesystem is one as a whole then; otherwise e2fsck has to follow, which marks it.

    Returns:
        The same debugfs, which can only read then: what was done is in its file.

    Raises:
        SpaceError: the image is full. It is as it was, or marked where that cannot be.
        ToolError: a command failed. The same holds.
    """
    undo = _undo_path(volume)
    _remove(undo)
    command = ["debugfs", "-w", "-f", "-", volume.e2fs_name]
    try:
        session = Session(stack.enter_context(runner.converse(command, limits=TRANSFORM)))
        with _by_plain_names(volume, undo) as (image, kept):
            session.do([_MARK_CHANGING, "close"])
            session.do([f"open -w {_keeping(volume, undo, kept)} {image}"])
            work(session)
            # Only with the end of "close" is everything written.
            session.do([*([_MARK_CLEAN] if whole else []), "close"])
            session.do([f"open {image}"])
    except (ComplaintError, ToolError) as trouble:
        stack.close()
        if _is_kept(undo):
            _take_back(runner, volume, undo)
        if _FULL in str(trouble):
            raise SpaceError(
                f"the image is full ({trouble})", where=volume.path, hint="give it a larger disk"
            ) from None
        raise ToolError(f"debugfs failed: {trouble}", where=volume.path) from None
    _remove(undo)
    return session


@contextmanager
def _by_plain_names(volume: Volume, undo: str) -> Iterator[tuple[str, str]]:
    """Give words of debugfs for an image and its undo file: it cannot express every name that they can have."""
    with tempfile.TemporaryDirectory(prefix="voc-batch-") as folder:
        image, kept = os.path.join(folder, "image"), os.path.join(folder, "undo")
        os.symlink(os.path.abspath(volume.path), image)
        os.symlink(undo, kept)
        yield quote(replace(volume, path=image).e2fs_name, image), quote(kept, kept)


def _keeping(volume: Volume, undo: str, word: str) -> str:
    """Return the options of ``open`` that let debugfs keep what it overwrites; `word` is its for the undo file.

    To keep the superblock of a filesystem that does not begin its file, libext2fs
    reads at twice the offset, and fails when that is not in the file (1.47,
    undo_write_byte). What is overwritten there cannot be taken back.
    """
    if 2 * volume.offset + _FAR < os.stat(volume.path).st_size:
        return f"-z {word}"
    with open(undo, "wb") as file:
        file.write(_NOTHING_KEPT)
    return ""


def repair(runner: Runner, volume: Volume) -> None:
    """Make an ext filesystem of a working image whole: take back a batch that did not end, and check it.

    Other filesystems, and those that are clean, are not changed.

    Raises:
        DamagedImageError: it cannot be repaired safely.
    """
    found = identify(volume)
    if found is None or not found.is_ext:
        return
    undo = _undo_path(volume)
    if not found.clean:
        _take_back(runner, volume, undo)
    # That of a batch that was killed after its last command is of no use.
    _remove(undo)


def _take_back(runner: Runner, volume: Volume, undo: str) -> None:
    if not _is_kept(undo):
        raise DamagedImageError(
            "a run was killed while it changed the filesystem, which cannot be taken back",
            where=volume.path,
            hint=_AGAIN,
        )
    if os.path.exists(undo):
        argv = ["e2undo", "-o", str(volume.offset), undo, os.path.abspath(volume.path)]
        # A batch that was killed before its first change left no undo file that could be read, and needs none.
        runner.run(argv, limits=TRANSFORM, accept=range(256))
    try:
        check(runner, volume)
    except DamagedImageError as error:
        error.hint = _AGAIN
        raise
    _remove(undo)


def _is_kept(undo: str) -> bool:
    """Say whether nothing was overwritten that is not in the undo file."""
    try:
        with open(undo, "rb") as file:
            return file.read(len(_NOTHING_KEPT)) != _NOTHING_KEPT
    except FileNotFoundError:
        return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _undo_path(volume: Volume) -> str:
    folder, name = os.path.split(os.path.abspath(volume.path))
    return os.path.join(folder, f".{name}.{volume.offset}.undo")


__all__ = ["repair", "run"]
