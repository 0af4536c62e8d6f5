"""Guests of every family, as the files that tell them apart: data for `MemoryTree`.

Written from what the distributions' packages install and their installers
write, not copied from any of them. Each is a plain guest with one kernel of its
own, the network stack of its time with a configuration of another machine, and
the boot loader that its installer would have put there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.tests.unit.memory_tree import ELF_X86_64, MemoryTree

Files = dict[str, "bytes | str | tuple[str, str] | None"]

ELF_I386 = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x03\x00" + bytes(100)
MACHINE_ID = "0123456789abcdef0123456789abcdef"
MAC = "00:16:3e:00:00:01"


@dataclass(frozen=True)
class Family:
    """A guest's files, and what inspection must tell of it."""

    files: Files
    id: str
    version: str | None
    package_manager: str
    init: str
    init_version: int | None
    network: str
    kernel: str
    initramfs: str
    boot_loader: str
    architecture: str = "x86_64"
    python: str | None = "/usr/bin/python3"
    selinux: str | None = None
    glibc: str | None = None

    def tree(self) -> MemoryTree:
        """Return a new tree of it."""
        return MemoryTree(self.files)


def _os_release(name: str, version: str | None, pretty: str) -> Files:
    told = f'VERSION_ID="{version}"\n' if version else ""
    text = f'NAME="{pretty.split()[0]}"\nID={name}\n{told}PRETTY_NAME="{pretty}"\n'
    return {"/usr/lib/os-release": text, "/etc/os-release": ("->", "../usr/lib/os-release")}


def _merged() -> Files:
    """Return the links of a guest that keeps all programs and libraries below /usr."""
    return {name: ("->", f"usr{name}") for name in ("/bin", "/sbin", "/lib", "/lib64")}


def _kernel(version: str, initramfs: str, modules: str = "/lib/modules") -> Files:
    return {
        f"/boot/vmlinuz-{version}": "kernel",
        f"/boot/{initramfs}": "initramfs",
        f"{modules}/{version}/modules.dep": "kernel/drivers/net/virtio_net.ko:\n",
    }


def _unit(
    name: str, wanted_by: str = "multi-user.target", folder: str = "/usr/lib/systemd/system", more: str = ""
) -> Files:
    return {f"{folder}/{name}": f"[Unit]\nDescription={name}\n[Install]\nWantedBy={wanted_by}\n{more}"}


def _enabled(name: str, wanted_by: str = "multi-user.target", folder: str = "/usr/lib/systemd/system") -> Files:
    return {f"/etc/systemd/system/{wanted_by}.wants/{name}": ("->", f"{folder}/{name}")}


def _systemd(version: int, folder: str = "/usr/lib/systemd", init: str = "/sbin/init") -> Files:
    return {
        f"{folder}/systemd": ELF_X86_64 + f"systemd {version}\0".encode(),
        f"{folder}/systemd-networkd": "",
        **_unit("systemd-networkd.service", folder=f"{folder}/system"),
        **_unit("systemd-resolved.service", folder=f"{folder}/system"),
        init: ("->", f"{folder}/systemd"),
    }


FSTAB = "UUID=0f2c4a6e-0000-4000-8000-000000000001 / ext4 defaults 0 1\n"


# Debian and Ubuntu.

_INTERFACES = "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n"
_ETH0 = "auto eth0\niface eth0 inet dhcp\n"
_ENS3 = "allow-hotplug ens3\niface ens3 inet dhcp\n"


def _apt(python: str) -> Files:
    return {"/usr/bin/apt-get": "", "/usr/bin/dpkg": "", python: "", "/etc/fstab": FSTAB}


def _ifupdown(interfaces: str, client: str = "/sbin/dhclient") -> Files:
    return {
        "/sbin/ifup": "",
        client: "",
        "/etc/dhcp/dhclient.conf": "send host-name = gethostname();\n",
        "/etc/network/interfaces": _INTERFACES + interfaces,
    }


def _debian_sysv(version: str, kernel: str, glibc: str) -> Family:
    return Family(
        files={
            **_os_release("debian", version, f"Debian GNU/Linux {version}"),
            **_apt("/usr/bin/python2"),
            **_ifupdown(_ETH0),
            **_kernel(kernel, f"initrd.img-{kernel}"),
            "/bin/sh": ("->", "dash"),
            "/bin/dash": ELF_X86_64,
            f"/lib/x86_64-linux-gnu/libc-{glibc}.so": "",
            "/sbin/init": "",
            "/etc/init.d/networking": "### BEGIN INIT INFO\n# Default-Start:     S\n### END INIT INFO\n",
            "/etc/rcS.d/S12networking": ("->", "../init.d/networking"),
            "/etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{MAC}", NAME="eth0"\n',
            "/lib/udev/rules.d/75-persistent-net-generator.rules": "",
            "/lib/udev/rules.d/80-drivers.rules": "",
            "/boot/grub/grub.cfg": "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n',
        },
        id="debian",
        version=version,
        package_manager="apt",
        init="sysvinit",
        init_version=None,
        network="ifupdown",
        kernel=kernel,
        initramfs=f"/boot/initrd.img-{kernel}",
        boot_loader="grub2",
        python="/usr/bin/python2",
        glibc=glibc,
    )


def _debian(version: str, systemd: int, kernel: str, glibc: str | None, interfaces: str, merged: bool = True) -> Family:
    library = "/usr/lib/x86_64-linux-gnu" if merged else "/lib/x86_64-linux-gnu"
    units = "/usr/lib/systemd/system" if merged else "/lib/systemd/system"
    programs = "/usr" if merged else ""
    return Family(
        files={
            **(_merged() if merged else {}),
            **_os_release("debian", version, f"Debian GNU/Linux {version}"),
            **_apt("/usr/bin/python3"),
            **{path.replace("/sbin", f"{programs}/sbin"): text for path, text in _ifupdown(interfaces).items()},
            **_kernel(kernel, f"initrd.img-{kernel}", f"{programs}/lib/modules"),
            **_systemd(systemd, f"{programs}/lib/systemd", f"{programs}/sbin/init"),
            **_unit("networking.service", folder=units),
            **_enabled("networking.service", folder=units),
            f"{programs}/bin/sh": ("->", "dash"),
            f"{programs}/bin/dash": ELF_X86_64,
            **({f"{library}/libc-{glibc}.so": ""} if glibc else {f"{library}/libc.so.6": ""}),
            f"{programs}/lib/udev/rules.d/80-net-setup-link.rules": "",
            "/boot/grub/grub.cfg": "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n',
        },
        id="debian",
        version=version,
        package_manager="apt",
        init="systemd",
        init_version=systemd,
        network="ifupdown",
        kernel=kernel,
        initramfs=f"/boot/initrd.img-{kernel}",
        boot_loader="grub2",
        glibc=glibc,
    )


_NETPLAN = """\
network:
  version: 2
  ethernets:
    ens3:
      match: {macaddress: "00:16:3e:00:00:01"}
      set-name: ens3
      dhcp4: true
"""


def _netplan(name: str, version: str, systemd: int, kernel: str) -> Family:
    return Family(
        files={
            **_merged(),
            **_os_release(name, version, f"{name.capitalize()} {version}"),
            **_apt("/usr/bin/python3"),
            **_kernel(kernel, f"initrd.img-{kernel}", "/usr/lib/modules"),
            **_systemd(systemd, init="/usr/sbin/init"),
            **_enabled("systemd-networkd.service"),
            **_enabled("systemd-resolved.service"),
            "/usr/sbin/netplan": "",
            "/usr/lib/systemd/system-generators/netplan": "",
            "/etc/netplan/50-cloud-init.yaml": _NETPLAN,
            "/usr/bin/cloud-init": "",
            "/etc/cloud/cloud.cfg": "",
            "/usr/bin/sh": ("->", "dash"),
            "/usr/bin/dash": ELF_X86_64,
            "/usr/lib/x86_64-linux-gnu/libc.so.6": "",
            "/boot/grub/grub.cfg": "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n',
        },
        id=name,
        version=version,
        package_manager="apt",
        init="systemd",
        init_version=systemd,
        network="netplan",
        kernel=kernel,
        initramfs=f"/boot/initrd.img-{kernel}",
        boot_loader="grub2",
    )


def _ubuntu_14() -> Family:
    kernel = "3.13.0-170-generic"
    return Family(
        files={
            **_os_release("ubuntu", "14.04", "Ubuntu 14.04.6 LTS"),
            **_apt("/usr/bin/python3"),
            **_ifupdown(_ETH0),
            **_kernel(kernel, f"initrd.img-{kernel}"),
            "/bin/sh": ("->", "dash"),
            "/bin/dash": ELF_X86_64,
            "/lib/x86_64-linux-gnu/libc-2.19.so": "",
            # Its logind comes from systemd; its init does not.
            "/lib/systemd/systemd-logind": "",
            "/sbin/init": "",
            "/sbin/initctl": "",
            "/etc/init/networking.conf": "start on local-filesystems\n",
            "/etc/init.d/networking": "",
            "/etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{MAC}", NAME="eth0"\n',
            "/lib/udev/rules.d/75-persistent-net-generator.rules": "",
            "/boot/grub/grub.cfg": "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n',
        },
        id="ubuntu",
        version="14.04",
        package_manager="apt",
        init="upstart",
        init_version=None,
        network="ifupdown",
        kernel=kernel,
        initramfs=f"/boot/initrd.img-{kernel}",
        boot_loader="grub2",
        glibc="2.19",
    )


def _ubuntu_16() -> Family:
    debian = _debian("16.04", 229, "4.4.0-210-generic", "2.23", _ENS3, merged=False)
    files = {**debian.files, **_os_release("ubuntu", "16.04", "Ubuntu 16.04.7 LTS")}
    return replace(debian, id="ubuntu", files=files)


# Red Hat Enterprise Linux and its rebuilds.

_IFCFG = f"DEVICE=eth0\nHWADDR={MAC}\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=dhcp\n"
_KEYFILE = f"[connection]\nid=eth0\ntype=ethernet\ninterface-name=eth0\n\n[ethernet]\nmac-address={MAC}\n"
_SCRIPTS = "/etc/sysconfig/network-scripts"


def _el_sysv(release: str, version: str, kernel: str, initramfs: str, glibc: str, init: str, elf: bytes) -> Family:
    library = "/lib64" if elf == ELF_X86_64 else "/lib"
    return Family(
        files={
            "/etc/redhat-release": release,
            "/usr/bin/yum": "",
            "/bin/rpm": "",
            "/usr/bin/python": "",
            "/etc/fstab": FSTAB,
            "/bin/sh": ("->", "bash"),
            "/bin/bash": elf,
            f"{library}/libc-{glibc}.so": "",
            "/sbin/init": "",
            **(
                {"/sbin/initctl": "", "/etc/init/rc.conf": "", "/etc/dhcp": None}
                if init == "upstart"
                else {"/etc/inittab": "id:3:initdefault:\n"}
            ),
            "/sbin/ifup": "",
            "/sbin/dhclient": "",
            "/etc/init.d": ("->", "rc.d/init.d"),
            "/etc/rc.d/init.d/network": "",
            **{f"/etc/rc.d/rc{level}.d/S10network": ("->", "../init.d/network") for level in (2, 3, 4, 5)},
            f"{_SCRIPTS}/ifup-eth": "",
            f"{_SCRIPTS}/ifcfg-lo": "DEVICE=lo\n",
            f"{_SCRIPTS}/ifcfg-eth0": _IFCFG,
            "/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=starworker\n",
            "/etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{MAC}", NAME="eth0"\n',
            "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
            "/etc/selinux/targeted/contexts/files/file_contexts": "",
            **_kernel(kernel, initramfs),
            "/boot/grub/grub.conf": "default=0\n",
            "/boot/grub/menu.lst": ("->", "./grub.conf"),
        },
        id="rhel",
        version=version,
        package_manager="yum",
        init=init,
        init_version=None,
        network="ifcfg",
        kernel=kernel,
        initramfs=f"/boot/{initramfs}",
        boot_loader="grub-legacy",
        architecture="x86_64" if elf == ELF_X86_64 else "i386",
        python="/usr/bin/python",
        selinux="enforcing",
        glibc=glibc,
    )


def _el(name: str, version: str, systemd: int, kernel: str, network: str, python: str, glibc: str | None) -> Family:
    major = int(version.partition(".")[0])
    bls = {
        f"/boot/loader/entries/{MACHINE_ID}-{kernel}.conf": (
            f"title {name} ({kernel})\nversion {kernel}\nlinux /boot/vmlinuz-{kernel}\n"
            f"initrd /boot/initramfs-{kernel}.img\n"
            + ("options $kernelopts\n" if major == 8 else "options root=/dev/vda1 ro\n")
        ),
        "/etc/kernel/cmdline": "root=/dev/vda1 ro\n",
    }
    manager: Files = {
        "/usr/sbin/NetworkManager": "",
        **_unit("NetworkManager.service"),
        **_enabled("NetworkManager.service"),
    }
    scripts: Files = {
        "/usr/sbin/ifup": "",
        "/usr/sbin/dhclient": "",
        "/etc/dhcp": None,
        "/etc/init.d": ("->", "rc.d/init.d"),
        "/etc/rc.d/init.d/network": "",
        **{f"/etc/rc.d/rc{level}.d/S10network": ("->", "../init.d/network") for level in (2, 3, 4, 5)},
        f"{_SCRIPTS}/ifup-eth": "",
    }
    return Family(
        files={
            **_merged(),
            **_os_release(name, version, f"{name.capitalize()} Linux {version}"),
            "/usr/bin/rpm": "",
            "/usr/bin/yum": "",
            **({"/usr/bin/dnf": ""} if major > 7 else {}),
            python: "",
            "/etc/fstab": FSTAB,
            "/usr/bin/sh": ("->", "bash"),
            "/usr/bin/bash": ELF_X86_64,
            **({f"/usr/lib64/libc-{glibc}.so": ""} if glibc else {"/usr/lib64/libc.so.6": ""}),
            **{
                path: text
                for path, text in _systemd(systemd, init="/usr/sbin/init").items()
                if "networkd" not in path and "resolved" not in path
            },
            **(scripts if network == "ifcfg" else manager),
            **(
                {f"{_SCRIPTS}/ifcfg-eth0": _IFCFG, f"{_SCRIPTS}/ifcfg-lo": "DEVICE=lo\n"}
                if major < 9
                else {"/etc/NetworkManager/system-connections/eth0.nmconnection": _KEYFILE}
            ),
            "/usr/lib/udev/rules.d/80-net-setup-link.rules": "",
            "/etc/selinux/config": "SELINUX=permissive\nSELINUXTYPE=targeted\n",
            "/etc/selinux/targeted/contexts/files/file_contexts": "",
            **_kernel(kernel, f"initramfs-{kernel}.img", "/usr/lib/modules"),
            f"/boot/vmlinuz-0-rescue-{MACHINE_ID}": "",
            f"/boot/initramfs-0-rescue-{MACHINE_ID}.img": "",
            "/boot/grub2/grub.cfg": "blscfg\n" if major > 7 else "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX="rhgb quiet"\n'
            + ("GRUB_ENABLE_BLSCFG=true\n" if major > 7 else ""),
            **(bls if major > 7 else {}),
        },
        id=name,
        version=version,
        package_manager="dnf" if major > 7 else "yum",
        init="systemd",
        init_version=systemd,
        network=network,
        kernel=kernel,
        initramfs=f"/boot/initramfs-{kernel}.img",
        boot_loader="grub2",
        python=python,
        selinux="permissive",
        glibc=glibc,
    )


# SUSE.

_SUSE_IFCFG = "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"
_SUSE_NETWORK = "/etc/sysconfig/network"


def _sles_11() -> Family:
    kernel = "3.0.101-108-default"
    return Family(
        files={
            "/etc/SuSE-release": "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
            "/usr/bin/zypper": "",
            "/bin/rpm": "",
            "/usr/bin/python": "",
            "/etc/fstab": FSTAB,
            "/bin/sh": ("->", "bash"),
            "/bin/bash": ELF_X86_64,
            "/lib64/libc-2.11.3.so": "",
            "/sbin/init": "",
            "/etc/inittab": "id:3:initdefault:\n",
            "/sbin/ifup": "",
            "/sbin/dhcpcd": "",
            "/etc/init.d/network": "",
            "/etc/init.d/rc3.d/S02network": ("->", "../network"),
            f"{_SUSE_NETWORK}/ifcfg-lo": "STARTMODE='auto'\n",
            f"{_SUSE_NETWORK}/ifcfg-eth0": _SUSE_IFCFG,
            f"{_SUSE_NETWORK}/config": 'NETCONFIG_DNS_STATIC_SERVERS=""\nNETCONFIG_DNS_STATIC_SEARCHLIST=""\n',
            f"{_SUSE_NETWORK}/dhcp": 'DHCLIENT_CLIENT_ID=""\n',
            "/etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{MAC}", NAME="eth0"\n',
            **_kernel(kernel, f"initrd-{kernel}"),
            "/boot/vmlinuz": ("->", f"vmlinuz-{kernel}"),
            "/boot/grub/menu.lst": "",
        },
        id="suse",
        version="11",
        package_manager="zypper",
        init="sysvinit",
        init_version=None,
        network="ifcfg",
        kernel=kernel,
        initramfs=f"/boot/initrd-{kernel}",
        boot_loader="grub-legacy",
        python="/usr/bin/python",
        glibc="2.11.3",
    )


def _suse(name: str, version: str, systemd: int, kernel: str, glibc: str, network: str = "wicked") -> Family:
    wicked: Files = {
        "/usr/sbin/wicked": "",
        "/usr/sbin/ifup": ("->", "/usr/sbin/wicked"),
        **_unit("wicked.service", more="Alias=network.service\n"),
        **_enabled("wicked.service"),
        "/etc/systemd/system/network.service": ("->", "/usr/lib/systemd/system/wicked.service"),
        f"{_SUSE_NETWORK}/ifcfg-lo": "STARTMODE='auto'\n",
        f"{_SUSE_NETWORK}/ifcfg-eth0": _SUSE_IFCFG,
        f"{_SUSE_NETWORK}/config": 'NETCONFIG_DNS_STATIC_SERVERS=""\nNETCONFIG_DNS_STATIC_SEARCHLIST=""\n',
        f"{_SUSE_NETWORK}/dhcp": 'DHCLIENT_CLIENT_ID=""\n',
    }
    manager: Files = {
        "/usr/sbin/NetworkManager": "",
        **_unit("NetworkManager.service", more="Alias=network.service\n"),
        **_enabled("NetworkManager.service"),
        "/etc/NetworkManager/system-connections/eth0.nmconnection": _KEYFILE,
    }
    return Family(
        files={
            **(_merged() if network == "networkmanager" else {}),
            **_os_release(name, version, f"{name} {version}"),
            "/usr/bin/zypper": "",
            "/usr/bin/rpm": "",
            "/usr/bin/python3": "",
            "/etc/fstab": FSTAB,
            **(
                {"/usr/bin/sh": ("->", "bash"), "/usr/bin/bash": ELF_X86_64, f"/usr/lib64/libc-{glibc}.so": ""}
                if network == "networkmanager"
                else {"/bin/sh": ("->", "bash"), "/bin/bash": ELF_X86_64, f"/lib64/libc-{glibc}.so": ""}
            ),
            **{
                path: text
                for path, text in _systemd(
                    systemd, init="/usr/sbin/init" if network == "networkmanager" else "/sbin/init"
                ).items()
                if "networkd" not in path and "resolved" not in path
            },
            **(manager if network == "networkmanager" else wicked),
            **_kernel(
                kernel, f"initrd-{kernel}", "/usr/lib/modules" if network == "networkmanager" else "/lib/modules"
            ),
            "/usr/lib/udev/rules.d/80-net-setup-link.rules": "",
            "/boot/grub2/grub.cfg": "",
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
        },
        id=name,
        version=version,
        package_manager="zypper",
        init="systemd",
        init_version=systemd,
        network=network,
        kernel=kernel,
        initramfs=f"/boot/initrd-{kernel}",
        boot_loader="grub2",
        glibc=glibc,
    )


def _alpine() -> Family:
    kernel = "6.6.31-0-lts"
    return Family(
        files={
            **_os_release("alpine", "3.20.0", "Alpine Linux v3.20"),
            "/sbin/apk": "",
            "/usr/bin/python3": "",
            "/etc/fstab": FSTAB,
            "/bin/sh": ("->", "/bin/busybox"),
            "/bin/busybox": ELF_X86_64,
            "/lib/ld-musl-x86_64.so.1": "",
            "/sbin/init": ("->", "/bin/busybox"),
            "/sbin/openrc": "",
            "/sbin/openrc-run": "",
            "/sbin/ifup": ("->", "/bin/busybox"),
            "/sbin/udhcpc": ("->", "/bin/busybox"),
            "/etc/init.d/networking": "",
            "/etc/runlevels/boot/networking": ("->", "/etc/init.d/networking"),
            "/etc/network/interfaces": "auto lo\niface lo inet loopback\n\n" + _ETH0,
            # The names of its kernels say the flavour, not the version.
            "/boot/vmlinuz-lts": "kernel",
            "/boot/initramfs-lts": "initramfs",
            f"/lib/modules/{kernel}/modules.dep": "",
            "/boot/extlinux.conf": (
                "DEFAULT lts\nLABEL lts\n  LINUX vmlinuz-lts\n  INITRD initramfs-lts\n  APPEND root=/dev/vda1\n"
            ),
            "/etc/update-extlinux.conf": 'default_kernel_opts="quiet"\nmodules=ext4\nroot=/dev/vda1\n',
        },
        id="alpine",
        version="3.20.0",
        package_manager="apk",
        init="openrc",
        init_version=None,
        network="ifupdown",
        kernel=kernel,
        initramfs="/boot/initramfs-lts",
        boot_loader="extlinux",
    )


def _arch() -> Family:
    kernel = "6.9.3-arch1-1"
    return Family(
        files={
            **_merged(),
            "/sbin": ("->", "usr/bin"),
            "/lib64": ("->", "usr/lib"),
            **_os_release("arch", None, "Arch Linux"),
            "/usr/bin/pacman": "",
            "/usr/bin/python3": ("->", "python3.12"),
            "/usr/bin/python3.12": "",
            "/etc/fstab": FSTAB,
            "/usr/bin/sh": ("->", "bash"),
            "/usr/bin/bash": ELF_X86_64,
            "/usr/lib/libc.so.6": "",
            **_systemd(256, init="/usr/bin/init"),
            **_enabled("systemd-networkd.service"),
            "/etc/systemd/network/20-wired.network": "[Match]\nName=ens3\n[Network]\nDHCP=yes\n",
            "/boot/vmlinuz-linux": "kernel",
            "/boot/initramfs-linux.img": "initramfs",
            "/boot/initramfs-linux-fallback.img": "initramfs",
            f"/usr/lib/modules/{kernel}/pkgbase": "linux\n",
            f"/usr/lib/modules/{kernel}/modules.dep": "",
            "/boot/loader/loader.conf": "default arch.conf\n",
            "/boot/loader/entries/arch.conf": (
                "title Arch Linux\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\noptions root=/dev/vda2 rw\n"
            ),
        },
        id="arch",
        version=None,
        package_manager="pacman",
        init="systemd",
        init_version=256,
        network="networkd",
        kernel=kernel,
        initramfs="/boot/initramfs-linux.img",
        boot_loader="systemd-boot",
    )


FAMILIES: dict[str, Family] = {
    "debian7": _debian_sysv("7", "3.2.0-6-amd64", "2.13"),
    "debian8": _debian("8", 215, "3.16.0-11-amd64", "2.19", _ETH0, merged=False),
    "debian9": _debian("9", 232, "4.9.0-19-amd64", "2.24", _ENS3, merged=False),
    "debian10": _debian("10", 241, "4.19.0-27-amd64", "2.28", _ENS3),
    "debian11": _debian("11", 247, "5.10.0-33-amd64", "2.31", _ENS3),
    "debian12": _debian("12", 252, "6.1.0-28-amd64", None, _ENS3),
    "debian12-cloud": _netplan("debian", "12", 252, "6.1.0-28-cloud-amd64"),
    "debian13": _debian("13", 257, "6.12.48+deb13-amd64", None, _ENS3),
    "ubuntu14.04": _ubuntu_14(),
    "ubuntu16.04": _ubuntu_16(),
    "ubuntu18.04": _netplan("ubuntu", "18.04", 237, "4.15.0-213-generic"),
    "ubuntu20.04": _netplan("ubuntu", "20.04", 245, "5.4.0-200-generic"),
    "ubuntu22.04": _netplan("ubuntu", "22.04", 249, "5.15.0-130-generic"),
    "ubuntu24.04": _netplan("ubuntu", "24.04", 255, "6.8.0-51-generic"),
    "el5": _el_sysv(
        "Scientific Linux SL release 5.5 (Boron)\n",
        "5.5",
        "2.6.18-194.el5PAE",
        "initrd-2.6.18-194.el5PAE.img",
        "2.5",
        "sysvinit",
        ELF_I386,
    ),
    "el6": _el_sysv(
        "Scientific Linux release 6.10 (Carbon)\n",
        "6.10",
        "2.6.32-754.el6.x86_64",
        "initramfs-2.6.32-754.el6.x86_64.img",
        "2.12",
        "upstart",
        ELF_X86_64,
    ),
    "el7": _el("centos", "7", 219, "3.10.0-1160.el7.x86_64", "ifcfg", "/usr/bin/python2", "2.17"),
    "el8": _el(
        "almalinux", "8.10", 239, "4.18.0-553.el8_10.x86_64", "networkmanager", "/usr/libexec/platform-python", "2.28"
    ),
    "el9": _el("rocky", "9.5", 252, "5.14.0-503.el9_5.x86_64", "networkmanager", "/usr/bin/python3", None),
    "el10": _el("almalinux", "10.0", 257, "6.12.0-55.el10_0.x86_64", "networkmanager", "/usr/bin/python3", None),
    "sles11": _sles_11(),
    "sles12": _suse("sles", "12.5", 228, "4.12.14-122-default", "2.22"),
    "sles15": _suse("sles", "15.6", 254, "6.4.0-150600-default", "2.38"),
    "leap15": _suse("opensuse-leap", "15.6", 254, "6.4.0-150600-default", "2.38"),
    "leap16": _suse("opensuse-leap", "16.0", 257, "6.12.0-160000-default", "2.40", "networkmanager"),
    "alpine": _alpine(),
    "arch": _arch(),
}

__all__ = ["ELF_I386", "FAMILIES", "MAC", "MACHINE_ID", "Family", "Files"]
