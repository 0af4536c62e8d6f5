# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The collection's version, for modules, which cannot see galaxy.yml; a test compares the two."""

from __future__ import annotations

VERSION = "0.1.0"

__all__ = ["VERSION"]
