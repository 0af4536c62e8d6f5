# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This doc fragment is PRIVATE to the collection: it may change without notice.

"""The options of an instance that any hypervisor's has."""

from __future__ import annotations


class ModuleDocFragment:
    """Of the modules that make an instance's files."""

    DOCUMENTATION = r"""
options:
  name:
    description: The instance's name, and that of its domain.
    type: str
    required: true
  folder:
    description: Where its files are, on a local filesystem of the hypervisor.
    type: path
    default: /var/lib/voc-cluster/instances
  memory:
    description: Its memory, for example V(2G).
    type: str
    default: 2G
  vcpus:
    description: How many processors it has.
    type: int
    default: 1
  architecture:
    description: Its architecture.
    type: str
    default: x86_64
  overcommit:
    description: How much more than there is free space all overlays of O(folder) may grow to, together.
    type: float
    default: 1.0
"""
