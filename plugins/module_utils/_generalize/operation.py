# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What an operation is: something that must not be cloned, why, and how it is cleaned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread


@dataclass(frozen=True)
class Operation:
    """Something to clean. It has one of `clean` and `wipe`.

    Attributes:
        name: as users select it.
        reason: why an image must not be cloned with it.
        clean: lays what is to be done over a plan of the guest's files.
        wipe: zeroes parts of the image after that, if it is told to apply; returns how many bytes
            of data are, or would be, gone.
        default: whether it is done when the user selects nothing.
    """

    name: str
    reason: str
    clean: Callable[[Sweep], None] | None = None
    wipe: Callable[[Runner, Spread, bool], int] | None = None
    default: bool = True


__all__ = ["Operation"]
