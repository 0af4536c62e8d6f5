#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: batch_wait
short_description: Wait until the batch system has some instances
version_added: 0.1.0
description:
  - Waits until HTCondor's collector or Slurm's controller has all of some machines, and says which did not come, and
    why.
  - It runs where C(condor_status) or C(scontrol) answers, usually on the batch system's head, once for many instances.
  - It does not fail for those that are missing, so that each can be told of its own.
  - Machines are known by their names without a domain, which instances take from DHCP.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
options:
  scheduler:
    description: Which batch system it is.
    type: str
    choices: [htcondor, slurm]
    required: true
  instances:
    description:
      - The names of the instances, and since when each has been running, in seconds since the epoch, as
        M(voc.cluster.instance) returns it in RV(voc.cluster.instance#module:started).
      - Batch systems remember machines that are gone for a while. What they heard of one before that time does not
        count. V(0) is for those of which anything counts.
    type: dict
    required: true
  timeout:
    description: How many seconds they are waited for. In check mode the batch system is asked once.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Wait until the pool has what was started
  voc.cluster.batch_wait:
    scheduler: htcondor
    instances: {node042-vm1: 1764028800, node043-vm1: 1764028802}
    timeout: 600
  delegate_to: head1
  register: joined
"""

RETURN = r"""
present:
  description: The names of those that the batch system has.
  returned: success
  type: list
  elements: str
  sample: [node042-vm1]
missing:
  description: The names of the others, each with the reason.
  returned: success
  type: dict
  sample: {node043-vm1: the batch system does not have it}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._module import run
from ansible_collections.voc.cluster.plugins.module_utils._pool import nodes


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    wanted = {str(name): _moment(name, moment) for name, moment in options["instances"].items()}
    timeout = 0 if module.check_mode else options["timeout"]
    answer = nodes.wait(runner, options["scheduler"], wanted, timeout)
    return {"changed": False, "present": list(answer.present), "missing": dict(answer.missing)}


def _moment(name: str, moment: t.Any) -> float:
    try:
        return float(moment)
    except (TypeError, ValueError):
        raise InputError(f"{moment!r} is no time in seconds since the epoch", where=f"instances: {name}") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "scheduler": {"type": "str", "choices": ["htcondor", "slurm"], "required": True},
            "instances": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
