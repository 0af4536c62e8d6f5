# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: whole files, directories and links."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import (
    PATH,
    PERMISSIONS,
    Kind,
    Options,
    absolute,
    attributes,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes


def _file(plan: Plan, options: Options) -> None:
    path = absolute(options["path"])
    if options["source"] is not None:
        try:
            with open(options["source"], "rb") as file:
                content = file.read()
        except OSError as error:
            raise InputError(
                f"it cannot be read ({error.strerror})", where=options["source"], hint="give a file on the builder"
            ) from error
    else:
        content = options["content"].encode("utf-8", "surrogateescape")
    plan.write(path, content, attributes(plan, path, options, Attributes(0o644)))


def _directory(plan: Plan, options: Options) -> None:
    path = absolute(options["path"])
    plan.make_directory(path, attributes(plan, path, options, Attributes(0o755)))


def _symlink(plan: Plan, options: Options) -> None:
    plan.symlink(absolute(options["path"]), options["target"])


def _absent(plan: Plan, options: Options) -> None:
    plan.remove(absolute(options["path"]))


KINDS = (
    Kind(
        "file",
        {
            "type": "dict",
            "options": {"path": PATH, "content": {"type": "str"}, "source": {"type": "path"}, **PERMISSIONS},
            "mutually_exclusive": [("content", "source")],
            "required_one_of": [("content", "source")],
        },
        _file,
    ),
    Kind("directory", {"type": "dict", "options": {"path": PATH, **PERMISSIONS}}, _directory),
    Kind("symlink", {"type": "dict", "options": {"path": PATH, "target": {"type": "str", "required": True}}}, _symlink),
    Kind("absent", {"type": "dict", "options": {"path": PATH}}, _absent),
)

__all__ = ["KINDS"]
