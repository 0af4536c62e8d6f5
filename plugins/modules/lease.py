#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lease
short_description: Lease addresses, slots and LUNs from pools
version_added: 0.1.0
description:
  - Gives holders, such as instances, an address of their own from each of some pools, and remembers it. It is for sites
    where addresses cannot be worked out from names, as P(voc.cluster.hostname_mac#lookup) does it.
  - Runs on the host that keeps the leases. Any number of clients can do so at the same time; none gets an address that
    another has.
  - All that one task asks for is given at once, or nothing of it.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._leases
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  pools:
    description: The pools to lease from. For O(state=absent) and O(state=expired) their names are enough.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name in the database.
        type: str
        required: true
      type:
        description: What its addresses are. V(number) is for slots of a batch system, LUNs and the like.
        type: str
        choices: [ip, mac, number]
        default: ip
      network:
        description: The network in CIDR notation whose addresses for hosts it has.
        type: str
      first:
        description: Its first address, where it is not a whole network.
        type: str
      last:
        description: Its last address.
        type: str
      exclude:
        description: Addresses that are never leased, such as the router's.
        type: list
        elements: str
        default: []
  holders:
    description: Who gets, or gives back, an address from each pool. Needed unless O(state=expired).
    type: list
    elements: str
  lifetime:
    description:
      - After how many seconds leases end by themselves, counted anew by each task that asks for them. That alone is not
        reported as a change.
      - Without it they do not, and leases that the holders have keep the ends they have. It is at least V(1).
    type: int
  state:
    description:
      - With V(present) holders have a lease; who has one keeps it, and who had one gets the same address again while
        nobody else has it.
      - With V(absent) they have none.
      - With V(expired) all leases of the pools that have come to their end are given back. They count as free anyway;
        this makes them disappear from M(voc.cluster.lease_info).
    type: str
    choices: [present, absent, expired]
    default: present
"""

EXAMPLES = r"""
- name: Lease a MAC and an address for each instance
  voc.cluster.lease:
    pools:
      - {name: mac, type: mac, first: "02:56:4f:00:00:00", last: "02:56:4f:00:0f:ff"}
      - {name: ip, network: 10.16.0.0/24, exclude: [10.16.0.1]}
    holders: "{{ groups.instances }}"
  register: leased
  delegate_to: head
  run_once: true

- name: Give them back
  voc.cluster.lease:
    pools: [{name: mac}, {name: ip}]
    holders: [node042-vm1]
    state: absent
  delegate_to: head
"""

RETURN = r"""
leases:
  description: What each holder has now, by holder and pool.
  returned: success
  type: dict
  sample: {node042-vm1: {mac: "02:56:4f:00:00:00", ip: 10.16.0.2}}
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: dict
  sample: [{action: acquire, pool: ip, holder: node042-vm1, address: 10.16.0.2}]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils import _leases
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._lease_store import DATABASE, open_store
from ansible_collections.voc.cluster.plugins.module_utils._leases import Lease, by_holder
from ansible_collections.voc.cluster.plugins.module_utils._module import run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    del runner  # no program is started
    options, now = module.params, time.time()
    changes, held = [], []
    pools = _distinct(options["pools"])
    with open_store(
        options["database"], writable=not module.check_mode, password=options["database_password"]
    ) as store:
        for pool in pools.values():
            before = store.leases(pool["name"])
            after = _wanted(options, pool, before, now)
            known = {(lease.number, lease.holder) for lease in before if lease.end(now) is None}
            # That a lease ends later is no change.
            changes += [
                lease for lease in after if lease.ended is not None or (lease.number, lease.holder) not in known
            ]
            held += [lease for lease in after if lease.ended is None]
            if not module.check_mode:
                store.write(after)
    given = "".join(f"{lease.pool}: {lease.address} {lease.holder}\n" for lease in changes if lease.ended is None)
    taken = "".join(f"{lease.pool}: {lease.address} {lease.holder}\n" for lease in changes if lease.ended is not None)
    return {
        "changed": bool(changes),
        "leases": by_holder(held),
        "changes": [_told(lease) for lease in changes],
        "diff": {"before_header": "leases", "after_header": "leases", "before": taken, "after": given},
    }


def _distinct(pools: list[dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    """Return pools by name; one that is named twice counts once."""
    distinct: dict[str, dict[str, t.Any]] = {}
    for pool in pools:
        if distinct.setdefault(pool["name"], pool) != pool:
            raise InputError("it is given twice, and not alike", where=f"pool {pool['name']}")
    return distinct


def _wanted(options: dict[str, t.Any], pool: dict[str, t.Any], leases: list[Lease], now: float) -> list[Lease]:
    """Return the leases of a pool as they are to be, those that may have changed."""
    if options["state"] == "absent":
        return _leases.release(leases, options["holders"], now)
    if options["state"] == "expired":
        return _leases.expire(leases, now)
    bounds = {key: pool[key] for key in ("first", "last", "network", "exclude")}
    made = _leases.make_pool(pool["name"], pool["type"], **bounds)
    return _leases.acquire(made, leases, options["holders"], now, options["lifetime"])


def _told(lease: Lease) -> dict[str, str]:
    action = "acquire" if lease.ended is None else "release"
    return {"action": action, "pool": lease.pool, "holder": lease.holder, "address": lease.address}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **DATABASE,
            "pools": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": list(_leases.KINDS), "default": "ip"},
                    "network": {"type": "str"},
                    "first": {"type": "str"},
                    "last": {"type": "str"},
                    "exclude": {"type": "list", "elements": "str", "default": []},
                },
            },
            "holders": {"type": "list", "elements": "str"},
            "lifetime": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent", "expired"], "default": "present"},
        },
        required_if=[("state", "present", ("holders",)), ("state", "absent", ("holders",))],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
