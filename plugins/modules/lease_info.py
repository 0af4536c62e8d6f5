#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lease_info
short_description: List leases of addresses, slots and LUNs
version_added: 0.1.0
description:
  - Tells who has which address of which pool, as M(voc.cluster.lease) gave them.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
  - voc.cluster._leases
options:
  pools:
    description: The names of the pools to look into. Without it, all there are.
    type: list
    elements: str
  expected:
    description: The holders that may have leases. Without it, nothing is an orphan.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: See which addresses are in use
  voc.cluster.lease_info:
    pools: [ip]
  register: leased
  delegate_to: head

- name: Find leases of what is no host of the inventory
  voc.cluster.lease_info:
    pools: [mac, ip]
    expected: "{{ groups.instances }}"
  register: found
  delegate_to: head
"""

RETURN = r"""
leases:
  description: What each holder has, by holder and pool.
  returned: success
  type: dict
  sample: {node042-vm1: {ip: 10.16.0.2}}
orphans:
  description: The holders, not expected, that have leases which hold.
  returned: success
  type: list
  elements: str
  sample: [node042-vm9]
pools:
  description: The leases of each pool in the order of the addresses, also those that came to their end by themselves.
  returned: success
  type: dict
  sample:
    ip:
      - {address: 10.16.0.2, holder: node042-vm1, acquired: "2026-11-24T22:48:01Z", expires: null, expired: false}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._lease_store import DATABASE, open_store
from ansible_collections.voc.cluster.plugins.module_utils._leases import Lease, by_holder
from ansible_collections.voc.cluster.plugins.module_utils._module import run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    del runner  # no program is started
    options, now = module.params, time.time()
    with open_store(options["database"], writable=False, password=options["database_password"]) as store:
        names = store.pools() if options["pools"] is None else options["pools"]
        pools = {name: [lease for lease in store.leases(name) if lease.ended is None] for name in names}
    held = by_holder(lease for leases in pools.values() for lease in leases if lease.end(now) is None)
    expected = options["expected"]
    return {
        "changed": False,
        "leases": held,
        "orphans": [] if expected is None else sorted(held.keys() - set(expected)),
        "pools": {name: [_told(lease, now) for lease in leases] for name, leases in pools.items()},
    }


def _told(lease: Lease, now: float) -> dict[str, t.Any]:
    return {
        "address": lease.address,
        "holder": lease.holder,
        "acquired": _date(lease.acquired),
        "expires": None if lease.expires is None else _date(lease.expires),
        "expired": lease.end(now) is not None,
    }


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **DATABASE,
            "pools": {"type": "list", "elements": "str"},
            "expected": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
