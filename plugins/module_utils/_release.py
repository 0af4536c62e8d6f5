# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Releases: immutable versions of an image, each in a folder with its manifest.

    RELEASES/NAME/20261122T101500Z-3f9c2a41/disk.qcow2
                                           /manifest.json
    RELEASES/NAME/current -> 20261122T101500Z-3f9c2a41

A release appears by one rename, whole and on disk, or not at all; the link
moves by another. Nothing published is ever changed: running overlays depend on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
import typing as t
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, UnsafeImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks, digest
from ansible_collections.voc.cluster.plugins.module_utils._image.convert import convert
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._progress import SILENT, Progress
from ansible_collections.voc.cluster.plugins.module_utils._version import VERSION

MANIFEST = "manifest.json"
CURRENT = "current"

_SCHEMA = 1
_PIECE = 4 << 20
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class SourceId:
    """A source image, told apart by its content; the other fields only save reading it again.

    Attributes:
        digest: see `digest`.
        size: in bytes.
        modified, changed: st_mtime_ns and st_ctime_ns. Only the kernel sets the
            second, so a file that was swapped is noticed.
    """

    path: str
    digest: str
    size: int
    inode: int
    modified: int
    changed: int


@dataclass(frozen=True)
class Manifest:
    """What a release is and what it was made of; sizes in bytes."""

    name: str
    id: str
    created: str
    collection: str
    file: str
    format: str
    size: int
    virtual_size: int
    sha256: str
    source: SourceId
    inputs: dict[str, str]
    schema: int = _SCHEMA


@dataclass(frozen=True)
class Order:
    """What is to be published: the image's name, what it is converted to, and what it was made of."""

    name: str
    output: Output
    source: SourceId
    inputs: Mapping[str, str]


def identify_source(path: str, known: SourceId | None = None, progress: Progress = SILENT) -> SourceId:
    """Return a source's identity; it is read only if it is not the file that is `known`.

    Raises:
        InputError: there is no such file, or it is not a regular one.
    """
    with blocks.open_regular(path) as file:
        status = os.fstat(file.fileno())
        seen = (status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        if known and seen == (known.size, known.inode, known.modified, known.changed):
            content = known.digest
        else:
            content = digest.of_file(file.fileno(), progress)
    return SourceId(os.path.abspath(path), content, *seen)


def require_same(source: SourceId) -> None:
    """Refuse to publish what was made of a file that has changed meanwhile.

    Raises:
        UnsafeImageError: the source is not the file that it was when the work began.
    """
    _device, inode, size, modified, changed = blocks.identity(source.path)
    if (size, inode, modified, changed) != (source.size, source.inode, source.modified, source.changed):
        raise UnsafeImageError(
            "the source changed while it was worked on",
            where=source.path,
            hint="let nobody write to it and run this again",
        )


def read_current(releases: str, name: str) -> tuple[str, Manifest] | None:
    """Return the folder and manifest of an image's current release, or None.

    Raises:
        DamagedImageError: there is one, but its manifest cannot be read.
    """
    folder = os.path.join(_folder(releases, name), CURRENT)
    if not os.path.isdir(folder):
        return None
    folder = os.path.realpath(folder)
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, encoding="utf-8") as file:
            manifest = parse_manifest(json.load(file))
    except (OSError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise DamagedImageError(
            "the manifest of the current release cannot be read",
            where=path,
            hint="remove the link named current beside it to start afresh",
        ) from error
    return folder, manifest


def parse_manifest(document: t.Any) -> Manifest:
    """Read a manifest's JSON. Raises KeyError, TypeError or ValueError when it is none."""
    if document["schema"] != _SCHEMA:
        raise ValueError("unknown schema")
    if not isinstance(document["inputs"], dict):
        raise TypeError("the inputs are no mapping")
    fields = {**document, "source": SourceId(**document["source"])}
    return Manifest(**fields)


def outdated(folder: str, manifest: Manifest, source: SourceId, inputs: Mapping[str, str]) -> list[str]:
    """Return why a new release is needed: what is wrong with the file of the one in `folder`, and `differences`."""
    return [*_losses(folder, manifest), *differences(manifest, source, inputs)]


def _losses(folder: str, manifest: Manifest) -> Iterator[str]:
    try:
        status = os.stat(os.path.join(folder, manifest.file))
    except OSError:
        yield f"the file {manifest.file} of the release, which is missing"
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size != manifest.size:
        yield f"the file {manifest.file} of the release ({manifest.size} -> {status.st_size} bytes)"


def differences(manifest: Manifest, source: SourceId, inputs: Mapping[str, str]) -> list[str]:
    """Return what has changed since a release was made, as words for the user."""
    reasons = []
    if manifest.source.digest != source.digest:
        reasons.append("the source image")
    if manifest.collection != VERSION:
        reasons.append(f"the collection ({manifest.collection} -> {VERSION})")
    names = set(manifest.inputs) | set(inputs)
    reasons += [name for name in sorted(names) if manifest.inputs.get(name) != inputs.get(name)]
    return reasons


def publish(runner: Runner, image: str, releases: str, order: Order) -> tuple[str, Manifest]:
    """Publish a working image as a new release and make it the current one.

    Returns:
        The release's folder and its manifest.
    """
    above = _folder(releases, order.name)
    os.makedirs(above, mode=0o755, exist_ok=True)
    with blocks.one_at_a_time(above):
        _remove_unfinished(above)
        identity = _new_id(order)
        folder = os.path.join(above, identity)
        unfinished = os.path.join(above, f"{_UNFINISHED}{identity}")
        os.mkdir(unfinished, mode=0o755)
        try:
            manifest = _fill(runner, image, unfinished, identity, order)
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        _point(above, identity)
    return folder, manifest


def _fill(runner: Runner, image: str, folder: str, identity: str, order: Order) -> Manifest:
    name = f"disk.{order.output.ending}"
    path = os.path.join(folder, name)
    convert(runner, image, path, order.output, declared="raw")
    os.chmod(path, 0o444)
    # While the disk writes, a processor has nothing to do.
    with ThreadPoolExecutor(1) as pool, open(path, "rb") as file:
        written = pool.submit(blocks.sync_file, path)
        sha256 = _sha256(file, runner.progress)
        written.result()
    manifest = Manifest(
        name=order.name,
        id=identity,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        collection=VERSION,
        file=name,
        format=order.output.format,
        size=os.stat(path).st_size,
        virtual_size=os.stat(image).st_size,
        sha256=sha256,
        source=order.source,
        inputs=dict(order.inputs),
    )
    with open(os.path.join(folder, MANIFEST), "w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    blocks.sync_file(folder)
    return manifest


def _point(above: str, identity: str) -> None:
    """Let the link named current point to a release, in one step."""
    link = os.path.join(above, f"{_UNFINISHED}{CURRENT}")
    os.symlink(identity, link)
    os.replace(link, os.path.join(above, CURRENT))
    blocks.sync_file(above)


def _new_id(order: Order) -> str:
    # The nanoseconds tell apart two releases of one second.
    content = json.dumps([order.source.digest, dict(order.inputs), VERSION, time.time_ns()], sort_keys=True)
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _folder(releases: str, name: str) -> str:
    if not name or "/" in name or name.startswith("."):
        raise InputError(f"{name!r} cannot be the name of an image", hint="use letters, digits, - and _")
    return os.path.join(os.path.abspath(releases), name)


def _remove_unfinished(above: str) -> None:
    """Remove what a killed run left; the lock is ours, so nobody is working on it."""
    for name in os.listdir(above):
        if name.startswith(_UNFINISHED):
            path = os.path.join(above, name)
            if os.path.islink(path):
                os.unlink(path)
            else:
                shutil.rmtree(path)


def _sha256(file: t.BinaryIO, progress: Progress) -> str:
    content = hashlib.sha256()
    size = os.fstat(file.fileno()).st_size
    while piece := file.read(_PIECE):
        content.update(piece)
        progress.tell("reading", file.tell(), size)
    return content.hexdigest()


__all__ = [
    "Manifest",
    "Order",
    "SourceId",
    "differences",
    "identify_source",
    "outdated",
    "parse_manifest",
    "publish",
    "read_current",
    "require_same",
]
