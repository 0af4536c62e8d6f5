#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_generalize
short_description: Remove from an image what must not be cloned
version_added: 0.1.0
description:
  - Does a list of operations, each of which removes something that belongs to one machine alone.
  - V(machine-id) empties the machine id, so that every instance gets its own at boot.
  - V(ssh-host-keys) removes the host keys of ssh, and lets every instance make its own at boot.
  - V(persistent-net-rules) removes udev's rules that tie interface names to MAC addresses, and what writes them.
  - V(dhcp-leases) removes leases of DHCP clients.
  - V(random-seed) removes the saved seed of the random number generator.
  - V(package-cache) removes downloaded packages and the package manager's binary caches.
  - V(logs) removes log files.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.access
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - e2fsprogs
options:
  operations:
    description:
      - Which operations are done. V(defaults) and V(all) stand for several; a name after a minus sign takes one back.
    type: list
    elements: str
    default: [defaults]
"""

EXAMPLES = r"""
- name: Clean the image, but keep its logs
  voc.cluster.image_generalize:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    operations: [defaults, "-logs"]
"""

RETURN = r"""
operations:
  description: The operations that were done, and why.
  returned: success
  type: list
  elements: dict
  sample: [{name: machine-id, reason: instances with the same one share their DHCP identity}]
changes:
  description: What was, or in check mode would be, done to the guest's files.
  returned: success
  type: list
  elements: dict
  sample: [{path: /etc/machine-id, action: write}]
notes:
  description: What an administrator should know and the changes do not show.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import generalize
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC, change_guest
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    operations = generalize.select(options["operations"])
    outcome = change_guest(
        runner,
        options,
        lambda plan: generalize.clean(plan, operations),
        apply=not module.check_mode,
    )
    chosen = [{"name": operation.name, "reason": operation.reason} for operation in operations]
    return {**outcome, "operations": chosen}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **ARGUMENT_SPEC,
            "operations": {"type": "list", "elements": "str", "default": ["defaults"]},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
