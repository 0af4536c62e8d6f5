#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: List the instances of a hypervisor, and what is left of others
version_added: 0.1.0
description:
  - Tells which instances run that M(voc.cluster.instance) started, from which release, and which domains and disks
    belong to no instance that is expected.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
requirements:
  - libvirt
  - python3-libvirt
options:
  hypervisor:
    description: The inventory's name of the hypervisor; instances that were started under another one are not listed.
    type: str
    required: true
  expected:
    description: The names of the instances that may be there. Without it, nothing is an orphan.
    type: list
    elements: str
  folder:
    description: Where the files of instances are.
    type: path
    default: /var/lib/voc-cluster/instances
  uri:
    description: How libvirt is reached.
    type: str
    default: qemu:///system
"""

EXAMPLES = r"""
- name: Find what belongs to no instance
  voc.cluster.instance_info:
    hypervisor: "{{ inventory_hostname }}"
    expected: "{{ groups.instances }}"
  register: found
"""

RETURN = r"""
instances:
  description:
    - The instances that are there, by name.
    - One that is not C(active) has crashed, or its disk failed. One that is C(paused), by an administrator or by
      libvirt, is active and does not run.
  returned: success
  type: dict
  sample:
    node042-vm1: {uuid: ce201fc2-5db3-5cb5-ad4e-fe8bdfdbd590, active: true, paused: false, accelerator: kvm, voc: star,
                  release: /srv/voc/releases/starworker/20261122T101500Z-3f9c2a41/disk.qcow2}
orphans:
  description: Names, not expected, of domains of this hypervisor, and of disks in O(folder) that no domain has.
  returned: success
  type: list
  elements: str
  sample: [node042-vm9]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._instance import files
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import FOLDER
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import connect
from ansible_collections.voc.cluster.plugins.module_utils._module import run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    del runner  # no program is started
    options = module.params
    # Disks first: those of an instance that starts meanwhile have a domain by then.
    disks = files.names(options["folder"])
    with connect(options["uri"]) as domains:
        running = domains.all()
    here = [found for found in running if found.mark.hypervisor == options["hypervisor"]]
    left = {found.name for found in here} | (disks - {found.name for found in running})
    expected = options["expected"]
    return {
        "changed": False,
        "instances": {
            found.name: {
                "uuid": found.uuid,
                "active": found.active,
                "paused": found.paused,
                "accelerator": found.type,
                "voc": found.mark.voc,
                "release": found.mark.release,
            }
            for found in here
        },
        "orphans": [] if expected is None else sorted(left - set(expected)),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "hypervisor": {"type": "str", "required": True},
            "expected": {"type": "list", "elements": "str"},
            "folder": {"type": "path", "default": FOLDER},
            "uri": {"type": "str", "default": "qemu:///system"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
