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
  - Does a list of operations, each of which removes something that belongs to one machine alone, or to those who
    made the image.
  - No program of the guest is run. What is cleaned is what the guest has, of whatever family it is.
  - Guests that would not make ssh host keys by themselves get a unit, job or script that does at boot. That is Debian's
    family; those of EL, SUSE, Alpine and Arch do it, unless they were told not to.
  - A folder that is a link into another part of the system is not emptied. What cannot be removed is in
    RV(operations[].left).
  - Tried on booted guests of Debian 13. For EL 6 to 10, SUSE, Alpine, Arch, Ubuntu and older Debian it follows what
    their packages are known to do, and is tested on trees made after that; none of them has been booted.
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
      - Which operations are done, always in the order of this list.
      - V(defaults) and V(all) stand for several; a name after a minus sign takes one back.
      - V(machine-id) - instances with the same one share their DHCP identity.
      - V(systemd-credentials) - whoever has the image could read what instances encrypt.
      - V(random-seed) - instances would start from the same randomness.
      - V(initiator-names) - storage targets would take all instances for one iSCSI or NVMe host.
      - V(hostname) (not a default) - a name in the image wins over the one that DHCP gives.
      - V(ssh-host-keys) - whoever has the image could pose as any instance.
      - V(persistent-net-rules) - they tie eth0 to the MAC of another machine.
      - V(ifcfg-pinning) - HWADDR and UUID tie a configuration to the network card of another machine.
      - V(networkmanager-pinning) - profiles with a MAC or UUID are those of another machine.
      - V(netplan-pinning) - a match by MAC fits no instance.
      - V(networkd-pinning) - files for one MAC fit no instance.
      - V(interfaces-pinning) - hwaddress gives all instances the same MAC.
      - V(dhcp-leases) - they ask for the address of another machine, or by its identity.
      - V(cloud-init) - instances would be taken for one that was configured already.
      - V(cloud-agents) - instances would pose as one that a cloud knows.
      - V(logs) - they speak of another machine; login records are emptied, rotated files removed.
      - V(histories) - they tell what was typed, which may hold passwords.
      - V(mail) - it is somebody's, or would be sent once by each instance.
      - V(temporary-files) - they are of programs that have ended, and may hold anything.
      - V(package-cache) - it is large and soon stale.
      - V(package-lists) (not a default) - they are soon stale.
      - V(rpm-locks) - they are of programs that have ended.
      - V(device-caches) - they name the disks of another machine.
      - V(crash-dumps) - they hold the memory of programs, with what was secret in it.
      - V(cron-spool) (not a default) - the jobs of users would run once on each instance.
      - V(subscription-ids) - instances would use one subscription together.
      - V(htcondor) - tokens let anybody join another pool, and its jobs are not of this one.
      - V(munge-key) - whoever has it is any user of another Slurm cluster.
      - V(kerberos-keytab) - whoever has it poses as the machine that it was made for.
      - V(domain-membership) - instances would be one member of a domain together.
      - V(lvm) - they describe the disks of another machine, or say that no others may be used.
      - V(authorized-keys) (not a default) - who made the image can log in to instances.
      - V(known-hosts) (not a default) - they tell where users have been.
      - V(root-password) (not a default) - who made the image may know it.
      - V(swap) - it holds the memory of another machine; the area keeps its UUID.
      - V(free-space) - deleted files are still in it, and releases become larger.
    type: list
    elements: str
    default: [defaults]
  machine_id:
    description:
      - What the operation V(machine-id) leaves.
      - V(empty) - every instance gets a new one at boot, without the presets of a first boot.
      - V(uninitialized) - the same, with them.
      - V(keep) - the one of the image.
    type: str
    choices: [empty, uninitialized, keep]
    default: empty
  report:
    description:
      - Look for secrets and ways in that are left in the image, and return them as RV(leftovers) and RV(report).
      - With an empty list of O(operations) nothing else is done.
      - It looks into /etc, home directories, folders of some services, /srv and /opt, into files of at most 128 KiB.
        Folders that only package managers and caches fill are passed over, such as C(node_modules) and C(.cache).
      - A place that has more than 20000 files, 128 MiB to read or 16 folders below each other, and what is beyond
        256 MiB of all, is not searched to its end; it is then one of the RV(leftovers), of kind V(not-searched). So is
        what is left to search when 10000 secrets were found.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Clean the image, but keep its logs
  voc.cluster.image_generalize:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    operations: [defaults, "-logs"]

- name: Clean it thoroughly, and let nobody in
  voc.cluster.image_generalize:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    operations: [defaults, authorized-keys, root-password]
    report: true

- name: See which secrets are in an image, and change nothing
  voc.cluster.image_generalize:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    operations: []
    report: true
"""

RETURN = r"""
operations:
  description: The operations that were done, and what each of them did, or in check mode would do.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: As in O(operations).
      type: str
    reason:
      description: Why an image must not be cloned with it.
      type: str
    paths:
      description: What was removed, emptied or changed; a folder stands for all in it. The first 200.
      type: list
      elements: str
    count:
      description: How many files, links and folders that were.
      type: int
    bytes:
      description: What they held. For swap and free space, how much data was zeroed.
      type: int
    left:
      description: What could not be removed safely, and why.
      type: list
      elements: str
  sample:
    - name: machine-id
      reason: instances with the same one share their DHCP identity
      paths: [/etc/machine-id]
      count: 1
      bytes: 0
      left: []
changes:
  description: What was, or in check mode would be, done to the guest's files. The first 1000.
  returned: success
  type: list
  elements: dict
  sample: [{path: /etc/machine-id, action: write}]
notes:
  description: What the changes do not show, for example what guests with SELinux must still do.
  returned: success
  type: list
  elements: str
  sample: []
leftovers:
  description:
    - Secrets, and ways in, that are in the image after the operations. Never the secret itself.
    - Places that were not searched to their end are among them; then others may be in the image.
  returned: when O(report) is true
  type: list
  elements: dict
  contains:
    kind:
      description: What it is; V(not-searched) for a place that may hold more.
      type: str
    path:
      description: In the guest.
      type: str
    owner:
      description: A user's name, or a number.
      type: str
    mode:
      description: Permission bits in octal.
      type: str
    fingerprint:
      description: Tells a key or token from others. Null for passwords, which it would help to guess.
      type: str
    note:
      description: What may be said of it, for example a user's name, a comment, or whether a key has a passphrase.
      type: str
  sample:
    - kind: authorized-key
      path: /root/.ssh/authorized_keys
      owner: root
      mode: "0600"
      fingerprint: SHA256:2zvlm3fc5uG1lLKp4+0vPZJYk0nVYeoJDQ2Gt6PPzVw
      note: admin@example.org
report:
  description: The same for people.
  returned: when O(report) is true
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._generalize import registry
from ansible_collections.voc.cluster.plugins.module_utils._generalize.run import generalize
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    operations = registry.select(module.params["operations"])
    return generalize(runner, module.params, operations, apply=not module.check_mode)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **ARGUMENT_SPEC,
            "operations": {"type": "list", "elements": "str", "default": ["defaults"]},
            "machine_id": {"type": "str", "choices": ["empty", "uninitialized", "keep"], "default": "empty"},
            "report": {"type": "bool", "default": False},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
