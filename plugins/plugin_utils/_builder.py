# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This plugin util is PRIVATE to the collection: it may change without notice.

"""Reaches the builder for a connection that goes further: by the builder's own connection and variables."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

# What Ansible takes where neither the inventory nor the play says anything.
_USUAL = "ssh"


def builder_connection(name: str, variables: Mapping[str, t.Any], above: ConnectionBase) -> ConnectionBase:
    """Return a connection to a builder.

    Args:
        name: the builder's in the inventory.
        variables: the builder's own.
        above: the connection that goes through it.
    """
    known = {"inventory_hostname": name, **_defined(variables, ["ansible_connection"])}
    kind = str(known.get("ansible_connection", _USUAL))
    inner = connection_loader.get(
        _USUAL if kind == "smart" else kind, _context(name, above), task_uuid="", ansible_playbook_pid=""
    )
    options = constants.config.get_plugin_vars("connection", inner._load_name)
    inner.set_options(var_options={**known, **_defined(variables, options)})
    return inner


def _context(name: str, above: ConnectionBase) -> PlayContext:
    """Return what connections still take from the play, without anything that is meant for the guest."""
    context = above._play_context.copy()
    context.remote_addr = name
    context.remote_user = context.port = context.password = None
    context.become = False
    return context


def _defined(variables: Mapping[str, t.Any], names: list[str]) -> dict[str, t.Any]:
    return {name: variables[name] for name in names if name in variables}


__all__ = ["builder_connection"]
