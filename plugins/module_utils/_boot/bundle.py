# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A kernel bundle: one kernel of one distribution in an archive, for guests that shall get no packages.

The archive is ustar, plain or compressed by gzip, bzip2, xz or zstd. Its first member is
``manifest.json``::

    {"bundle": 1, "distribution": "debian", "version": "13", "architecture": "x86_64",
     "kernel": "6.12.48+deb13-cloud-amd64", "files": {"boot/vmlinuz-6.12...": "its sha256", ...}}

`distribution` and `version` are the ID and VERSION_ID of os-release, `architecture` is
uname's. Then come the kernel in ``boot/``, its initramfs beside it, and its modules in
``usr/lib/modules/VERSION`` (or ``lib/modules/VERSION``). Nothing else is accepted: an
archive is untrusted, and a kernel needs no more. ``tools/make-kernel-bundle`` makes one.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._boot import ustar
from ansible_collections.voc.cluster.plugins.module_utils._boot.ustar import Member
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    ImageError,
    SpaceError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import HostFile
from ansible_collections.voc.cluster.plugins.module_utils._image import compression
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import copy_out, require_space
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import probe

MANIFEST = "manifest.json"

# A generic kernel with debugging symbols has 6000 files of 1.5 GiB.
MAX_SIZE = 4 << 30
MAX_MEMBERS = 50_000
_MAX_MANIFEST = 16 << 20

_SCHEMA = 1
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BOOT_FILES = ("vmlinuz-{}", "initrd.img-{}", "initramfs-{}.img", "initrd-{}", "config-{}", "System.map-{}")
_INITRAMFS = ("/boot/initrd.img-{}", "/boot/initramfs-{}.img", "/boot/initrd-{}")
_MODULES = ("usr/lib/modules", "lib/modules")
_ABOVE = ("boot", "usr", "usr/lib", "usr/lib/modules", "lib", "lib/modules")
_NAME_LIMIT = 255
_PIECE = 1 << 20
_BLOCK = 4096  # of nearly every filesystem of a system


@dataclass(frozen=True)
class Manifest:
    """What a bundle says it is; `files` are names in the archive and their sha256."""

    distribution: str
    version: str
    architecture: str
    kernel: str
    files: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was unpacked and found whole; all paths are the guest's.

    Attributes:
        files: where the content of each file is in the archive, which waits on the builder.
        links: where each symbolic link points; always into the modules' own folder.
        folders: every directory of the modules.
    """

    manifest: Manifest
    files: dict[str, HostFile]
    links: dict[str, str]
    folders: frozenset[str]

    @property
    def size(self) -> int:
        """The sum of the files, in bytes."""
        return sum(file.size for file in self.files.values())


def unpack(runner: Runner, path: str, folder: str) -> Bundle:
    """Unpack a bundle's archive into an empty folder, and check it.

    Raises:
        DamagedImageError: it is cut short, or differs from its manifest.
        UnsafeImageError: it holds something that no kernel needs, or too much.
    """
    found = probe(path)
    archive = os.path.join(folder, "archive")
    with open(archive, "xb") as copy:
        if not found.compression:
            size = os.stat(path).st_size
            require_space(folder, size, runner.reserve)
            copy_out(path, 0, size, copy.fileno())
    if found.compression:
        _decompress(runner, path, found.compression, archive)
    with open(archive, "rb") as file:
        return _read(file, archive, path)


def _decompress(runner: Runner, path: str, kind: str, target: str) -> None:
    try:
        compression.unpack(runner, path, kind, target, MAX_SIZE)
    except UnsafeImageError as error:
        raise UnsafeImageError(error.found, where=path, hint="no kernel is that large: make the bundle again") from None
    except DamagedImageError as error:
        raise DamagedImageError(error.found, where=path, hint="make or fetch the bundle again") from None


def _read(file: t.BinaryIO, archive: str, where: str) -> Bundle:
    """Check the members of an open archive one by one; their content stays where it is in there."""
    manifest: Manifest | None = None
    files: dict[str, HostFile] = {}
    links: dict[str, str] = {}
    folders: set[str] = set()
    total = 0
    for count, member in enumerate(ustar.members(file, where)):
        total += member.size
        if count >= MAX_MEMBERS or total > MAX_SIZE:
            raise _unsafe(f"it holds more than {MAX_MEMBERS} files or {MAX_SIZE} bytes", where)
        if manifest is None:
            manifest = _read_manifest(file, member, where)
            continue
        path = guest_path(member, manifest.kernel, where)
        if path in files or path in links:
            raise _unsafe(f"it holds {member.name} twice", where)
        if member.kind == "directory":
            _add_folders(folders, path, manifest.kernel)
        elif member.kind == "symlink":
            links[path] = member.target
        else:
            files[path] = HostFile(archive, member.size, _digest(file, member, manifest, where), member.offset)
        _add_folders(folders, posixpath.dirname(path), manifest.kernel)
    if manifest is None:
        raise _damaged(f"it has no {MANIFEST}", where)
    bundle = Bundle(manifest, files, links, frozenset(folders))
    _check(bundle, where)
    return bundle


def _read_manifest(file: t.BinaryIO, member: Member, where: str) -> Manifest:
    if member.name.removeprefix("./") != MANIFEST or member.kind != "file" or member.size > _MAX_MANIFEST:
        raise _damaged(f"its first member is not {MANIFEST}", where)
    file.seek(member.offset)
    return parse_manifest(file.read(member.size), where)


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a bundle's manifest.

    Raises:
        DamagedImageError: something in it is missing or malformed.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _damaged(f"its {MANIFEST} is not JSON", where) from None
    if not isinstance(found, dict) or found.get("bundle") != _SCHEMA:
        raise _damaged(f"its {MANIFEST} is not that of a kernel bundle of version {_SCHEMA}", where)
    files = found.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(digest, str) and _SHA256.fullmatch(digest) for digest in files.values()
    ):
        raise _damaged(f"its {MANIFEST} has no proper files", where)
    return Manifest(
        distribution=_matching(found, "distribution", _WORD, where),
        version=_matching(found, "version", _WORD, where),
        architecture=_matching(found, "architecture", _WORD, where),
        kernel=_matching(found, "kernel", _VERSION, where),
        files=files,
    )


def _matching(found: dict[str, t.Any], key: str, pattern: re.Pattern[str], where: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _damaged(f"its {MANIFEST} has no proper {key}", where)
    return value


def guest_path(member: Member, kernel: str, where: str) -> str:
    """Return where in the guest a member belongs.

    Modules are in /lib/modules, wherever that leads in the guest.

    Raises:
        UnsafeImageError: it does not belong to this kernel.
    """
    name = member.name.removeprefix("./").rstrip("/")
    if member.kind == "directory" and name in ("", ".", *_ABOVE):
        return f"/{name}"
    if member.kind == "file" and name in [f"boot/{form.format(kernel)}" for form in _BOOT_FILES]:
        return f"/{name}"
    for prefix in _MODULES:
        top = f"{prefix}/{kernel}"
        if name == top and member.kind == "directory":
            return f"/lib/modules/{kernel}"
        if name.startswith(f"{top}/") and _is_plain(name) and _stays(name, member.target, top):
            return f"/lib/modules/{kernel}{name[len(top) :]}"
    raise _unsafe(f"it holds {member.name}, which is no part of the kernel {kernel}", where)


def _is_plain(name: str) -> bool:
    return all(part not in ("", ".", "..") and len(part) <= _NAME_LIMIT for part in name.split("/"))


def _stays(name: str, target: str, top: str) -> bool:
    """Say whether a link points to something below `top`, by its words alone."""
    if not target:
        return True
    ends = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    return not target.startswith("/") and ends.startswith(f"{top}/")


def _add_folders(folders: set[str], path: str, kernel: str) -> None:
    """Add a directory of the modules and those above it, up to the kernel's own, to those that are known."""
    top = f"/lib/modules/{kernel}"
    while path not in folders and (path == top or path.startswith(f"{top}/")):
        folders.add(path)
        path = posixpath.dirname(path)


def _digest(file: t.BinaryIO, member: Member, manifest: Manifest, where: str) -> str:
    """Return the sha256 of a member's content, which is that of the manifest."""
    digest = hashlib.sha256()
    file.seek(member.offset)
    left = member.size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise _damaged("the archive became shorter while it was read", where)
        digest.update(piece)
        left -= len(piece)
    expected = manifest.files.get(member.name.removeprefix("./"))
    if digest.hexdigest() != expected:
        raise _damaged(f"{member.name} differs from the manifest", where)
    return digest.hexdigest()


def _check(bundle: Bundle, where: str) -> None:
    """Check that the bundle has all that its manifest names, and all that a kernel needs."""
    kernel = bundle.manifest.kernel
    if len(bundle.files) != len(bundle.manifest.files):
        raise _damaged("files of the manifest are missing in the archive", where)
    mixed = bundle.folders & (bundle.files.keys() | bundle.links.keys())
    if mixed:
        raise _unsafe(f"{min(mixed)} is a directory and something else, too", where)
    needed = {
        "kernel": f"/boot/vmlinuz-{kernel}" in bundle.files,
        "initramfs": any(form.format(kernel) in bundle.files for form in _INITRAMFS),
        "list of modules": f"/lib/modules/{kernel}/modules.dep" in bundle.files,
    }
    for name, there in needed.items():
        if not there:
            raise _damaged(f"the kernel {kernel} has no {name} in the bundle", where)


def require_match(manifest: Manifest, guest: Guest, where: str) -> None:
    """Refuse a guest of another architecture or distribution than the bundle was made for.

    What the guest does not tell is not compared.

    Raises:
        GuestError: with both names.
    """
    pairs = (
        ("architecture", manifest.architecture, guest.architecture),
        ("distribution", manifest.distribution, guest.id),
        ("version", f"{manifest.distribution} {manifest.version}", guest.version and f"{guest.id} {guest.version}"),
    )
    for word, ours, theirs in pairs:
        if theirs and ours != theirs:
            raise GuestError(
                f"the bundle is for the {word} {ours} but the guest is {theirs}",
                where=where,
                hint="give a bundle made for this guest, or set force",
            )


def plan_install(files: tree.GuestTree, bundle: Bundle) -> Plan:
    """Lay a bundle over a guest; everything belongs to root, and everybody may read it.

    Other files that stand among the modules stay.

    Raises:
        GuestError: something of another kind stands in the place of one of its files.
    """
    plan = Plan(files)
    real = tree.resolve(files, f"/lib/modules/{bundle.manifest.kernel}")
    plan.expect([real + path[len(f"/lib/modules/{bundle.manifest.kernel}") :] for path in bundle.folders])
    for path in sorted(bundle.folders):
        plan.make_directory(path)
    for path, source in sorted(bundle.files.items()):
        plan.copy_in(path, source, tree.Attributes(0o644))
    for path, target in sorted(bundle.links.items()):
        plan.symlink(path, target)
    return plan


def require_room(changes: Sequence[tree.Change], free: int | None, where: str) -> None:
    """Refuse before anything is written when the files do not fit into `free` bytes.

    Raises:
        SpaceError: they do not.
    """
    sizes = [change.source.size for change in changes if isinstance(change, tree.PutHostFile) and not change.replaces]
    needed = sum(-(-size // _BLOCK) * _BLOCK for size in sizes)
    if free is not None and needed > free:
        raise SpaceError(
            f"the kernel needs {needed} bytes but only {free} are free in the image",
            where=where,
            hint="let image_layout make a larger disk",
        )


def _damaged(found: str, where: str) -> ImageError:
    return DamagedImageError(found, where=where, hint="make the bundle again with make kernel-bundle")


def _unsafe(found: str, where: str) -> ImageError:
    return UnsafeImageError(found, where=where, hint="make the bundle again with make kernel-bundle")


__all__ = [
    "MAX_MEMBERS",
    "MAX_SIZE",
    "Bundle",
    "Manifest",
    "guest_path",
    "parse_manifest",
    "plan_install",
    "require_match",
    "require_room",
    "unpack",
]
