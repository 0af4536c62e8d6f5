# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What must not be cloned: operations, each with a reason, listed and selectable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, systemd, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

HOST_KEYS_UNIT = "voc-cluster-ssh-host-keys.service"

# Debian makes host keys when the package is installed and never again.
_HOST_KEYS = """\
# Written by voc.cluster: every instance makes its own ssh host keys.
[Unit]
Description=Make missing ssh host keys
Before=ssh.service sshd.service ssh.socket
ConditionPathIsReadWrite=/etc/ssh

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
RequiredBy=ssh.service
"""


@dataclass(frozen=True)
class Operation:
    """Something to clean.

    Attributes:
        name: as users select it.
        reason: why an image must not be cloned with it.
        default: whether it is done when the user selects nothing.
    """

    name: str
    reason: str
    clean: Callable[[Plan], None]
    default: bool = True


def _machine_id(plan: Plan) -> None:
    # Empty means: a new one at boot, without the presets of a first boot
    # (man 5 machine-id). D-Bus has a copy, which would win over the firmware's.
    if system.exists(plan, "/etc/machine-id") or system.exists(plan, "/usr/lib/systemd/systemd"):
        _empty(plan, "/etc/machine-id")
    _remove_file(plan, "/var/lib/dbus/machine-id")


def _ssh_host_keys(plan: Plan) -> None:
    _remove_matching(plan, "/etc/ssh", r"ssh_host_.*key(\.pub)?")
    if not systemd.find_unit(plan, "ssh.service") or not system.exists(plan, "/usr/bin/ssh-keygen"):
        return
    plan.write(f"{systemd.ADMIN_FOLDER}/{HOST_KEYS_UNIT}", _HOST_KEYS.encode())
    systemd.enable(plan, HOST_KEYS_UNIT)


def _persistent_net_rules(plan: Plan) -> None:
    for folder in ("/etc/udev/rules.d", "/lib/udev/rules.d"):
        _remove_matching(plan, folder, r"\d+-persistent-(net|cd)(-generator)?\.rules")


def _dhcp_leases(plan: Plan) -> None:
    for folder in ("/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/dhcpcd", "/var/lib/NetworkManager"):
        _remove_matching(plan, folder, r".*\.leases?6?")


def _random_seed(plan: Plan) -> None:
    _remove_file(plan, "/var/lib/systemd/random-seed")
    _remove_file(plan, "/var/lib/urandom/random-seed")


def _package_cache(plan: Plan) -> None:
    _remove_matching(plan, "/var/cache/apt", r".*\.bin")
    _remove_matching(plan, "/var/cache/apt/archives", r".*\.deb")


def _logs(plan: Plan) -> None:
    for folder in ("/var/log", "/var/log/apt"):
        _remove_matching(plan, folder, r".*(\.log|\.gz|\.\d+|log|tmp)")


OPERATIONS = (
    Operation("machine-id", "instances with the same one share their DHCP identity", _machine_id),
    Operation("ssh-host-keys", "whoever has the image could pose as any instance", _ssh_host_keys),
    Operation("persistent-net-rules", "they tie eth0 to the MAC of another machine", _persistent_net_rules),
    Operation("dhcp-leases", "they ask for the address of another machine", _dhcp_leases),
    Operation("random-seed", "instances would start from the same randomness", _random_seed),
    Operation("package-cache", "it is large and soon stale", _package_cache),
    Operation("logs", "they speak of another machine", _logs),
)


def select(words: Iterable[str]) -> list[Operation]:
    """Return the operations that a selection names, in their fixed order.

    Args:
        words: names; ``defaults`` and ``all`` for several; ``-name`` takes one back.

    Raises:
        InputError: there is no operation of that name.
    """
    names = {operation.name for operation in OPERATIONS}
    groups = {"all": names, "defaults": {operation.name for operation in OPERATIONS if operation.default}}
    chosen: set[str] = set()
    for word in words:
        name = word.lstrip("-")
        if name not in names and name not in groups:
            raise InputError(
                f"there is no operation {name!r}", hint=f"choose from {', '.join(sorted(names | set(groups)))}"
            )
        members = groups.get(name, {name})
        chosen = chosen - members if word.startswith("-") else chosen | members
    return [operation for operation in OPERATIONS if operation.name in chosen]


def clean(plan: Plan, operations: Iterable[Operation]) -> None:
    """Lay operations over a plan."""
    for operation in operations:
        operation.clean(plan)


def _empty(plan: Plan, path: str) -> None:
    real, entry = tree.lookup(plan, path)
    if entry is None or entry.size:
        plan.write(real, b"")


def _remove_file(plan: Plan, path: str) -> None:
    real = tree.resolve(plan, path, follow=False)
    entry = plan.lstat(real)
    if entry and entry.kind != "directory":
        plan.remove(real)


def _remove_matching(plan: Plan, folder: str, pattern: str) -> None:
    for name in tree.names_in(plan, folder):
        if re.fullmatch(pattern, name):
            _remove_file(plan, f"{folder}/{name}")


__all__ = ["HOST_KEYS_UNIT", "OPERATIONS", "Operation", "clean", "select"]
