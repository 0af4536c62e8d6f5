# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: parts of a text file. Their options are those of the Ansible modules of the same names."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import ini, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import (
    PATH,
    PERMISSIONS,
    Kind,
    Options,
    absolute,
    attributes,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import (
    Anchor,
    LineSearch,
    Markers,
    compiled,
    replaced,
    with_block,
    with_line,
    without_line,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes

_STATE: Options = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_ANCHOR: Options = {"insertafter": {"type": "str"}, "insertbefore": {"type": "str"}}


def _line(plan: Plan, options: Options) -> None:
    pattern = None if options["regexp"] is None else compiled(options["regexp"])
    search = LineSearch(options["line"] or "", pattern, options["search_string"], options["firstmatch"])
    if options["state"] == "absent":
        _remove(plan, options, lambda text: without_line(text, search))
        return
    anchor = Anchor.of(options["insertafter"], options["insertbefore"], first=options["firstmatch"])
    backrefs = options["backrefs"]
    _change(plan, options, lambda text: with_line(text, search, anchor, backrefs=backrefs), create=options["create"])


def _block(plan: Plan, options: Options) -> None:
    markers = Markers.of(options["marker"], options["marker_begin"], options["marker_end"])
    anchor = Anchor.of(options["insertafter"], options["insertbefore"])
    block = options["block"]
    if options["state"] == "absent" or not block:
        _remove(plan, options, lambda text: with_block(text, markers, "", anchor))
    else:
        _change(plan, options, lambda text: with_block(text, markers, block, anchor), create=options["create"])


def _replace(plan: Plan, options: Options) -> None:
    words = (options["regexp"], options["replace"], options["after"], options["before"])
    _change(plan, options, lambda text: replaced(text, *words), create=False)


def _ini(plan: Plan, options: Options) -> None:
    section, option = options["section"], options["option"]
    if options["state"] == "absent":
        if option is None:
            _remove(plan, options, lambda text: ini.without_section(text, section))
        else:
            _remove(plan, options, lambda text: ini.without_option(text, section, option))
    elif option is None:
        _change(plan, options, lambda text: ini.with_section(text, section), create=options["create"])
    else:
        style = ini.Style(spaces=not options["no_extra_spaces"], revive=options["modify_inactive_option"])
        values = options["values"] or [options["value"]]
        _change(
            plan,
            options,
            lambda text: ini.with_option(text, section, option, values, style),
            create=options["create"],
        )


def _change(plan: Plan, options: Options, edit: Callable[[str], str], *, create: bool) -> None:
    """Let a file's text become what `edit` makes of it."""
    path = absolute(options["path"])
    text = tree.read_text(plan, path)
    if text is None and not create:
        raise GuestError("there is no such file in the guest", where=path, hint="make it with an edit of kind file")
    after = edit(text or "")
    permissions = attributes(plan, path, options, Attributes())
    if after != text:
        plan.write_text(path, after, permissions)
    else:
        plan.set_attributes(path, permissions)


def _remove(plan: Plan, options: Options, edit: Callable[[str], str]) -> None:
    if tree.read_text(plan, absolute(options["path"])) is not None:
        _change(plan, options, edit, create=False)


KINDS = (
    Kind(
        "line",
        {
            "type": "dict",
            "options": {
                "path": PATH,
                "line": {"type": "str"},
                "regexp": {"type": "str"},
                "search_string": {"type": "str"},
                "state": _STATE,
                **_ANCHOR,
                "backrefs": {"type": "bool", "default": False},
                "firstmatch": {"type": "bool", "default": False},
                "create": {"type": "bool", "default": False},
                **PERMISSIONS,
            },
            "mutually_exclusive": [
                ("insertafter", "insertbefore"),
                ("regexp", "search_string"),
                ("backrefs", "search_string"),
            ],
            "required_if": [("state", "present", ("line",)), ("backrefs", True, ("regexp",))],
            "required_one_of": [("line", "regexp", "search_string")],
        },
        _line,
    ),
    Kind(
        "block",
        {
            "type": "dict",
            "options": {
                "path": PATH,
                "block": {"type": "str", "default": ""},
                "marker": {"type": "str", "default": "# {mark} ANSIBLE MANAGED BLOCK"},
                "marker_begin": {"type": "str", "default": "BEGIN"},
                "marker_end": {"type": "str", "default": "END"},
                "state": _STATE,
                **_ANCHOR,
                "create": {"type": "bool", "default": False},
                **PERMISSIONS,
            },
            "mutually_exclusive": [("insertafter", "insertbefore")],
        },
        _block,
    ),
    Kind(
        "replace",
        {
            "type": "dict",
            "options": {
                "path": PATH,
                "regexp": {"type": "str", "required": True},
                "replace": {"type": "str", "default": ""},
                "after": {"type": "str"},
                "before": {"type": "str"},
                **PERMISSIONS,
            },
        },
        _replace,
    ),
    Kind(
        "ini",
        {
            "type": "dict",
            "options": {
                "path": PATH,
                "section": {"type": "str"},
                "option": {"type": "str"},
                "value": {"type": "str"},
                "values": {"type": "list", "elements": "str"},
                "state": _STATE,
                "no_extra_spaces": {"type": "bool", "default": False},
                "modify_inactive_option": {"type": "bool", "default": True},
                "create": {"type": "bool", "default": True},
                **PERMISSIONS,
            },
            "mutually_exclusive": [("value", "values")],
            "required_one_of": [("section", "option")],
        },
        _ini,
    ),
)

__all__ = ["KINDS"]
