#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_reservations
short_description: Reserve addresses in a network of libvirt's
version_added: 0.1.0
description:
  - Lets the DHCP server of a libvirt network give hosts an address of their own, by their MAC. It runs on the
    hypervisor that has the network.
  - A network that is running is changed while it runs, and one that is defined for good also for its next start.
    Nothing that is connected to it is disturbed.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - libvirt
  - python3-libvirt
options:
  network:
    description: The network's name. It must have a subnet of IPv4 with the addresses.
    type: str
    required: true
  reservations:
    description: Who has which address.
    type: list
    elements: dict
    required: true
    suboptions:
      mac:
        description: The MAC address of its interface.
        type: str
        required: true
      ip:
        description: Its address of IPv4.
        type: str
        required: true
      name:
        description: Its name, which the server tells it, and answers queries for.
        type: str
        default: ""
  exclusive:
    description:
      - Remove all other reservations for MACs. Without it, only those are removed that share a MAC, an address or a
        name with one of O(reservations).
    type: bool
    default: false
  uri:
    description: How libvirt is reached.
    type: str
    default: qemu:///system
"""

EXAMPLES = r"""
- name: Reserve an address
  voc.cluster.libvirt_reservations:
    network: default
    reservations:
      - {mac: "02:56:4f:00:02:a1", ip: 192.168.122.42, name: node042-vm1}
  delegate_to: node042
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done. One that changes is removed and added.
  returned: success
  type: list
  elements: dict
  sample: [{action: add, mac: "02:56:4f:00:02:a1", ip: 192.168.122.42, name: node042-vm1}]
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instance import networks
from ansible_collections.voc.cluster.plugins.module_utils._instance.networks import Changes, Reservation
from ansible_collections.voc.cluster.plugins.module_utils._module import run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    del runner  # no program is started
    options = module.params
    wanted = [Reservation(each["ip"], _mac(each["mac"]), each["name"]) for each in options["reservations"]]
    removed: set[Reservation] = set()
    added: set[Reservation] = set()
    with networks.connect(options["uri"], options["network"]) as network:
        states = network.states()
        plans = {
            state: networks.plan(networks.read(xml), wanted, exclusive=options["exclusive"])
            for state, xml in states.items()
        }
        for state, changes in plans.items():
            for each in changes.add:
                networks.subnet(states[state], each)  # before anything is changed
            removed.update(changes.remove)
            added.update(changes.add)
        if not module.check_mode:
            for state, changes in plans.items():
                network.update(state, states[state], changes)
    return _result(Changes(tuple(sorted(removed)), tuple(sorted(added))))


def _result(changes: Changes) -> dict[str, t.Any]:
    told = [("remove", each) for each in changes.remove] + [("add", each) for each in changes.add]
    before, after = ("".join(f"{e.ip} {e.mac} {e.name}\n" for e in part) for part in (changes.remove, changes.add))
    return {
        "changed": bool(told),
        "changes": [{"action": action, "mac": e.mac, "ip": e.ip, "name": e.name} for action, e in told],
        "diff": {"before_header": "reservations", "after_header": "reservations", "before": before, "after": after},
    }


def _mac(text: str) -> str:
    """Return a MAC as libvirt writes it."""
    if not re.fullmatch("[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text):
        raise InputError(f"{text!r} is no MAC address", hint="write it like 02:56:4f:00:02:a1")
    return text.lower().replace("-", ":")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "network": {"type": "str", "required": True},
            "reservations": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "mac": {"type": "str", "required": True},
                    "ip": {"type": "str", "required": True},
                    "name": {"type": "str", "default": ""},
                },
            },
            "exclusive": {"type": "bool", "default": False},
            "uri": {"type": "str", "default": "qemu:///system"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
