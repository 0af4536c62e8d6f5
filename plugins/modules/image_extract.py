#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_extract
short_description: Make a partition image of a partition of a disk image
version_added: 0.1.0
description:
  - Copies the blocks of one partition of a disk image to a file of its own, without partition table and boot loader,
    as Xen's partition layout has it. M(voc.cluster.image_layout) is the other direction.
  - The copy ends where its filesystem does. ext2, ext3, ext4, xfs and btrfs are checked, and they keep UUID and label.
  - Files are not looked at. Nothing is mounted, no loop device is used, and root is not needed.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.limits
  - voc.cluster._attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - e2fsprogs, xfsprogs or btrfs-progs, for these filesystems
options:
  src:
    description: The raw disk image. It is not written to.
    type: path
    required: true
  dest:
    description: The raw partition image to write. Its folder is made, for this user alone, when it does not exist.
    type: path
    required: true
  partition:
    description:
      - The number of the partition.
      - Without it the one with the root filesystem, the only ext, xfs or btrfs filesystem of the image, or the only one
        of several that holds a system.
    type: int
  force:
    description: Write O(dest) even when it exists.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Take the root filesystem out of the disk
  voc.cluster.image_extract:
    src: /var/lib/voc-cluster/work/starworker/disk.raw
    dest: /srv/xen/starworker_part.img

- name: Take every partition out
  voc.cluster.image_extract:
    src: /var/lib/voc-cluster/work/starworker/disk.raw
    dest: "/srv/xen/starworker_part{{ item }}.img"
    partition: "{{ item }}"
  loop: [1, 2]
"""

RETURN = r"""
dest:
  description: The partition image.
  returned: success
  type: str
  sample: /srv/xen/starworker_part.img
size:
  description: The size of the partition image in bytes.
  returned: success
  type: int
  sample: 8588886016
partition:
  description: The number of the partition.
  returned: success
  type: int
  sample: 1
filesystem:
  description: What was found in it, with its type, UUID and label; V(none) for nothing known.
  returned: success
  type: dict
  sample: {type: ext4, uuid: 0f2c4a6e-0000-4000-8000-000000000001, label: root}
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._image import extract
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    planned = extract.plan(runner, options["src"], options["partition"])
    changed = options["force"] or not os.path.exists(options["dest"])
    if changed and not module.check_mode:
        extract.build(runner, planned, options["dest"])
    found = planned.region.filesystem
    return {
        "changed": changed,
        "dest": options["dest"],
        "size": planned.size,
        "partition": planned.region.partition,
        "filesystem": {"type": found.type, "uuid": found.uuid, "label": found.label} if found else None,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "partition": {"type": "int"},
            "force": {"type": "bool", "default": False},
            "limits": LIMITS,
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
