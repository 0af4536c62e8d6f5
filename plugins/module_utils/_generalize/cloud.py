# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What clouds and their agents have written down about one instance."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree

_STATE = "/var/lib/cloud"
_CONFIGURATION = ("seed", "scripts", "handlers")
_HEADER = re.compile(r"Created by cloud-init|generated from information provided by the datasource")

# Where cloud-init writes a network (cloudinit/net), as far as its name tells; others have its header.
_NETWORK = (
    ("/etc/netplan", r"50-cloud-init\.yaml"),
    ("/etc/network/interfaces.d", r"50-cloud-init(\.cfg)?"),
    ("/etc/NetworkManager/system-connections", r"cloud-init-.*\.nmconnection"),
    ("/etc/NetworkManager/conf.d", r"(30-cloud-init-ip6-addr-gen-mode|99-cloud-init)\.conf"),
    ("/etc/systemd/network", r"10-cloud-init-.*\.network"),
)
_IFCFG_FOLDERS = ("/etc/sysconfig/network-scripts", "/etc/sysconfig/network")


def _cloud_init(sweep: Sweep) -> None:
    sweep.clear(_STATE, keep=_CONFIGURATION)
    # Where it is switched off nobody would write the network again.
    if not tree.exists(sweep.plan, "/usr/bin/cloud-init") or sweep.is_there("/etc/cloud/cloud-init.disabled"):
        return
    for folder, names in _NETWORK:
        sweep.remove_matching(folder, names)
    for folder in _IFCFG_FOLDERS:
        for name in sweep.names(folder):
            path = f"{folder}/{name}"
            if name.startswith("ifcfg-") and _HEADER.search((sweep.text(path) or "")[:400]):
                sweep.remove(path)


def _cloud_agents(sweep: Sweep) -> None:
    sweep.clear("/var/lib/waagent")  # Azure: certificates and keys of the instance
    sweep.clear("/var/lib/amazon/ssm", keep=("localcommands",))
    sweep.remove("/etc/instance_id", "/var/lib/google/instance_id")  # Google


OPERATIONS = (
    Operation("cloud-init", "instances would be taken for one that was configured already", _cloud_init),
    Operation("cloud-agents", "instances would pose as one that a cloud knows", _cloud_agents),
)

__all__ = ["OPERATIONS"]
