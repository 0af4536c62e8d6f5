#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_xen
short_description: Write what starts an instance of a partition image on Xen
version_added: 0.1.0
description:
  - Runs on a host with Xen. Makes the overlay of an instance over its release, and its configuration for C(xl), or its
    domain for libvirt. Starting and stopping it is left to C(xl create), C(virsh create) and their like.
  - It is for partition images, which a kernel from outside starts paravirtualized; see
    M(voc.cluster.image_direct_boot).
  - It has never been tried on Xen, for there was no host with it. The domain is checked against libvirt's schema, the
    configuration against the manual page xl.cfg(5).
  - An overlay that is there is left alone, for a domain may be using it. Remove it when the domain has ended to start
    with a new one.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._instance
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - qemu-utils
options:
  format:
    description: What is written, V(xl) for a configuration of C(xl), V(libvirt) for a domain of libvirt's.
    type: str
    choices: [xl, libvirt]
    default: xl
  release:
    description: The image file of the release, on the host. A symbolic link such as C(current) is followed.
    type: path
    required: true
  uuid:
    description: The UUID of its domain.
    type: str
    required: true
  mac:
    description: The MAC address of its interface.
    type: str
    required: true
  bridge:
    description: The bridge of the host that its interface is connected to.
    type: str
    required: true
  direct_boot:
    description: The kernel outside of the image that starts it.
    type: dict
    required: true
    suboptions:
      kernel:
        description: The kernel, on the host.
        type: path
        required: true
      initramfs:
        description: Its initramfs.
        type: path
        required: true
      command_line:
        description: Its command line. The root filesystem is on C(/dev/xvda1).
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Write what xl starts an instance from
  voc.cluster.instance_xen:
    name: node042-vm1
    release: /srv/voc/releases/starworker/current/disk.qcow2
    uuid: ce201fc2-5db3-5cb5-ad4e-fe8bdfdbd590
    mac: "{{ lookup('voc.cluster.hostname_mac', 'node042', slot=1) }}"
    bridge: xenbr0
    direct_boot:
      kernel: /srv/voc/boot/vmlinuz
      initramfs: /srv/voc/boot/initrd.img
      command_line: root=/dev/xvda1 ro console=hvc0
  delegate_to: node042
  register: written

- name: Start it
  ansible.builtin.command: xl create {{ written.path }}
  delegate_to: node042
"""

RETURN = r"""
path:
  description: What was written.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/instances/node042-vm1.cfg
content:
  description: Its content.
  returned: success
  type: str
overlay:
  description: The instance's disk.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/instances/node042-vm1.qcow2
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._instance import files, lifecycle, xen
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import (
    ARGUMENT_SPEC,
    DIRECT_BOOT,
    Definition,
    DirectBoot,
    require_sound,
)
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, parse_size, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    definition = _definition(options)
    require_sound(definition)
    ending, write = {"xl": ("cfg", xen.xl_config), "libvirt": ("xml", xen.xen_domain)}[options["format"]]
    path, content = os.path.join(definition.folder, f"{definition.name}.{ending}"), write(definition)
    before = _read(path)
    has_overlay = os.path.exists(definition.overlay)
    if not module.check_mode:
        with lifecycle.locked(definition.folder):
            if not os.path.exists(definition.overlay):
                files.make(runner, definition, {}, options["overcommit"])
            if before != content:
                files.write(path, content)
    return {
        "changed": before != content or not has_overlay,
        "path": path,
        "content": content,
        "overlay": definition.overlay,
        "diff": {"before_header": path, "after_header": path, "before": before, "after": content},
    }


def _definition(options: dict[str, t.Any]) -> Definition:
    given = {name: options[name] for name in ("name", "uuid", "mac", "bridge", "folder", "vcpus", "architecture")}
    return Definition(
        hypervisor="",
        release=os.path.realpath(options["release"]),
        memory=parse_size(options["memory"], "memory") >> 20,
        direct_boot=DirectBoot(**options["direct_boot"]),
        **given,
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def main() -> None:
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            **ARGUMENT_SPEC,
            "format": {"type": "str", "choices": ["xl", "libvirt"], "default": "xl"},
            "release": {"type": "path", "required": True},
            "uuid": text,
            "mac": text,
            "bridge": text,
            "direct_boot": {**DIRECT_BOOT, "required": True},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
