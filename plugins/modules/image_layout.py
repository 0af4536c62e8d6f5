#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_layout
short_description: Make a disk image of a partition image
version_added: 0.1.0
description:
  - Makes a disk with a DOS partition table and one bootable partition, copies the blocks of a partition image
    into it, checks the filesystem and lets it grow to fill the partition.
  - Files are not looked at. Nothing is mounted, no loop device is used, and root is not needed.
  - The filesystem keeps its UUID and label.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - e2fsprogs
  - sfdisk
options:
  src:
    description: The raw partition image, with an ext2, ext3 or ext4 filesystem. It is not written to.
    type: path
    required: true
  src_name:
    description: What messages call O(src), where that is a copy that users do not know.
    type: path
  dest:
    description: The raw disk image to write. Its folder is made, for this user alone, when it does not exist.
    type: path
    required: true
  size:
    description:
      - The size of the disk, for example V(8G). It is rounded down to a whole MiB.
      - Without it the disk is as small as the partition image allows.
    type: str
  force:
    description: Write O(dest) even when it exists.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Turn the partition into a disk of 8 GiB
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/starworker/source.raw
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    size: 8G
"""

RETURN = r"""
dest:
  description: The disk image.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/work/starworker/disk.raw
size:
  description: The size of the disk in bytes.
  returned: success
  type: int
  sample: 8589934592
offset:
  description: Where the root filesystem begins, in bytes.
  returned: success
  type: int
  sample: 1048576
uuid:
  description: The UUID of the root filesystem; V(none) in check mode when it does not have one yet.
  returned: success
  type: str
  sample: 0f2c4a6e-0000-4000-8000-000000000001
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import called
from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume, identify
from ansible_collections.voc.cluster.plugins.module_utils._module import parse_size, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    with called(options["src"], options["src_name"] or options["src"]):
        return lay_out(runner, options, check_mode=module.check_mode)


def lay_out(runner: Runner, options: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Make the disk, or in check mode only plan it, and describe it."""
    wanted = parse_size(options["size"], "size") if options["size"] else None
    planned = layout.plan(runner, options["src"], wanted)
    part = planned.table.partitions[0]
    offset = planned.table.offset(part)
    changed = options["force"] or not os.path.exists(options["dest"])
    uuid = planned.filesystem.uuid
    if changed and not check_mode:
        layout.build(runner, planned, options["dest"])
        made = identify(Volume(options["dest"], offset, planned.table.length(part)))
        uuid = made.uuid if made else None
    return {
        "changed": changed,
        "dest": options["dest"],
        "size": planned.disk_size,
        "offset": offset,
        "uuid": uuid,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "src_name": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "size": {"type": "str"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
