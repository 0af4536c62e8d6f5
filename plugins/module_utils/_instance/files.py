# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The files of an instance on its hypervisor: made whole or not at all, and removed."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._image import convert
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition

_PARTIAL = ".part"
_BASES = ("raw", "qcow2")  # what QEMU can lay an overlay over without loss
_SEED_SIZE = 1 << 20
_SEED_FILES = ("meta-data", "user-data", "network-config")


def examine(definition: Definition, overcommit: float) -> str:
    """Return the format of an instance's release, once it is sure that new disks of it can be made.

    Args:
        overcommit: how much more than there is free space for overlays may grow to, together.

    Raises:
        ImageError: the release is not one that can be started from, or there is not enough space.
    """
    if not os.path.exists(definition.release):
        raise InputError(
            "there is no such release",
            where=definition.release,
            hint="publish one, or check the path on the hypervisor",
        )
    base = convert.examine(definition.release)
    container, size = base.probe.container, base.virtual_size
    if container not in _BASES or size is None:
        raise InputError(
            f"instances cannot be started from {container or 'a compressed image'}",
            where=definition.release,
            hint="set site_hypervisor: {format: qcow2}",
        )
    _require_room(definition, size, overcommit)
    return container


def make(runner: Runner, definition: Definition, seed: Mapping[str, str], overcommit: float) -> None:
    """Make an instance's disks anew; what it had before is gone.

    Args:
        seed: the files of a NoCloud seed, by name.
        overcommit: see `examine`.

    Raises:
        ImageError: they cannot be made. What `examine` finds leaves those that were there before, else none is left.
    """
    container = examine(definition, overcommit)
    remove(definition)
    with ExitStack() as undo:
        undo.callback(remove, definition)
        with _whole(definition.overlay) as partial:
            words = ["-f", "qcow2", "-F", container, "-b", definition.release]
            runner.run(["qemu-img", "create", "-q", *words, partial])
        if definition.scratch:
            with _whole(definition.scratch_disk) as partial:
                runner.run(["qemu-img", "create", "-q", "-f", "qcow2", partial, str(definition.scratch)])
        if definition.seed:
            _make_seed(runner, definition.seed_image, seed)
        undo.pop_all()


def remove(definition: Definition) -> list[str]:
    """Remove all files of an instance but its log; return the paths of those that were there."""
    gone = []
    for path in definition.files:
        for each in (path, path + _PARTIAL):
            if os.path.lexists(each):
                os.unlink(each)
                gone.append(each)
    return gone


def write(path: str, content: str) -> None:
    """Write a file that describes an instance, for root alone."""
    with _whole(path) as partial, open(partial, "w", encoding="utf-8") as file:
        file.write(content)


def names(folder: str) -> set[str]:
    """Return the names of instances that have a disk in a folder, whole or not."""
    if not os.path.isdir(folder):
        return set()
    found = (name[: -len(_PARTIAL)] if name.endswith(_PARTIAL) else name for name in os.listdir(folder))
    endings = (".scratch.qcow2", ".seed.img", ".nvram", ".qcow2")
    return {name[: -len(ending)] for name in found for ending in [next(filter(name.endswith, endings), "")] if ending}


def length(path: str) -> int:
    """Return how long a file is, in bytes; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _require_room(definition: Definition, virtual_size: int, overcommit: float) -> None:
    """See to it that all overlays of the folder can grow to their full size, or to a share of it."""
    free = os.statvfs(_existing(definition.folder))
    # Its own disks make room for the new ones.
    available = free.f_bavail * free.f_frsize + sum(map(_allocated, definition.files))
    names = os.listdir(definition.folder) if os.path.isdir(definition.folder) else []
    others = {os.path.join(definition.folder, name) for name in names}.difference(definition.files)
    growth = virtual_size + definition.scratch + sum(_growth(path) for path in others if path.endswith(".qcow2"))
    if growth > available * overcommit:
        raise SpaceError(
            f"the instances' disks could grow by {growth >> 20} MiB, and {available >> 20} MiB are free",
            where=definition.folder,
            hint="make room, run fewer instances, or raise overcommit",
        )


def _existing(folder: str) -> str:
    """Return a folder, or the one above it that is there already."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _allocated(path: str) -> int:
    try:
        return os.stat(path).st_blocks * 512
    except FileNotFoundError:
        return 0


def _growth(path: str) -> int:
    """Return by how many bytes a qcow2 image of ours can grow (QEMU, docs/interop/qcow2.txt)."""
    try:
        with open(path, "rb") as file:
            header = file.read(32)
            allocated = os.fstat(file.fileno()).st_blocks * 512
    except FileNotFoundError:
        return 0
    if header[:4] != b"QFI\xfb" or len(header) < 32:
        return 0
    (size,) = struct.unpack_from(">Q", header, 24)
    return max(0, int(size) - allocated)


def _make_seed(runner: Runner, path: str, seed: Mapping[str, str]) -> None:
    """Make a seed for cloud-init, a FAT filesystem that is called CIDATA (cloud-init, NoCloud)."""
    with _whole(path) as partial, tempfile.TemporaryDirectory(prefix="voc-seed-") as folder:
        os.truncate(partial, _SEED_SIZE)
        runner.run(["mkfs.vfat", "-n", "CIDATA", partial])
        for name in filter(seed.__contains__, _SEED_FILES):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(seed[name])
            runner.run(["mcopy", "-i", partial, os.path.join(folder, name), f"::{name}"])


@contextmanager
def _whole(path: str) -> Iterator[str]:
    """Give an empty file that others cannot read, and its own name to it when it is whole; else it goes."""
    partial = path + _PARTIAL
    _discard(partial)  # of a run that was killed
    # Programs that would make it themselves let all users read it: a seed has passwords.
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with ExitStack() as undo:
        undo.callback(_discard, partial)
        yield partial
        os.replace(partial, path)
        undo.pop_all()


def _discard(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def closed_to_others(path: str) -> str | None:
    """Return the file itself, or the folder above it, that other users cannot read or enter; None where all can."""
    if not os.stat(path).st_mode & 0o004:
        return path
    above = os.path.dirname(path)
    while above != "/":
        if not os.stat(above).st_mode & 0o001:
            return above
        above = os.path.dirname(above)
    return None


__all__ = ["closed_to_others", "examine", "length", "make", "names", "remove", "write"]
