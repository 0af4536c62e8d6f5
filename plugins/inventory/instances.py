# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: The instances that a site's hypervisors can hold
version_added: 0.1.0
description:
  - Adds a host for each slot of each hypervisor to the group C(instances), and to C(voc_NAME) for the virtual cluster
    it works for, so that variables of that group apply to it.
  - Hypervisors and their variables come from the sources of the inventory before this one. In a folder the order is
    that of the file names, so C(instances.yml) comes after C(hosts).
  - Addresses are worked out as P(voc.cluster.hostname_mac#lookup) does it, with the same variables C(voc_mac_*). Two
    instances that share a name, a MAC or an IP address are an error that names both.
  - The following variables of a hypervisor count. They are plain values, not templates.
  - C(voc_slots) is the number of its slots, V(0) for a host that is to have no instance. Without it, it has one.
  - C(voc_name) is the virtual cluster that its instances work for.
  - C(voc_network), in CIDR notation, is where they get IP addresses from, counted up by the number in the
    hypervisor's name times C(voc_max_slots), and the slot.
  - C(voc_addressing) is V(functional), or V(leased) for instances that get their MAC and IP address from leases.
  - C(voc_instance_name) is a template of their names. Without it, V({hypervisor}-vm{slot}).
  - An instance's host gets C(instance_hypervisor), C(instance_slot), C(instance_voc), C(instance_addressing),
    C(instance_mac), C(instance_ip), C(instance_uuid), and C(ansible_host) where its IP address is known.
  - C(instance_mac) is written like V(02:56:4f:00:02:a1), whatever C(voc_mac_format) says, for libvirt and DHCP servers
    take no other form.
  - Each hypervisor gets C(voc_instances_known=true), once all instances have been worked out. Ansible goes on with only
    a warning where this plugin fails, and then nobody may take what runs for orphans.
author: the voc.cluster authors (@voc-cluster)
requirements:
  - netaddr
options:
  plugin:
    description: That this file is for this plugin.
    type: str
    required: true
    choices: [voc.cluster.instances]
  hypervisors:
    description: The group of the hypervisors.
    type: str
    default: hypervisors
"""

EXAMPLES = r"""
# inventories/mysite/hosts:
#   [hypervisors]
#   node[001:016] voc_slots=1
#
# inventories/mysite/group_vars/all.yml:
#   voc_name: star
#   voc_network: 10.16.0.0/24
#   voc_max_slots: 1
#
# inventories/mysite/instances.yml, this file:
plugin: voc.cluster.instances

# ansible-inventory -i inventories/mysite --graph
#   |--@instances:
#   |  |--node001-vm0
#   |  |--node002-vm0
"""

import os
import typing as t

from ansible.inventory.data import InventoryData
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, to_safe_group_name
from ansible.template import trust_as_template
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.voc.cluster.plugins.module_utils._instances import instances
from ansible_collections.voc.cluster.plugins.plugin_utils._addressing import told_to_ansible


class InventoryModule(BaseInventoryPlugin):
    """The inventory plugin."""

    NAME = "voc.cluster.instances"

    def verify_file(self, path: str) -> bool:
        """Say whether a file could be for this plugin; its option `plugin` decides."""
        return bool(super().verify_file(path)) and os.path.splitext(path)[1] in (".yml", ".yaml")

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the instances of the hypervisors that are known by now."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        group = inventory.groups.get(self.get_option("hypervisors"))
        hypervisors = group.get_hosts() if group else []
        with told_to_ansible():
            found = instances({host.name: self._variables(inventory, host) for host in hypervisors})
        inventory.add_group("instances")
        for instance in found:
            inventory.add_host(instance.name, group="instances")
            if instance.voc:
                inventory.add_host(instance.name, group=inventory.add_group(to_safe_group_name(f"voc_{instance.voc}")))
            for name, value in instance.variables().items():
                # None of it can be a template; untrusted text would come out of ansible-inventory as a dictionary.
                inventory.set_variable(
                    instance.name, name, trust_as_template(value) if isinstance(value, str) else value
                )
        for host in hypervisors:
            inventory.set_variable(host.name, "voc_instances_known", True)

    def _variables(self, inventory: InventoryData, host: Host) -> dict[str, t.Any]:
        """Return what the inventory, group_vars and host_vars say of a hypervisor."""
        # Groups become children of `all` only when every source has been read.
        groups = sort_groups({inventory.groups["all"], *host.get_groups()})
        sources, loader = inventory.processed_sources, self.loader
        below = combine_vars(get_group_vars(groups), get_vars_from_inventory_sources(loader, sources, groups, "all"))
        own = combine_vars(host.get_vars(), get_vars_from_inventory_sources(loader, sources, [host], "all"))
        return dict(combine_vars(below, own))
