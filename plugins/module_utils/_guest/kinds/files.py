# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: whole files, secrets, directories, links, and who may do what with them."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import (
    PATH,
    PERMISSIONS,
    Kind,
    Options,
    absolute,
    attributes,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, HostFile

_OTHERS = 0o007
_HELD = 64 << 10  # bytes: larger files of the builder are not held in memory


def _file(plan: Plan, options: Options) -> None:
    path = absolute(options["path"])
    _put(plan, path, options, attributes(plan, path, options, Attributes(0o644)))


def _secret(plan: Plan, options: Options) -> None:
    """Put a file of which nobody but its owner and group knows, and which no result shows."""
    path = absolute(options["path"])
    wanted = attributes(plan, path, options, Attributes(0o600))
    if options["mode"] is None:
        wanted = replace(wanted, mode=wanted.mode & ~_OTHERS)
    elif wanted.mode & _OTHERS:
        raise InputError(f"with mode {wanted.mode:04o} everybody could use the secret", hint="give '0600' or '0640'")
    plan.hide(path)
    _put(plan, path, options, wanted)


def _put(plan: Plan, path: str, options: Options, wanted: Attributes) -> None:
    if options["source"] is not None:
        _copy(plan, path, options["source"], wanted)
    else:
        plan.write(path, _decoded(options["content"], options["encoding"]), wanted)


def _copy(plan: Plan, path: str, source: str, wanted: Attributes) -> None:
    try:
        # A FIFO would be waited for.
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError("it is not a regular file", where=source, hint="give a file on the builder")
            if found.st_size > _HELD:
                plan.copy_in(path, HostFile(source, found.st_size, tree.sha256(file)), wanted)
            else:
                plan.write(path, file.read(), wanted)
    except OSError as error:
        raise InputError(
            f"it cannot be read ({error.strerror})", where=source, hint="give a file on the builder"
        ) from error


def _decoded(content: str, encoding: str) -> bytes:
    if encoding == "text":
        return content.encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("the content is not base64") from error


def _directory(plan: Plan, options: Options) -> None:
    path = absolute(options["path"])
    plan.make_directory(path, attributes(plan, path, options, Attributes(0o755)))


def _symlink(plan: Plan, options: Options) -> None:
    plan.symlink(absolute(options["path"]), options["target"])


def _absent(plan: Plan, options: Options) -> None:
    plan.remove(absolute(options["path"]))


def _permissions(plan: Plan, options: Options) -> None:
    path = absolute(options["path"])
    real, entry = tree.lookup(plan, path)
    if entry is None:
        raise GuestError("there is no such file in the guest", where=path)
    plan.set_attributes(real, attributes(plan, real, options, Attributes()))
    ahead = [real] if options["recurse"] and entry.kind == "directory" else []
    while ahead:
        here = ahead.pop()
        for name in plan.listdir(here):
            below = f"{here.rstrip('/')}/{name}"
            found = plan.lstat(below)
            if found and found.kind in ("file", "directory"):
                plan.set_attributes(below, attributes(plan, below, {**options, "mode": None}, Attributes()))
            if found and found.kind == "directory":
                ahead.append(below)


def _with_content(*, no_log: bool) -> Options:
    return {
        "type": "dict",
        "no_log": False,  # of the whole: the path is no secret
        "options": {
            "path": PATH,
            "content": {"type": "str", "no_log": no_log},
            "source": {"type": "path"},
            "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
            **PERMISSIONS,
        },
        "mutually_exclusive": [("content", "source")],
        "required_one_of": [("content", "source")],
    }


KINDS = (
    Kind("file", _with_content(no_log=False), _file),
    Kind("secret", _with_content(no_log=True), _secret),
    Kind("directory", {"type": "dict", "options": {"path": PATH, **PERMISSIONS}}, _directory),
    Kind("symlink", {"type": "dict", "options": {"path": PATH, "target": {"type": "str", "required": True}}}, _symlink),
    Kind("absent", {"type": "dict", "options": {"path": PATH}}, _absent),
    Kind(
        "permissions",
        {
            "type": "dict",
            "options": {"path": PATH, **PERMISSIONS, "recurse": {"type": "bool", "default": False}},
            "required_one_of": [("mode", "owner", "group")],
        },
        _permissions,
    ),
)

__all__ = ["KINDS"]
