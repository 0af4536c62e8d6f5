# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Kinds of edit: how the guest's interfaces get their addresses."""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import Kind
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import ARGUMENT_SPEC
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.write import configure

KINDS = (Kind("network", {"type": "dict", "options": ARGUMENT_SPEC}, configure),)

__all__ = ["KINDS"]
