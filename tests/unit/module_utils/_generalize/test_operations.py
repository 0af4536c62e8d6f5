"""What each operation on files takes away, and what it leaves."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize.sweeping import clean, paths

PASSWD = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/data/ann:/bin/sh\nbad line\nodd:x:9:9::relative:/bin/sh\n"

# operation -> what goes, what stays
FILES = {
    "systemd-credentials": (["/var/lib/systemd/credential.secret"], ["/var/lib/systemd/other"]),
    "random-seed": (
        [
            "/var/lib/systemd/random-seed",
            "/var/lib/random-seed",
            "/var/lib/misc/random-seed",
            "/var/lib/seedrng/seed.credit",
        ],
        ["/var/lib/systemd/timers/x"],
    ),
    "initiator-names": (
        ["/etc/iscsi/initiatorname.iscsi", "/etc/nvme/hostnqn", "/etc/nvme/hostid"],
        ["/etc/iscsi/iscsid.conf"],
    ),
    "hostname": (["/etc/hostname"], ["/etc/hosts"]),
    "persistent-net-rules": (["/etc/udev/rules.d/70-persistent-net.rules"], ["/etc/udev/rules.d/60-own.rules"]),
    "dhcp-leases": (
        [
            "/var/lib/dhcp/dhclient.eth0.leases",
            "/var/lib/dhclient/dhclient6.leases",
            "/var/lib/NetworkManager/a.lease",
            "/var/lib/dhcpcd/eth0.lease",
            "/var/lib/dhcpcd/duid",
            "/var/lib/wicked/lease-eth0-dhcp-ipv4.xml",
            "/var/lib/wicked/duid.xml",
            "/etc/dhcpcd.duid",
        ],
        ["/var/lib/dhcp/dhcpd.leases", "/var/lib/dhcp/x", "/var/lib/wicked/x"],
    ),
    "networkmanager-pinning": (["/var/lib/NetworkManager/secret_key", "/var/lib/NetworkManager/timestamps"], []),
    "cloud-init": (
        ["/var/lib/cloud/data/instance-id", "/var/lib/cloud/instances/i/sem/x", "/etc/netplan/50-cloud-init.yaml"],
        [
            "/var/lib/cloud/seed/nocloud/meta-data",
            "/etc/cloud/cloud.cfg",
            "/usr/bin/cloud-init",
            "/etc/netplan/90-own.yaml",
        ],
    ),
    "cloud-agents": (["/var/lib/waagent/x.prv", "/etc/instance_id"], ["/etc/waagent.conf"]),
    "logs": (
        [
            "/var/log/syslog",
            "/var/log/a.log.1",
            "/var/log/apt/term.log",
            "/var/log/wtmp-20240101",
            "/var/log/app/deep/x.log.gz",
            "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
        ],
        ["/var/lib/app/x.log", "/srv/log/y.log"],
    ),
    "histories": (
        [
            "/root/.bash_history",
            "/home/bob/.python_history",
            "/data/ann/.zsh_history",
            "/home/bob/.local/share/fish/fish_history",
        ],
        ["/root/.bashrc", "/opt/.bash_history"],
    ),
    "mail": (["/var/spool/postfix/deferred/A/1"], ["/var/spool/postfix/etc/services"]),
    "temporary-files": (["/tmp/a", "/tmp/.hidden/b", "/var/tmp/c/d/e"], ["/var/lib/tmp/x"]),
    "package-cache": (
        [
            "/var/cache/apt/archives/a.deb",
            "/var/cache/apt/pkgcache.bin",
            "/var/cache/apt/archives/partial/b",
            "/var/cache/dnf/x/packages/a.rpm",
            "/var/cache/yum/x",
            "/var/cache/zypp/raw/r/x",
            "/var/cache/apk/APKINDEX.1.tar.gz",
            "/var/cache/pacman/pkg/a-1-any.pkg.tar.zst",
        ],
        ["/var/cache/apt/archives/lock", "/var/lib/apt/lists/deb.example_dists", "/var/cache/man/index.db"],
    ),
    "package-lists": (["/var/lib/apt/lists/deb.example_dists"], ["/var/lib/apt/lists/lock"]),
    "rpm-locks": (["/var/lib/rpm/__db.001", "/usr/lib/sysimage/rpm/.rpm.lock"], ["/var/lib/rpm/Packages"]),
    "device-caches": (["/etc/blkid.tab", "/etc/blkid/blkid.tab.old", "/dev/.udev/db/x"], ["/etc/blkid.conf"]),
    "crash-dumps": (["/var/crash/127.0.0.1/vmcore", "/var/lib/systemd/coredump/core.x.zst"], ["/etc/kdump.conf"]),
    "cron-spool": (
        ["/var/spool/cron/root", "/var/spool/cron/crontabs/bob", "/var/spool/cron/atjobs/a1"],
        ["/etc/crontab"],
    ),
    "subscription-ids": (
        [
            "/etc/pki/consumer/key.pem",
            "/etc/pki/entitlement/1-key.pem",
            "/etc/sysconfig/rhn/systemid",
            "/var/lib/rhsm/cache/x",
            "/etc/zypp/credentials.d/SCCcredentials",
            "/var/lib/ubuntu-advantage/private/machine-token.json",
        ],
        ["/etc/rhsm/rhsm.conf", "/etc/pki/product/69.pem", "/etc/zypp/credentials.d/own"],
    ),
    "htcondor": (
        [
            "/var/lib/condor/spool/job_queue.log",
            "/var/lib/condor/execute/dir_1/x",
            "/etc/condor/tokens.d/pool",
            "/etc/condor/passwords.d/POOL",
            "/home/bob/.condor/tokens.d/t",
        ],
        ["/etc/condor/condor_config", "/etc/condor/config.d/01-x"],
    ),
    "munge-key": (["/etc/munge/munge.key"], ["/etc/munge/x"]),
    "kerberos-keytab": (["/etc/krb5.keytab"], ["/etc/krb5.conf"]),
    "domain-membership": (["/var/lib/sss/db/cache.ldb", "/var/lib/samba/private/secrets.tdb"], ["/etc/sssd/sssd.conf"]),
    "lvm": (["/etc/lvm/archive/a.vg", "/etc/lvm/backup/a", "/etc/lvm/devices/system.devices"], ["/etc/lvm/lvm.conf"]),
    "authorized-keys": (["/root/.ssh/authorized_keys", "/home/bob/.ssh/authorized_keys2"], ["/root/.ssh/id_rsa"]),
    "known-hosts": (["/data/ann/.ssh/known_hosts"], ["/data/ann/.ssh/config"]),
}


@pytest.mark.parametrize("name", FILES)
def test_an_operation_removes_its_files_and_no_others(name: str) -> None:
    goes, stays = FILES[name]
    guest = MemoryTree({**dict.fromkeys([*goes, *stays], "x"), "/etc/passwd": PASSWD})
    before = {path for path, (entry, _data, _link) in guest.nodes.items() if entry.kind == "directory"}
    account = clean(guest, name)[name]
    assert paths(guest) == {*stays, "/etc/passwd"}
    assert account.bytes == len(goes)
    assert account.count >= len(goes)
    assert account.left == []
    folders = {path for path in before if path not in guest.nodes}
    assert not folders & {"/tmp", "/var/tmp", "/var/log", "/var/log/journal", "/var/lib/cloud", "/etc/condor/tokens.d"}


@pytest.mark.parametrize(
    ("choice", "content"), [("empty", ""), ("uninitialized", "uninitialized\n"), ("keep", "0123\n")]
)
def test_the_machine_id_becomes_what_was_chosen(choice: str, content: str) -> None:
    guest = MemoryTree({"/etc/machine-id": "0123\n", "/var/lib/dbus/machine-id": "0123\n"})
    clean(guest, "machine-id", machine_id=choice)
    assert guest.text("/etc/machine-id") == content
    assert (guest.lstat("/var/lib/dbus/machine-id") is None) == (choice != "keep")


def test_links_between_the_two_machine_ids_are_no_way_to_keep_one() -> None:
    guest = MemoryTree({"/etc/machine-id": ("->", "/var/lib/dbus/machine-id"), "/var/lib/dbus/machine-id": "0123\n"})
    clean(guest, "machine-id")
    assert guest.text("/etc/machine-id") == ""
    assert guest.lstat("/var/lib/dbus/machine-id") is None
    guest = MemoryTree({"/etc/machine-id": "0123\n", "/var/lib/dbus/machine-id": ("->", "/etc/machine-id")})
    clean(guest, "machine-id")
    assert guest.readlink("/var/lib/dbus/machine-id") == "/etc/machine-id"


def test_a_guest_without_systemd_gets_no_machine_id() -> None:
    guest = MemoryTree({"/etc/hosts": ""})
    clean(guest, "machine-id")
    assert paths(guest) == {"/etc/hosts"}


def test_an_initiator_name_that_the_guest_would_not_make_anew_by_itself_is_asked_for() -> None:
    guest = MemoryTree(
        {"/etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.x:1\n", "/usr/lib/open-iscsi/startup-checks.sh": ""}
    )
    clean(guest, "initiator-names")
    assert guest.text("/etc/iscsi/initiatorname.iscsi") == "GenerateName=yes\n"


def test_a_name_goes_from_where_it_stands_and_others_stay() -> None:
    hosts = "127.0.0.1 localhost\n127.0.1.1 build.example build\n10.0.0.1 nfs\n"
    guest = MemoryTree(
        {"/etc/hostname": "build\n", "/etc/hosts": hosts, "/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=build\n"}
    )
    clean(guest, "hostname")
    assert guest.text("/etc/hosts") == "127.0.0.1 localhost\n10.0.0.1 nfs\n"
    assert guest.text("/etc/sysconfig/network") == "NETWORKING=yes\nHOSTNAME=localhost\n"
    assert guest.lstat("/etc/hostname") is None


def test_login_records_and_logs_of_services_are_emptied_and_keep_their_owner() -> None:
    guest = MemoryTree()
    kept = {"/var/log/wtmp": Attributes(0o664, 0, 43), "/var/log/db/error.log": Attributes(0o640, 27, 27)}
    for path, attributes in kept.items():
        guest.add(path, "old", attributes)
    guest.add("/var/log/db/error.log.1", "old", Attributes(0o640, 27, 27))
    account = clean(guest, "logs")["logs"]
    assert {path: guest.nodes[path][0].attributes for path in kept} == kept
    assert all(guest.read(path) == b"" for path in kept)
    assert guest.lstat("/var/log/db/error.log.1") is None
    assert account.bytes == 9


def test_mailboxes_are_emptied_wherever_they_are() -> None:
    guest = MemoryTree({"/var/mail": ("->", "spool/mail")})
    guest.add("/var/spool/mail/ann", "From x\n", Attributes(0o660, 1000, 8))
    assert clean(guest, "mail")["mail"].count == 1
    assert guest.read("/var/spool/mail/ann") == b""
    assert guest.nodes["/var/spool/mail/ann"][0].attributes == Attributes(0o660, 1000, 8)


def test_a_root_password_is_locked_without_a_trace_of_it_and_keys_still_count() -> None:
    guest = MemoryTree()
    for path in ("/etc/shadow", "/etc/shadow-"):
        guest.add(path, "root:$6$salt$planted:1:0:99999:7:::\nann:$6$other:1::::::\n", Attributes(0o640, 0, 42))
    clean(guest, "root-password")
    assert guest.text("/etc/shadow") == "root:*:1:0:99999:7:::\nann:$6$other:1::::::\n"
    assert guest.nodes["/etc/shadow"][0].attributes == Attributes(0o640, 0, 42)
    assert "planted" not in guest.text("/etc/shadow-")


def test_what_cloud_init_generated_stays_where_nobody_would_write_it_again() -> None:
    generated = "# Created by cloud-init automatically, do not edit.\nDEVICE=eth0\n"
    ifcfg = "/etc/sysconfig/network-scripts/ifcfg-eth0"
    guest = MemoryTree({"/usr/bin/cloud-init": "", ifcfg: generated, "/etc/cloud/cloud-init.disabled": ""})
    clean(guest, "cloud-init")
    assert guest.text(ifcfg) == generated
    del guest.nodes["/etc/cloud/cloud-init.disabled"]
    clean(guest, "cloud-init")
    assert guest.lstat(ifcfg) is None


def test_the_generator_of_net_rules_is_masked_and_its_package_stays_whole() -> None:
    guest = MemoryTree({"/lib/udev/rules.d/75-persistent-net-generator.rules": "rules"})
    clean(guest, "persistent-net-rules")
    assert guest.readlink("/etc/udev/rules.d/75-persistent-net-generator.rules") == "/dev/null"
    assert guest.text("/lib/udev/rules.d/75-persistent-net-generator.rules") == "rules"
