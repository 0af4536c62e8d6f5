# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: what makes a guest one of the site: names, name servers, time zone, trusted certificates."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import certificates, clock, names
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind, Options
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_STATE: Options = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_WORDS: Options = {"type": "list", "elements": "str", "default": []}
_LIMIT = 1 << 20  # bytes: more than that is no certificate


def _hostname(plan: Plan, options: Options) -> None:
    names.set_hostname(plan, options["name"])


def _hosts(plan: Plan, options: Options) -> None:
    wanted = options["names"] if options["state"] == "present" else []
    if not wanted and options["state"] == "present":
        raise InputError("the list of names is empty", hint="give one, or state: absent")
    names.set_host(plan, options["address"], wanted)


def _resolver(plan: Plan, options: Options) -> None:
    names.set_resolver(plan, options["servers"], options["search"], options["options"])


def _timezone(plan: Plan, options: Options) -> None:
    clock.set_timezone(plan, options["name"])


def _ca_certificate(plan: Plan, options: Options) -> None:
    if options["state"] == "absent":
        certificates.distrust(plan, options["name"])
    else:
        certificates.trust(plan, options["name"], options["content"] or _read(options["source"]))


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(_LIMIT)
    except OSError as error:
        raise InputError(
            f"it cannot be read ({error.strerror})", where=path, hint="give a file on the builder"
        ) from error


KINDS = (
    Kind(
        "hostname",
        {"type": "dict", "options": {"name": {"type": "str", "required": True}}},
        _hostname,
        folders=("/etc",),
    ),
    Kind(
        "hosts",
        {
            "type": "dict",
            "options": {
                "address": {"type": "str", "required": True},
                "names": {"type": "list", "elements": "str"},
                "state": _STATE,
            },
            "required_if": [("state", "present", ("names",))],
        },
        _hosts,
        folders=("/etc",),
    ),
    Kind(
        "resolver",
        {
            "type": "dict",
            "options": {
                "servers": {"type": "list", "elements": "str", "required": True},
                "search": _WORDS,
                "options": _WORDS,
            },
        },
        _resolver,
        folders=("/etc", "/sbin", "/usr/sbin"),
    ),
    Kind(
        "timezone",
        {"type": "dict", "options": {"name": {"type": "str", "required": True}}},
        _timezone,
        folders=("/etc", clock.ZONES),
    ),
    Kind(
        "ca_certificate",
        {
            "type": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "content": {"type": "str"},
                "source": {"type": "path"},
                "state": _STATE,
            },
            "mutually_exclusive": [("content", "source")],
            "required_if": [("state", "present", ("content", "source"), True)],
        },
        _ca_certificate,
        folders=("/etc", "/usr/sbin"),
    ),
)

__all__ = ["KINDS"]
