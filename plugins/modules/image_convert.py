#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_convert
short_description: Convert an image to another format
version_added: 0.1.0
description:
  - Writes the guest-visible bytes of an image to another file. The source is never written to.
  - The format and compression of the source are told by its bytes. Holes stay holes, and runs of zeros in
    compressed data become holes.
  - An image that refers to other files, or whose tables claim more data than its file has, is refused.
  - The target appears complete, or not at all.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.output
  - voc.cluster._attributes.limits
  - voc.cluster._attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - qemu-img
  - xz and zstd for these compressions; pigz and lbzip2 are used where they are installed
options:
  src:
    description: The image to convert, on the builder, by itself or compressed by gzip, bzip2, xz or zstd.
    type: path
    required: true
  src_format:
    description: The format that the image's owner says it has. An image of another format is refused.
    type: str
    choices: [raw, qcow2, vmdk, vdi, vhd, vhdx]
  dest:
    description: The file to write. Its folder is made, for this user alone, when it does not exist.
    type: path
    required: true
  format:
    description: The format of O(dest).
    type: str
    choices: [raw, qcow2, vmdk, vdi, vhd, vhdx]
    default: raw
  max_virtual_size:
    description: The largest virtual size that is accepted, for example V(16T).
    type: str
    default: 16T
  force:
    description:
      - Write O(dest) even when it exists.
      - Without it an existing O(dest) is left alone, for nothing tells whether it came from this O(src).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Unpack what the VO sent into the work folder
  voc.cluster.image_convert:
    src: /srv/vo/starworker_part.img.gz
    dest: /var/lib/voc-cluster/work/starworker/source.raw
    force: true

- name: Make a qcow2 image for a hypervisor
  voc.cluster.image_convert:
    src: /srv/images/worker.raw
    dest: /srv/images/worker.qcow2
    format: qcow2
    compress: true
"""

RETURN = r"""
dest:
  description: The file that was written.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/work/starworker/source.raw
virtual_size:
  description: What the guest sees, in bytes; V(none) where both O(src) and O(dest) are compressed.
  returned: success
  type: int
  sample: 1073741824
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._image import output
from ansible_collections.voc.cluster.plugins.module_utils._image.convert import convert, examine
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import FORMATS
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, parse_size, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    maximum = parse_size(options["max_virtual_size"], "max_virtual_size")
    declared = options["src_format"]
    wanted = output.from_options(options)
    source = examine(options["src"], declared=declared, max_virtual_size=maximum)
    changed = options["force"] or not os.path.exists(options["dest"])
    virtual_size = source.virtual_size
    if changed and not module.check_mode:
        convert(
            runner,
            options["src"],
            options["dest"],
            wanted,
            declared=declared,
            max_virtual_size=maximum,
        )
        virtual_size = virtual_size or examine(options["dest"], max_virtual_size=maximum).virtual_size
    return {"changed": changed, "dest": options["dest"], "virtual_size": virtual_size}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "src_format": {"type": "str", "choices": list(FORMATS)},
            "dest": {"type": "path", "required": True},
            **output.ARGUMENT_SPEC,
            "format": {"type": "str", "choices": list(FORMATS), "default": "raw"},
            "max_virtual_size": {"type": "str", "default": "16T"},
            "force": {"type": "bool", "default": False},
            "limits": LIMITS,
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
