"""Trees of guests of each family, made after what their packages are known to install; no files of theirs."""

from __future__ import annotations

from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

Files = dict[str, "bytes | str | tuple[str, str] | None"]

OLD_ID = "0123456789abcdef0123456789abcdef"
MAC = "52:54:00:12:34:56"

_SYSTEMD: Files = {"/usr/lib/systemd/systemd": "", "/etc/machine-id": f"{OLD_ID}\n"}
_SSH: Files = {
    "/usr/bin/ssh-keygen": "",
    "/etc/ssh/sshd_config": "",
    "/etc/ssh/ssh_host_rsa_key": "secret",
    "/etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa AAAA",
}
_EL_SSHD = "[Unit]\nWants=sshd-keygen.target\n[Service]\nExecStart=/usr/sbin/sshd -D\n"
_DEBIAN_SSH = "[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n"
_EL_KEYGEN = "[Unit]\nConditionFileNotEmpty=|!/etc/ssh/ssh_host_%i_key\n[Service]\nExecStart=sshd-keygen %i\n"
_FIRST_BOOT = "[Unit]\nConditionFirstBoot=yes\n[Service]\nExecStart=ssh-keygen -A\n"


def _el(version: int, more: Files) -> Files:
    return {
        **_SSH,
        "/etc/redhat-release": f"Red Hat Enterprise Linux release {version}\n",
        "/var/lib/rpm/__db.001": "",
        "/etc/pki/consumer/key.pem": "",
        "/etc/lvm/archive/vg_0.vg": "vg",
        **more,
    }


_EL_MODERN: Files = {
    **_SYSTEMD,
    "/usr/lib/systemd/system/sshd.service": _EL_SSHD,
    "/usr/lib/systemd/system/sshd-keygen.target": "[Unit]\nWants=sshd-keygen@rsa.service\n",
    "/usr/lib/systemd/system/sshd-keygen@.service": _EL_KEYGEN,
    "/var/cache/dnf/baseos/packages/x.rpm": "rpm",
    "/var/lib/NetworkManager/internal-eth0.lease": "lease",
}
_KEYFILE: Files = {
    "/etc/NetworkManager/system-connections/eth0.nmconnection": (
        f"[connection]\nid=eth0\nuuid=1-2\ntype=ethernet\n\n[ethernet]\nmac-address={MAC}\n\n[ipv4]\nmethod=auto\n"
    ),
}

FAMILIES: dict[str, Files] = {
    "el6": _el(
        6,
        {
            "/etc/rc.d/init.d/sshd": "do_rsa_keygen() {\n  $KEYGEN -q\n}\n",
            "/etc/init.d": ("->", "rc.d/init.d"),
            "/etc/sysconfig/sshd": "# AUTOCREATE_SERVER_KEYS=NO\n",
            "/etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{MAC}", NAME="eth0"\n',
            "/lib/udev/rules.d/75-persistent-net-generator.rules": "rules",
            "/etc/sysconfig/network-scripts/ifcfg-eth0": f"DEVICE=eth0\nHWADDR={MAC}\nUUID=1-2\nBOOTPROTO=dhcp\n",
            "/var/lib/dhclient/dhclient-eth0.leases": "lease",
            "/var/lib/random-seed": "seed",
            "/var/lib/dbus/machine-id": f"{OLD_ID}\n",
            "/var/cache/yum/x86_64/6/base/repomd.xml": "xml",
        },
    ),
    "el7": _el(
        7,
        {
            **_SYSTEMD,
            "/usr/lib/systemd/system/sshd.service": "[Unit]\nWants=sshd-keygen.service\n",
            "/usr/lib/systemd/system/sshd-keygen.service": "[Service]\nExecStart=/usr/sbin/sshd-keygen\n",
            "/etc/sysconfig/network-scripts/ifcfg-eth0": f'DEVICE=eth0\nHWADDR="{MAC}"\nBOOTPROTO=dhcp\n',
        },
    ),
    "el8": _el(
        8,
        {
            **_EL_MODERN,
            "/etc/sysconfig/network-scripts/ifcfg-ens3": f"DEVICE=ens3\nHWADDR={MAC}\nUUID=1-2\nBOOTPROTO=dhcp\n",
            f"/boot/loader/entries/{OLD_ID}-4.18.0.conf": "title EL\n",
        },
    ),
    "el9": _el(9, {**_EL_MODERN, **_KEYFILE, f"/boot/loader/entries/{OLD_ID}-5.14.0.conf": "title EL\n"}),
    "el10": _el(10, {**_EL_MODERN, **_KEYFILE, "/usr/lib/sysimage/rpm/.rpm.lock": ""}),
    "suse": {
        **_SYSTEMD,
        **_SSH,
        "/usr/lib/systemd/system/sshd.service": "[Service]\nExecStartPre=/usr/sbin/sshd-gen-keys-start\n",
        "/etc/sysconfig/network/ifcfg-eth0": f"BOOTPROTO='dhcp'\nLLADDR={MAC}\n",
        "/var/lib/wicked/lease-eth0-dhcp-ipv4.xml": "<lease/>",
        "/var/lib/wicked/duid.xml": "<duid/>",
        "/var/cache/zypp/packages/repo/x.rpm": "rpm",
        "/etc/zypp/credentials.d/SCCcredentials": "username=x\npassword=planted\n",
    },
    "sles11": {
        **_SSH,
        "/etc/SuSE-release": "SUSE Linux Enterprise Server 11\n",
        "/etc/init.d/sshd": "ssh-keygen -t rsa -f /etc/ssh/ssh_host_rsa_key -N ''\n",
        "/etc/udev/rules.d/70-persistent-net.rules": "rules",
    },
    "alpine": {
        **_SSH,
        "/sbin/openrc-run": "",
        "/etc/init.d/sshd": "generate_host_keys() {\n  ssh-keygen -A\n}\n",
        "/etc/conf.d/sshd": '#sshd_disable_keygen="no"\n',
        "/var/lib/seedrng/seed.credit": "seed",
        "/var/cache/apk/APKINDEX.0.tar.gz": "index",
    },
    "arch": {
        **_SYSTEMD,
        **_SSH,
        "/usr/lib/systemd/system/sshd.service": "[Unit]\nWants=sshdgenkeys.service\n",
        "/usr/lib/systemd/system/sshdgenkeys.service": "[Service]\nExecStart=/usr/bin/ssh-keygen -A\n",
        "/etc/systemd/network/10-eth.network": f"[Match]\nMACAddress={MAC}\n\n[Network]\nDHCP=yes\n",
        "/etc/systemd/network/10-lan.link": f"[Match]\nMACAddress={MAC}\n\n[Link]\nName=lan0\n",
        "/var/cache/pacman/pkg/x-1-1-any.pkg.tar.zst": "pkg",
    },
    "debian12": {
        **_SYSTEMD,
        **_SSH,
        "/lib/systemd/system/ssh.service": _DEBIAN_SSH,
        "/etc/network/interfaces": f"auto eth0\niface eth0 inet dhcp\n    hwaddress ether {MAC}\n",
        "/var/lib/dhcp/dhclient.eth0.leases": "lease",
        "/var/cache/apt/archives/x.deb": "deb",
        "/var/lib/dbus/machine-id": ("->", "/etc/machine-id"),
    },
    "debian13": {
        **_SYSTEMD,
        **_SSH,
        "/usr/lib/systemd/system/ssh.service": _DEBIAN_SSH,
        "/usr/lib/systemd/system/sshd-keygen.service": _FIRST_BOOT,
        "/etc/systemd/system/ssh.service.wants/sshd-keygen.service": (
            "->",
            "/usr/lib/systemd/system/sshd-keygen.service",
        ),
    },
    "debian7": {
        **_SSH,
        "/etc/init.d/ssh": "start-stop-daemon --start\n",
        "/etc/rc2.d": None,
        "/lib/udev/rules.d/75-persistent-net-generator.rules": "rules",
        "/var/lib/urandom/random-seed": "seed",
    },
    "ubuntu14": {**_SSH, "/etc/init/ssh.conf": "exec /usr/sbin/sshd -D\n", "/etc/init.d/ssh": "# upstart\n"},
    "ubuntu": {
        **_SYSTEMD,
        **_SSH,
        "/usr/lib/systemd/system/ssh.service": _DEBIAN_SSH,
        "/usr/bin/cloud-init": "",
        "/etc/netplan/01-site.yaml": (
            "network:\n  version: 2\n  ethernets:\n    ens3:\n      dhcp4: true\n"
            f"      match:\n        macaddress: {MAC}\n      set-name: ens3\n"
        ),
        "/etc/netplan/50-cloud-init.yaml": "network: {version: 2}\n",
        "/var/lib/cloud/instance": ("->", "instances/i-1"),
        "/var/lib/cloud/instances/i-1/user-data.txt": "password: planted",
        "/var/lib/cloud/seed/nocloud/meta-data": "{}",
        "/etc/cloud/cloud.cfg": "users: [default]\n",
    },
}


def tree(family: str) -> MemoryTree:
    """Return the tree of a family."""
    return MemoryTree(FAMILIES[family])
