# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hostname_mac
short_description: The MAC address of the instance in a slot on a hypervisor
version_added: 0.1.0
description:
  - Works out MAC addresses from host names, with no service to ask and nothing to store.
  - The same arithmetic gives the inventory plugin P(voc.cluster.instances#inventory) the addresses of all instances,
    and so DHCP reservations and the definitions of domains, which therefore cannot disagree.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._addressing
requirements:
  - netaddr
options:
  _terms:
    description: Names of hypervisors, or lists of them.
    type: list
    elements: raw
    required: true
  slot:
    description: The slot on each of them.
    type: int
    default: 0
  check:
    description:
      - The names of all hypervisors of the site, such as C(groups.hypervisors). When any two slots of theirs have the
        same MAC, the lookup fails and names both.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the MAC of the instance in slot 1 on node042, 02:56:4f:00:02:a1
  ansible.builtin.debug:
    msg: "{{ lookup('voc.cluster.hostname_mac', 'node042', slot=1) }}"

- name: Show the MACs of all first slots, and see to it that no two instances share one
  ansible.builtin.debug:
    msg: "{{ query('voc.cluster.hostname_mac', groups.hypervisors, check=groups.hypervisors) }}"

- name: Take the rack from the domain, r07 in node042.r07.example.org
  ansible.builtin.debug:
    msg: >-
      {{ lookup('voc.cluster.hostname_mac', 'node042.r07.example.org',
                pattern='node([0-9]+)[.]r([0-9]+)', group_bits=[12, 8]) }}
"""

RETURN = r"""
_raw:
  description: A MAC for each name, in the same order.
  type: list
  elements: str
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.voc.cluster.plugins.module_utils._addressing import format_mac
from ansible_collections.voc.cluster.plugins.plugin_utils._addressing import flattened, scheme_from, told_to_ansible


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return the MAC of a slot on each hypervisor."""
        self.set_options(var_options=variables, direct=kwargs)
        with told_to_ansible():
            scheme = scheme_from(self.get_option)
            scheme.require_distinct(self.get_option("check"))
            slot, dialect = self.get_option("slot"), self.get_option("format")
            return [format_mac(scheme.mac(name, slot), dialect) for name in flattened(terms)]
