# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This doc fragment is PRIVATE to the collection: it may change without notice.

"""The options that say how hypervisors' names become MACs."""

from __future__ import annotations


class ModuleDocFragment:
    """They can be given as variables, so that all who work out addresses agree."""

    DOCUMENTATION = r"""
options:
  mode:
    description:
      - V(positional) writes the number in the hypervisor's name and the slot's number into bits of their own, after a
        prefix. No two can collide, and a MAC can be read.
      - V(hashed) takes 46 bits of a digest of the whole name and the slot, for names without numbers. Two can collide;
        the whole list of hypervisors has to be checked.
    type: str
    choices: [positional, hashed]
    default: positional
    vars:
      - name: voc_mac_mode
  prefix:
    description:
      - The first one to five octets of every positional MAC, for example a site's own OUI.
      - Without it V(02:56:4f), which is locally administered.
    type: str
    vars:
      - name: voc_mac_prefix
  pattern:
    description:
      - A regular expression that finds the number in a hypervisor's name, as its group. With several groups the numbers
        are put side by side, each in bits of its own.
      - Without it every group of digits in the name's first label counts, so that C(node042) has the number 42 and
        C(r12n07) the numbers 12 and 7.
    type: str
    vars:
      - name: voc_mac_pattern
  group_bits:
    description: How many bits each number in a name has. Without it the first has all that 8 for each other leave.
    type: list
    elements: int
    default: []
    vars:
      - name: voc_mac_group_bits
  slot_bits:
    description: How many bits the slot's number has.
    type: int
    default: 4
    vars:
      - name: voc_mac_slot_bits
  max_slots:
    description:
      - How many slots a hypervisor has at most. The IP addresses of neighbouring hypervisors stand this far apart.
      - Without it as many as O(slot_bits) can count.
    type: int
    vars:
      - name: voc_max_slots
  format:
    description: How MACs are written, by the names of the dialects of netaddr.
    type: str
    choices: [unix_expanded, unix, eui48, cisco, bare, pgsql]
    default: unix_expanded
    vars:
      - name: voc_mac_format
"""
