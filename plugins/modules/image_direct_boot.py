#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_direct_boot
short_description: Copy an image's kernel out, to start it without a boot loader
version_added: 0.1.0
description:
  - Writes the kernel of an image, its initramfs and its command line to a folder, for Xen's C(kernel) and C(ramdisk),
    libvirt's direct kernel boot or QEMU's C(-kernel).
  - The image may be a partition image or a disk. The root filesystem is found by its UUID, so one command line serves
    both.
  - Nothing is mounted where e2fsprogs serve, and no program of the guest is run.
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
  dest:
    description: The folder, on the builder. It gets the files C(vmlinuz), C(initramfs) and C(cmdline).
    type: path
    required: true
  kernel_options:
    description:
      - What the kernel is given on its command line after the root filesystem.
      - What the guest itself needs is added, see M(voc.cluster.image_boot).
    type: list
    elements: str
    default: [console=tty0, "console=ttyS0,115200n8"]
  drivers:
    description:
      - The drivers that the kernel must have, in time to reach the root filesystem. By default this is not looked at.
      - For Xen's paravirtual machines these are V(xen_blkfront) and V(xen_netfront).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Give Xen what it starts
  voc.cluster.image_direct_boot:
    image: /var/lib/voc-cluster/work/starworker/root.img
    dest: /srv/voc/kernels/starworker
    kernel_options: [console=hvc0]
    drivers: [xen_blkfront, xen_netfront]
"""

RETURN = r"""
kernel:
  description: The version of the kernel.
  returned: success
  type: str
  sample: 6.12.48+deb13-amd64
command_line:
  description: The kernel's command line.
  returned: success
  type: str
  sample: root=UUID=0f2c4a6e-0000-4000-8000-000000000001 ro console=hvc0
written:
  description: The files that were, or in check mode would be, written.
  returned: success
  type: list
  elements: str
  sample: [vmlinuz, initramfs, cmdline]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._boot import direct, initramfs, kernel
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC, locate, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import kept
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import ROOTS
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import require, require_uuid
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    image = options["image"]
    spread = locate(runner, image, options["access"], options["root"])
    found = require(spread.root.volume, ROOTS)
    uuid = require_uuid(found, spread.root.volume)
    with kept(image), open_guest(runner, spread, options["access"], writable=False) as files:
        guest = system.inspect(files)
        chosen = kernel.choose(guest, image)[0]
        wanted = kernel.options(files, guest, found.type, options["kernel_options"])
        command_line = kernel.command_line(uuid, wanted)
        initramfs.require(runner, files, chosen, options["drivers"], image)
        written = direct.export(files, chosen, command_line, options["dest"], apply=not module.check_mode)
    listed = "".join(f"{name}\n" for name in written)
    return {
        "changed": bool(written),
        "kernel": chosen.version,
        "command_line": command_line,
        "written": written,
        "diff": {"before_header": options["dest"], "after_header": options["dest"], "before": "", "after": listed},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **ARGUMENT_SPEC,
            "dest": {"type": "path", "required": True},
            "kernel_options": {
                "type": "list",
                "elements": "str",
                "default": ["console=tty0", "console=ttyS0,115200n8"],
            },
            "drivers": {"type": "list", "elements": "str", "default": []},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
