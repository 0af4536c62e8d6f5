#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_packages
short_description: Install packages in an offline image
version_added: 0.1.0
description:
  - Lets the guest's own package manager install packages, with the guest's own package sources.
  - The guest's programs run in a sandbox (bubblewrap) with the builder's network and nothing else of the builder.
    Services are not started, and the guest's resolver is as it was afterwards.
  - When every package is there already, nothing is run and nothing is mounted.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - root on the builder
  - bubblewrap
  - e2fsprogs
options:
  name:
    description: The packages. Guests with apt are supported.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Give the image a kernel
  voc.cluster.image_packages:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name:
      - linux-image-amd64
      - nfs-common
"""

RETURN = r"""
installed:
  description: The packages that were, or in check mode would be, installed. Those they need are not listed.
  returned: success
  type: list
  elements: str
  sample: [linux-image-amd64]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import packages
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate, mounted_guest, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    image, names = module.params["image"], module.params["name"]
    spread = locate(runner, image, number=module.params["root"])
    with locked(image):
        with open_guest(runner, spread, writable=not module.check_mode) as files:
            absent = packages.missing(files, names)
        if absent and not module.check_mode:
            with mounted_guest(runner, spread) as root, sandbox(runner, root, network=True) as box:
                packages.install(box, absent)
    listed = "".join(f"{name}\n" for name in absent)
    return {
        "changed": bool(absent),
        "installed": absent,
        "diff": {"before_header": "packages", "after_header": "packages", "before": "", "after": listed},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "root": {"type": "int"},
            "name": {"type": "list", "elements": "str", "required": True},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
