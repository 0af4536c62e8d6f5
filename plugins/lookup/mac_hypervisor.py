# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mac_hypervisor
short_description: The hypervisor and the slot that a MAC address belongs to
version_added: 0.1.0
description:
  - The way back from P(voc.cluster.hostname_mac#lookup), for example from a line in the log of a DHCP server.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._addressing
requirements:
  - netaddr
options:
  _terms:
    description: MAC addresses, in any of the usual forms.
    type: list
    elements: raw
    required: true
  hypervisors:
    description: The names of the hypervisors it can belong to. Without it, the group C(hypervisors) of the inventory.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show whose MAC this is
  ansible.builtin.debug:
    msg: "{{ lookup('voc.cluster.mac_hypervisor', '02:56:4f:00:02:a1') }}"  # {hypervisor: node042, slot: 1}
"""

RETURN = r"""
_raw:
  description: For each MAC, the C(hypervisor) and the C(slot) it belongs to.
  type: list
  elements: dict
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.voc.cluster.plugins.module_utils._addressing import parse_mac
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.plugin_utils._addressing import flattened, scheme_from, told_to_ansible


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, t.Any]]:
        """Return where each MAC belongs."""
        self.set_options(var_options=variables, direct=kwargs)
        hypervisors = self.get_option("hypervisors")
        if hypervisors is None:
            hypervisors = (variables or {}).get("groups", {}).get("hypervisors", [])
        with told_to_ansible():
            scheme = scheme_from(self.get_option)
            places = []
            for mac in flattened(terms):
                place = scheme.place(parse_mac(mac), hypervisors)
                if place is None:
                    raise InputError(f"the MAC {mac} belongs to none of {len(hypervisors)} hypervisors")
                places.append({"hypervisor": place[0], "slot": place[1]})
            return places
