# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a machine belongs to: subscriptions, pools, domains; and who may log in to it."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep


def _subscription_ids(sweep: Sweep) -> None:
    for folder in ("/etc/pki/consumer", "/etc/pki/entitlement"):  # Red Hat
        sweep.remove_matching(folder, r".*\.pem")
    sweep.remove_matching("/var/lib/rhsm", r".*\.json")
    for name in ("facts", "cache"):
        sweep.clear(f"/var/lib/rhsm/{name}")
    sweep.remove("/etc/sysconfig/rhn/systemid", "/etc/sysconfig/rhn/osad-auth.conf", "/var/lib/yum/uuid")
    sweep.remove("/etc/insights-client/machine-id")
    sweep.remove_matching("/etc/zypp/credentials.d", r"(SCC|NCC)credentials")  # SUSE
    sweep.remove(
        "/etc/zypp/credentials.cat", "/var/lib/zypp/AnonymousUniqueId", "/var/cache/SuseRegister/lastzmdconfig.cache"
    )
    sweep.clear("/var/lib/ubuntu-advantage/private")  # Ubuntu Pro


def _htcondor(sweep: Sweep) -> None:
    for folder in ("/var/lib/condor/spool", "/var/lib/condor/execute", "/var/lib/condor/cred_dir"):
        sweep.clear(folder)
    for name in ("oauth_credentials", "krb_credentials"):
        sweep.clear(f"/var/lib/condor/{name}")
    for folder in ("/etc/condor/tokens.d", "/etc/condor/passwords.d"):
        sweep.clear(folder)
    sweep.remove("/etc/condor/pool_password", "/var/lib/condor/pool_password")
    for home in sweep.homes():
        sweep.clear(f"{home}/.condor/tokens.d")


def _munge_key(sweep: Sweep) -> None:
    sweep.remove("/etc/munge/munge.key", "/var/lib/munge/munge.seed")


def _kerberos_keytab(sweep: Sweep) -> None:
    sweep.remove("/etc/krb5.keytab", "/etc/krb5/krb5.keytab")


def _domain_membership(sweep: Sweep) -> None:
    for name in ("db", "mc", "secrets"):
        sweep.clear(f"/var/lib/sss/{name}")
    sweep.remove("/var/lib/samba/private/secrets.tdb", "/var/lib/samba/secrets.tdb")


def _lvm(sweep: Sweep) -> None:
    sweep.clear("/etc/lvm/archive")
    sweep.clear("/etc/lvm/backup")
    sweep.clear("/etc/lvm/devices/backup")
    sweep.remove("/etc/lvm/devices/system.devices", "/etc/lvm/cache/.cache")
    sweep.remove("/etc/multipath/bindings", "/etc/multipath/wwids")


def _authorized_keys(sweep: Sweep) -> None:
    for home in sweep.homes():
        sweep.remove(f"{home}/.ssh/authorized_keys", f"{home}/.ssh/authorized_keys2")
    sweep.clear("/etc/ssh/authorized_keys.d")


def _root_password(sweep: Sweep) -> None:
    # Not an exclamation mark before it: that would keep the hash, and sshd would refuse keys, too.
    for path in ("/etc/shadow", "/etc/shadow-"):
        sweep.rewrite(path, lambda text: re.sub(r"(?m)^root:[^:\n]*:", "root:*:", text))


def _known_hosts(sweep: Sweep) -> None:
    for home in sweep.homes():
        sweep.remove(f"{home}/.ssh/known_hosts", f"{home}/.ssh/known_hosts.old")


OPERATIONS = (
    Operation("subscription-ids", "instances would use one subscription together", _subscription_ids),
    Operation("htcondor", "tokens let anybody join another pool, and its jobs are not of this one", _htcondor),
    Operation("munge-key", "whoever has it is any user of another Slurm cluster", _munge_key),
    Operation("kerberos-keytab", "whoever has it poses as the machine that it was made for", _kerberos_keytab),
    Operation("domain-membership", "instances would be one member of a domain together", _domain_membership),
    Operation("lvm", "they describe the disks of another machine, or say that no others may be used", _lvm),
    Operation("authorized-keys", "who made the image can log in to instances", _authorized_keys, default=False),
    Operation("known-hosts", "they tell where users have been", _known_hosts, default=False),
    Operation("root-password", "who made the image may know it", _root_password, default=False),
)

__all__ = ["OPERATIONS"]
