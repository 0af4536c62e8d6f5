# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Who a machine is, to itself and to others: its ids, seeds and names."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep

_MACHINE_ID = "/etc/machine-id"
_DBUS_ID = "/var/lib/dbus/machine-id"
_ENTRY_TOKEN = "/etc/kernel/entry-token"
_CONTENTS = {"empty": "", "uninitialized": "uninitialized\n"}
_ISCSI = "/etc/iscsi/initiatorname.iscsi"

# Debian's makes a name when the file asks for one (open-iscsi, debian/extra/startup-checks.sh).
_ISCSI_GENERATORS = ("/usr/lib/open-iscsi/startup-checks.sh", "/lib/open-iscsi/startup-checks.sh")
_GENERATE = "GenerateName=yes\n"


def _machine_id(sweep: Sweep) -> None:
    # Empty means: a new one at boot, without the presets of a first boot; `uninitialized`: with them
    # (man 5 machine-id). D-Bus has a copy, which would win over the firmware's.
    if sweep.machine_id == "keep":
        return
    _keep_entry_token(sweep)
    if sweep.entry(_MACHINE_ID)[1] or sweep.is_there("/usr/lib/systemd/systemd"):
        _write_machine_id(sweep, _CONTENTS[sweep.machine_id])
    entry = sweep.entry(_DBUS_ID)[1]
    if entry and entry.kind != "symlink":  # a link leads to the one that systemd makes
        sweep.remove(_DBUS_ID)


def _write_machine_id(sweep: Sweep, text: str) -> None:
    entry = sweep.entry(_MACHINE_ID)[1]
    if entry and entry.kind == "symlink":
        sweep.remove(_MACHINE_ID)
        entry = None
    if entry is None or sweep.text(_MACHINE_ID) != text:
        sweep.write(_MACHINE_ID, text)


def _keep_entry_token(sweep: Sweep) -> None:
    """Let kernels that are installed later join the boot entries that bear the old id (man 8 kernel-install)."""
    found = re.match(r"[0-9a-f]{32}", sweep.text(_MACHINE_ID) or "")
    entries = sweep.names("/boot/loader/entries")
    if found and any(name.startswith(f"{found.group()}-") for name in entries) and not sweep.is_there(_ENTRY_TOKEN):
        sweep.write(_ENTRY_TOKEN, f"{found.group()}\n")


def _systemd_credentials(sweep: Sweep) -> None:
    sweep.remove("/var/lib/systemd/credential.secret")


def _random_seed(sweep: Sweep) -> None:
    sweep.remove(
        "/var/lib/systemd/random-seed",
        "/var/lib/urandom/random-seed",  # Debian's sysvinit
        "/var/lib/random-seed",  # EL 6
        "/var/lib/misc/random-seed",  # OpenRC, SLES 11
        "/boot/loader/random-seed",
    )
    sweep.clear("/var/lib/seedrng")


def _initiator_names(sweep: Sweep) -> None:
    if sweep.is_there(_ISCSI) and any(map(sweep.is_there, _ISCSI_GENERATORS)):
        sweep.rewrite(_ISCSI, lambda text: text if _is_asking(text) else _GENERATE)
    else:
        sweep.remove(_ISCSI)
    sweep.remove("/etc/nvme/hostnqn", "/etc/nvme/hostid")


def _is_asking(text: str) -> bool:
    return any(line.strip() == _GENERATE.strip() for line in text.splitlines())


def _hostname(sweep: Sweep) -> None:
    name = (sweep.text("/etc/hostname") or "").strip()
    sweep.remove("/etc/hostname", "/etc/HOSTNAME", "/etc/conf.d/hostname")
    sweep.rewrite("/etc/sysconfig/network", lambda text: re.sub(r"(?m)^HOSTNAME=.*$", "HOSTNAME=localhost", text))
    if re.fullmatch(r"[\w.-]+", name):
        own = re.compile(rf"(?m)^127\.0\.1\.1[ \t].*\b{re.escape(name)}\b.*\n?")
        sweep.rewrite("/etc/hosts", lambda text: own.sub("", text))


OPERATIONS = (
    Operation("machine-id", "instances with the same one share their DHCP identity", _machine_id),
    Operation("systemd-credentials", "whoever has the image could read what instances encrypt", _systemd_credentials),
    Operation("random-seed", "instances would start from the same randomness", _random_seed),
    Operation(
        "initiator-names", "storage targets would take all instances for one iSCSI or NVMe host", _initiator_names
    ),
    Operation("hostname", "a name in the image wins over the one that DHCP gives", _hostname, default=False),
)

__all__ = ["OPERATIONS"]
