#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htcondor_config_check
short_description: Let HTCondor's own parser read a configuration
version_added: 0.1.0
description:
  - Reads an HTCondor configuration by HTCondor's own parser and fails in one sentence when a line is refused.
  - HTCondor takes any text for an expression and finds out when it runs; here expressions are parsed, too.
  - It runs where the Python package C(htcondor) is, usually on the controller.
  - A configuration can run programs while it is read (C(include command)). Check only what the site itself has written.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
requirements:
  - htcondor (Python package, 24.0 or newer)
options:
  content:
    description: The configuration, as it stands in a file of C(/etc/condor/config.d).
    type: str
    required: true
  expressions:
    description: Names of settings that must be ClassAd expressions.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check a worker's configuration
  voc.cluster.htcondor_config_check:
    content: |
      use ROLE: Execute
      VOCName = "STAR"
      START = ($(START)) && (TARGET.VOCName =?= MY.VOCName)
    expressions: [START]
  delegate_to: localhost
"""

RETURN = r"""
settings:
  description: The settings that O(expressions) names, with macros expanded; V(none) for those that are not set.
  returned: success
  type: dict
  sample: {START: "(True) && (TARGET.VOCName =?= MY.VOCName)"}
"""

import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._module import run
from ansible_collections.voc.cluster.plugins.module_utils._pool import htcondor


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    settings = htcondor.check(runner, sys.executable, module.params["content"], module.params["expressions"])
    return {"changed": False, "settings": settings}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "content": {"type": "str", "required": True},
            "expressions": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
