#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_edit
short_description: Change files in an offline image
version_added: 0.1.0
description:
  - Does an ordered list of edits to the guest's files in one batch. No program of the guest is run.
  - Every edit has one key, its kind. Edits that are true already change nothing.
  - A path is always that of the guest. Symbolic links on the way to it are followed inside the guest and cannot lead
    out of it.
  - The content of files that not everybody may read is not shown by C(--diff). Set C(no_log) on the task when an edit
    itself holds a secret.
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
  edits:
    description: What to do, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      file:
        description: A file with this content. A new one belongs to root and has mode V(0644).
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest. Folders above it are made.
            type: str
            required: true
          content:
            description: What it holds.
            type: str
          source:
            description: A file on the builder whose content it gets.
            type: path
          mode: &mode
            description: Permission bits in octal, in quotes. Without it those of an existing one are kept.
            type: str
          owner: &owner
            description: A user of the guest, by name or number.
            type: str
          group: &group
            description: A group of the guest, by name or number.
            type: str
      directory:
        description: A directory. A new one belongs to root and has mode V(0755).
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest. Those above it are made.
            type: str
            required: true
          mode: *mode
          owner: *owner
          group: *group
      symlink:
        description: A symbolic link. A file or link in its place is replaced.
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest.
            type: str
            required: true
          target:
            description: Where it points, as it is to be written.
            type: str
            required: true
      absent:
        description: Nothing stands at this path; a directory goes with all it holds.
        type: dict
        suboptions:
          path:
            description: The absolute path in the guest.
            type: str
            required: true
      fstab:
        description: An entry of fstab for this mount point, which is made.
        type: dict
        suboptions:
          path:
            description: The mount point.
            type: str
            required: true
          source:
            description: What is mounted. Needed unless O(edits[].fstab.state=absent).
            type: str
          type:
            description: The filesystem type. Needed unless O(edits[].fstab.state=absent).
            type: str
          options:
            description: The mount options.
            type: list
            elements: str
            default: [defaults]
          dump:
            description: The fifth field.
            type: int
            default: 0
          check:
            description: The sixth field, the order of checks at boot.
            type: int
            default: 0
          state:
            description: Whether the entry is there.
            type: str
            choices: [present, absent]
            default: present
      environment:
        description: Environment variables, by name, for login shells and for services of systemd. Others stay.
        type: dict
      service:
        description: A unit of the guest's systemd.
        type: dict
        suboptions:
          name:
            description: Its name; C(.service) may be left out.
            type: str
            required: true
          enabled:
            description: Whether it starts at boot.
            type: bool
          masked:
            description: Whether it can be started at all.
            type: bool
      authorized_key:
        description: An ssh public key that may log in as a user of the guest.
        type: dict
        suboptions:
          user:
            description: The user's name.
            type: str
            required: true
          key:
            description: The key, as it stands in an C(authorized_keys) file.
            type: str
            required: true
      network:
        description:
          - How the guest's Ethernet interfaces get their addresses, whatever their names and MACs.
          - One network stack of the guest is in charge afterwards. What else would configure interfaces is switched off
            or removed, and each of it is among the RV(changes). That is other stacks and their services, files of
            another machine, single DHCP daemons, and the network part of cloud-init.
          - Where a stack can tell interfaces only by their names (V(ifcfg), V(wicked), an V(ifupdown) from before
            Debian 9), the first one is meant, which the kernel calls eth0; M(voc.cluster.image_boot) then tells the
            kernel to keep this name.
        type: dict
        suboptions:
          method:
            description: V(dhcp) asks, with the MAC as client identifier; V(static) gives O(edits[].network.addresses).
            type: str
            choices: [dhcp, static]
            default: dhcp
          stack:
            description:
              - Which network stack of the guest is to be in charge. V(auto) keeps the one that is.
            type: str
            choices: [auto, ifcfg, ifupdown, netplan, networkd, networkmanager, wicked]
            default: auto
          mac:
            description: The one interface that is meant, by its MAC.
            type: str
          interface:
            description:
              - The one interface that is meant, by its name. With neither, V(dhcp) is for every Ethernet interface and
                V(static) for the first.
            type: str
          addresses:
            description: The addresses of V(static), with the lengths of their prefixes, for example V(192.0.2.5/24).
            type: list
            elements: str
            default: []
          gateways:
            description: The gateways of V(static), at most one of IPv4 and one of IPv6.
            type: list
            elements: str
            default: []
          dns:
            description: Addresses of name servers. With V(dhcp) they take the place of those that it tells.
            type: list
            elements: str
            default: []
          search:
            description: Domains in which short names are looked up.
            type: list
            elements: str
            default: []
          mtu:
            description: The largest packet, in bytes. Without it, what the network or the driver says.
            type: int
"""

EXAMPLES = r"""
- name: Give the image the site's software area
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - fstab: {source: "nfs1:/grid/app", path: /grid/app, type: nfs, options: [ro, _netdev, nofail]}
      - environment: {OSG_APP: /grid/app}
      - file: {path: /etc/motd, content: "This machine belongs to the cluster.\n"}
      - service: {name: cron, enabled: true}

- name: Give an image that one instance is made of a fixed address
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/head/disk.raw
    edits:
      - network:
          method: static
          addresses: [192.0.2.5/24]
          gateways: [192.0.2.1]
          dns: [192.0.2.2]
          search: [cluster.example]
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done to the guest's files.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The real path in the guest, links followed.
      type: str
    action:
      description: What was done to it.
      type: str
    edits:
      description: Which edits changed it, by their numbers in the list; the first is 1.
      type: list
      elements: int
  sample: [{path: /etc/fstab, action: write, edits: [1]}, {path: /grid/app, action: make directory, edits: [1]}]
notes:
  description: What an administrator should know and the changes do not show.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import access
from ansible_collections.voc.cluster.plugins.module_utils._guest.edits import ARGUMENT_SPEC, plan_edits
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    return access.change_guest(
        runner,
        options,
        lambda plan: plan_edits(plan, options["edits"]),
        apply=not module.check_mode,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **access.ARGUMENT_SPEC,
            "edits": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": ARGUMENT_SPEC,
                "required_one_of": [tuple(ARGUMENT_SPEC)],
                "mutually_exclusive": [tuple(ARGUMENT_SPEC)],
            },
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
