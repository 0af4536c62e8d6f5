#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance
short_description: Start and stop an instance of a release
version_added: 0.1.0
description:
  - Runs on a hypervisor. An instance is a transient domain of libvirt's with an overlay of its own over a release,
    which many share and which is never written to. When it ends, nothing of it stays but its console's log.
  - Every start begins with a new overlay. What an instance wrote is gone with it.
  - An instance that runs is left alone. When its definition has changed since it was started, for example because there
    is a newer release, it is reported as outdated; it is never changed while it runs.
  - One that an administrator or libvirt has paused is left alone, too, also with O(replace), and there is a warning.
    One that has crashed, or that was paused because its disk failed, is ended and started anew.
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
  - libvirt
  - python3-libvirt
  - qemu-utils
  - dosfstools and mtools, for a seed
options:
  state:
    description:
      - With V(present) it runs.
      - With V(absent) it does not, and its disks are gone. It is asked to power off first.
    type: str
    choices: [present, absent]
    default: present
  uri:
    description: How libvirt is reached.
    type: str
    default: qemu:///system
  release:
    description:
      - The image file of the release, on the hypervisor. A symbolic link such as C(current) is followed when the
        instance is started.
      - Needed for O(state=present), as are O(uuid) and O(mac).
    type: path
  uuid:
    description: The UUID of its domain.
    type: str
  mac:
    description: The MAC address of its interface.
    type: str
  bridge:
    description: The bridge of the hypervisor that its interface is connected to. Either this or O(network) is needed.
    type: str
  network:
    description: The network of libvirt's that its interface is connected to.
    type: str
  hypervisor:
    description:
      - The inventory's name of the hypervisor, which its domain is marked with. Two names can mean one machine.
      - Needed for O(state=present).
    type: str
  voc:
    description: The virtual cluster it works for, which its domain is marked with.
    type: str
    default: ""
  machine:
    description: The machine type of QEMU. Releases that an old kernel boots may want V(pc).
    type: str
    default: q35
  cpu:
    description:
      - The processor it sees, V(host-passthrough), V(host-model), V(maximum) or the name of a model. Some guests need
        at least x86-64-v2.
      - Without it V(host-passthrough), or V(maximum) where it is emulated.
    type: str
    default: ""
  accelerator:
    description:
      - V(kvm) runs it on the processor itself, V(qemu) emulates it. V(auto) tries the first where C(/dev/kvm) is there,
        and remembers until the next boot what worked for instances of this O(architecture) and O(cpu).
    type: str
    choices: [auto, kvm, qemu]
    default: auto
  firmware:
    description: What starts it.
    type: str
    choices: [bios, uefi]
    default: bios
  disk_bus:
    description: How its disks are connected.
    type: str
    choices: [virtio, sata, scsi]
    default: virtio
  scratch:
    description: The size of a second, blank disk, for example V(20G).
    type: str
  seed:
    description:
      - The files of a NoCloud seed for images that have cloud-init, with the keys C(meta-data), C(user-data) and
        C(network-config), each the text of a file. It is on the disk only while the instance is there, for root alone.
      - With another content the instance is outdated.
    type: dict
  direct_boot:
    description:
      - A kernel outside of the image that starts it, for partition images; see M(voc.cluster.image_direct_boot).
    type: dict
    suboptions:
      kernel:
        description: The kernel, on the hypervisor.
        type: path
        required: true
      initramfs:
        description: Its initramfs.
        type: path
        required: true
      command_line:
        description: Its command line.
        type: str
        required: true
  replace:
    description:
      - Let an outdated instance power off, and start it anew. Without it, it is left alone and reported.
      - Before that it is looked at whether the release, the free space and the options will do for the new one.
    type: bool
    default: false
  wait_for:
    description:
      - What shows that it is up. V(agent) is the guest agent of QEMU, V(ssh) an ssh server at O(address).
      - V(batch) is the batch system. A hypervisor cannot ask that, so this module only starts the instance, and
        M(voc.cluster.batch_wait) waits for it on the batch system's head, for many at once, as the role
        P(voc.cluster.instance#role) does.
    type: str
    choices: [none, agent, ssh, batch]
    default: none
  address:
    description: Its IP address.
    type: str
  timeout:
    description: How many seconds it is waited for until it is up, or until it has powered off; after that it is ended.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Start an instance
  voc.cluster.instance:
    name: "{{ inventory_hostname }}"
    release: /srv/voc/releases/starworker/current/disk.qcow2
    uuid: "{{ instance_uuid }}"
    mac: "{{ instance_mac }}"
    hypervisor: "{{ instance_hypervisor }}"
    bridge: br0
  delegate_to: "{{ instance_hypervisor }}"

- name: Stop it, and give it two minutes for that
  voc.cluster.instance:
    name: "{{ inventory_hostname }}"
    state: absent
    timeout: 120
  delegate_to: "{{ instance_hypervisor }}"
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: [started]
outdated:
  description: Whether it runs with another definition than the one given, and has to be stopped to get this one.
  returned: when O(state=present)
  type: bool
  sample: false
paused:
  description: Whether an administrator or libvirt has paused it, so that it was left alone.
  returned: when O(state=present), but for a start in check mode
  type: bool
  sample: false
started:
  description: When it was started, in seconds since the epoch, by the hypervisor's clock.
  returned: when O(state=present), but for a start in check mode
  type: int
  sample: 1764028800
unseen:
  description: Whether O(wait_for=batch) is left to M(voc.cluster.batch_wait).
  returned: when O(state=present), but for a start in check mode
  type: bool
  sample: false
accelerator:
  description: V(kvm), or V(qemu) where it is emulated.
  returned: when O(state=present), but for a start in check mode
  type: str
  sample: kvm
overlay:
  description: Its disk.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/instances/node042-vm1.qcow2
log:
  description: What it writes to its serial console. A new start appends to it.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/instances/node042-vm1.log
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._instance import files, lifecycle
from ansible_collections.voc.cluster.plugins.module_utils._instance.accelerator import ACCELERATORS
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import (
    ARGUMENT_SPEC,
    DIRECT_BOOT,
    FIRMWARES,
    Definition,
    DirectBoot,
    require_name,
    require_sound,
    seed_digest,
)
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Domains, Running, connect
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, parse_size, run

_ENDED = frozenset({"powered off", "ended"})


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    told: dict[str, t.Any] = {}
    definition = _definition(options)
    with connect(options["uri"]) as domains:
        if options["state"] == "absent":
            actions = _stop(domains, definition, options["timeout"], module.check_mode)
        else:
            actions, told = _start(runner, domains, definition, options, module.check_mode)
    if told.get("paused"):
        module.warn(f"{definition.name} is paused and was left alone; 'virsh resume {definition.name}' lets it go on.")
    here = f"{definition.name}\n"
    present = options["state"] == "present"
    before = here if _ENDED.intersection(actions) or (present and "started" not in actions) else ""
    after = here if present else ""
    return {
        "changed": bool(actions),
        "actions": actions,
        "overlay": definition.overlay,
        "log": definition.log,
        "diff": {"before_header": "instances", "after_header": "instances", "before": before, "after": after},
        **told,
    }


def _start(
    runner: Runner, domains: Domains, definition: Definition, options: dict[str, t.Any], check: bool
) -> tuple[list[str], dict[str, t.Any]]:
    require_sound(definition)
    lifecycle.require_address(definition, options["wait_for"], options["address"])
    running = domains.find(definition.name)
    actions: list[str] = []
    if running is None or not running.active or (options["replace"] and _replaceable(running, definition)):
        how = lifecycle.Start(options["accelerator"], options["overcommit"], options["seed"] or {})
        lifecycle.require_startable(definition, how)  # before one is ended for it
        if running:
            actions += _stop(domains, definition, options["timeout"], check) if running.active else ["ended"]
        actions.append("started")
        if check:
            return actions, {"outdated": False}
        running = lifecycle.start(runner, domains, definition, how)
    if options["wait_for"] in lifecycle.WAITS and not check:
        lifecycle.wait_until_up(domains, definition, options["wait_for"], options["address"], options["timeout"])
    return actions, {
        "outdated": lifecycle.outdated(running, definition),
        "accelerator": running.type,
        "paused": running.paused,
        "started": running.mark.started,
        "unseen": options["wait_for"] == "batch",
    }


def _replaceable(running: Running, definition: Definition) -> bool:
    return lifecycle.outdated(running, definition) and not running.paused


def _stop(domains: Domains, definition: Definition, timeout: int, check: bool) -> list[str]:
    if not check:
        return lifecycle.stop(domains, definition, timeout)
    require_name(definition.name)
    running = domains.find(definition.name)
    end = "powered off" if running and running.active and timeout > 0 else "ended"
    disks = definition.name in files.names(definition.folder)
    return [*([end] if running else []), *(["disks removed"] if disks else [])]


def _definition(options: dict[str, t.Any]) -> Definition:
    """Return the instance that options describe; one that is to be absent is known by its name alone."""
    boot = options["direct_boot"]
    return Definition(
        name=options["name"],
        uuid=options["uuid"] or "",
        mac=options["mac"] or "",
        hypervisor=options["hypervisor"] or "",
        release=os.path.realpath(options["release"]) if options["release"] else "",
        folder=options["folder"],
        voc=options["voc"],
        memory=parse_size(options["memory"], "memory") >> 20,
        vcpus=options["vcpus"],
        architecture=options["architecture"],
        machine=options["machine"],
        cpu=options["cpu"],
        firmware=options["firmware"],
        disk_bus=options["disk_bus"],
        bridge=options["bridge"] or "",
        network=options["network"] or "",
        scratch=parse_size(options["scratch"], "scratch") if options["scratch"] else 0,
        seed=seed_digest(options["name"], options["seed"]),
        direct_boot=DirectBoot(**boot) if boot else None,
    )


def main() -> None:
    text: dict[str, t.Any] = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            **ARGUMENT_SPEC,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "uri": {"type": "str", "default": "qemu:///system"},
            "release": {"type": "path"},
            "uuid": text,
            "mac": text,
            "bridge": text,
            "network": text,
            "hypervisor": text,
            "voc": {"type": "str", "default": ""},
            "machine": {"type": "str", "default": "q35"},
            "cpu": {"type": "str", "default": ""},
            "accelerator": {"type": "str", "choices": list(ACCELERATORS), "default": "auto"},
            "firmware": {"type": "str", "choices": list(FIRMWARES), "default": "bios"},
            "disk_bus": {"type": "str", "choices": ["virtio", "sata", "scsi"], "default": "virtio"},
            "scratch": text,
            # User data may hold passwords and keys.
            "seed": {"type": "dict", "no_log": True},
            "direct_boot": DIRECT_BOOT,
            "replace": {"type": "bool", "default": False},
            "wait_for": {"type": "str", "choices": ["none", *lifecycle.WAITS, "batch"], "default": "none"},
            "address": text,
            "timeout": {"type": "int", "default": 300},
            "limits": LIMITS,
        },
        required_if=[("state", "present", ("release", "uuid", "mac", "hypervisor"))],
        mutually_exclusive=[("bridge", "network")],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
