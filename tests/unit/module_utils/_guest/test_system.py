from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES, Family
from ansible_collections.voc.cluster.tests.unit.memory_tree import ELF_X86_64, MemoryTree

DEBIAN = MemoryTree(
    {
        "/usr/lib/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13"\n',
        "/etc/os-release": ("->", "../usr/lib/os-release"),
        "/bin": ("->", "usr/bin"),
        "/usr/bin/sh": ELF_X86_64,
        "/usr/bin/apt-get": "",
        "/lib": ("->", "usr/lib"),
        "/usr/lib/systemd/systemd": "",
        "/usr/lib/systemd/systemd-networkd": "",
        "/sbin/ifup": "",
        "/etc/network/interfaces": "auto lo\n",
        "/usr/lib/modules/6.12.1/x": "",
        "/boot/vmlinuz-6.9.2": "",
        "/boot/vmlinuz-6.12.1": "",
        "/boot/initrd.img-6.12.1": "",
    }
)


def test_a_guest_is_described_by_its_files() -> None:
    guest = system.inspect(DEBIAN)
    assert (guest.id, guest.version, guest.name) == ("debian", "13", "Debian GNU/Linux 13")
    assert (guest.architecture, guest.package_manager, guest.init) == ("x86_64", "apt", "systemd")
    assert guest.network_stacks == ("ifupdown", "networkd")
    assert guest.kernels == (
        system.Kernel("6.12.1", "/boot/vmlinuz-6.12.1", "/boot/initrd.img-6.12.1", "/lib/modules/6.12.1"),
        system.Kernel("6.9.2", "/boot/vmlinuz-6.9.2", None, None),
    )
    assert guest.newest_kernel == guest.kernels[0]


def test_an_empty_tree_is_no_system() -> None:
    guest = system.inspect(MemoryTree())
    assert guest == system.Guest(None, None, None, None, None, None, ())
    assert guest.newest_kernel is None


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("/etc/redhat-release", "Scientific Linux SL release 5.5 (Boron)\n", ("rhel", "5.5")),
        ("/etc/centos-release", "CentOS release 6.10 (Final)\n", ("centos", "6.10")),
        ("/etc/SuSE-release", "SUSE Linux Enterprise Server 11\nVERSION = 11\nPATCHLEVEL = 4\n", ("suse", "11")),
        ("/etc/debian_version", "5.0.3\n", ("debian", "5.0.3")),
        ("/etc/alpine-release", "3.4.0\n", ("alpine", "3.4.0")),
        ("/etc/arch-release", "", ("arch", None)),
    ],
)
def test_releases_before_os_release_are_told(path: str, text: str, told: tuple[str, str | None]) -> None:
    guest = system.inspect(MemoryTree({path: text}))
    assert (guest.id, guest.version) == told
    assert guest.name == text.partition("\n")[0]


@given(st.text(max_size=300))
def test_any_older_release_is_read(text: str) -> None:
    guest = system.inspect(MemoryTree({"/etc/redhat-release": text}))
    assert guest.id == "rhel"
    assert (guest.name or "").isprintable()


@pytest.mark.parametrize(
    ("path", "loader"),
    [("/boot/grub2/grub.cfg", "grub2"), ("/boot/grub/menu.lst", "grub-legacy"), ("/boot/extlinux.conf", "extlinux")],
)
def test_boot_loaders_are_told_by_their_configuration(path: str, loader: str) -> None:
    assert system.inspect(MemoryTree({path: ""})).boot_loader == loader


def test_loops_of_links_lead_to_nothing() -> None:
    loops = (
        "/bin/sh",
        "/etc/os-release",
        "/etc/fstab",
        "/etc/redhat-release",
        "/boot/grub/grub.cfg",
        "/usr/bin/python3",
    )
    guest = system.inspect(MemoryTree({path: ("->", path) for path in loops}))
    assert (guest.id, guest.boot_loader, guest.python, guest.fstab) == (None, None, None, ())


def test_python_cloud_init_and_fstab_are_told() -> None:
    files = {
        "/usr/bin/python3": ("->", "python3.6"),
        "/usr/bin/python3.6": "",
        "/usr/bin/cloud-init": "",
        "/etc/fstab": "/dev/xvda1 / ext3 defaults 0 1\n",
    }
    guest = system.inspect(MemoryTree(files))
    assert (guest.python, guest.cloud_init) == ("/usr/bin/python3", True)
    assert [(entry.source, entry.path) for entry in guest.fstab] == [("/dev/xvda1", "/")]
    assert not system.inspect(MemoryTree({**files, "/etc/cloud/cloud-init.disabled": ""})).cloud_init


@pytest.mark.parametrize(
    ("path", "manager"),
    [("/usr/bin/dnf", "dnf"), ("/usr/bin/yum", "yum"), ("/usr/bin/zypper", "zypper"), ("/sbin/apk", "apk")],
)
def test_package_managers_are_told_by_their_programs(path: str, manager: str) -> None:
    assert system.inspect(MemoryTree({path: ""})).package_manager == manager


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ID=debian", "debian"),
        ('ID="a b"', "a b"),
        ("ID='it'", "it"),
        (r'ID="a \"b\" \$c"', r"a \"b\" \$c".replace(r"\"", '"')),
        ("ID=$(reboot)", "$(reboot)"),
        ("ID=", ""),
        ("ID=\x1b[2Jx", "\\x1b[2Jx"),
        ("ID=" + "x" * 300, "x" * 200),
    ],
)
def test_os_release_is_data(line: str, value: str) -> None:
    assert system.parse_os_release(f"# c\n{line}\n") == {"ID": value}


@pytest.mark.parametrize("line", ["ID", "=x", "id=x", 'ID="open', "I D=x", "export ID=x"])
def test_lines_that_are_no_assignment_are_passed_over(line: str) -> None:
    assert system.parse_os_release(line) == {}


@given(st.text())
def test_any_os_release_gives_short_printable_values(text: str) -> None:
    for key, value in system.parse_os_release(f"A={text}\n{text}").items():
        assert key.isascii()
        assert value.isprintable()
        assert len(value) <= 200


@given(st.just("x" * (8 << 20)))
def test_a_huge_os_release_holds_nobody_up(value: str) -> None:
    assert system.parse_os_release(f"ID={value}")["ID"] == "x" * 200


@pytest.mark.parametrize(
    ("machine", "order", "name"),
    [(62, "<", "x86_64"), (183, "<", "aarch64"), (3, "<", "i386"), (21, ">", "ppc64"), (9999, "<", None)],
)
def test_elf_files_tell_their_architecture(machine: int, order: str, name: str | None) -> None:
    head = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + bytes(12) + struct.pack(f"{order}H", machine)
    assert system.elf_machine(head) == name


@given(st.binary(max_size=64))
def test_any_file_has_an_architecture_or_none(head: bytes) -> None:
    assert system.elf_machine(head) is None
    system.elf_machine(b"\x7fELF" + head)


# Every family of guests.


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_guest_of_each_family_is_described(family: Family) -> None:
    guest = system.inspect(family.tree())
    assert (guest.id, guest.version, guest.architecture) == (family.id, family.version, family.architecture)
    assert (guest.package_manager, guest.init, guest.init_version) == (
        family.package_manager,
        family.init,
        family.init_version,
    )
    assert (guest.network, guest.network_stacks[0]) == (family.network, family.network)
    assert (guest.boot_loader, guest.python, guest.selinux, guest.glibc) == (
        family.boot_loader,
        family.python,
        family.selinux,
        family.glibc,
    )
    assert [entry.path for entry in guest.fstab] == ["/"]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_the_kernel_of_each_family_is_found(family: Family) -> None:
    complete = [kernel for kernel in system.inspect(family.tree()).kernels if kernel.modules]
    (kernel,) = complete
    assert (kernel.version, kernel.initramfs) == (family.kernel, family.initramfs)
    assert kernel.modules == f"/lib/modules/{family.kernel}"


@pytest.mark.parametrize(("name", "entries"), [("el7", False), ("el8", True), ("el10", True), ("arch", True)])
def test_boot_entries_are_told(name: str, entries: bool) -> None:
    assert system.inspect(FAMILIES[name].tree()).boot_entries is entries


# Several of one kind.


def test_the_init_is_the_one_that_init_is() -> None:
    files = {"/lib/systemd/systemd": "", "/sbin/init": "", "/sbin/openrc": ""}
    assert system.inspect(MemoryTree(files)).init == "openrc"
    assert system.inspect(MemoryTree({**files, "/sbin/init": ("->", "/lib/systemd/systemd")})).init == "systemd"
    assert system.inspect(MemoryTree({**files, "/sbin/init": ("->", "/sbin/init")})).init == "systemd"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", ""),
        ("/usr/lib/systemd/libsystemd-shared-252-32.el9.so", ""),
        ("/usr/lib/systemd/systemd", b"\x7fELF\0systemd 252\0"),
    ],
)
def test_the_version_of_systemd_is_told(path: str, content: bytes) -> None:
    files = {"/usr/lib/systemd/systemd": b"", path: content}
    assert system.inspect(MemoryTree(files)).init_version == 252


def test_a_python_without_a_common_name_is_told() -> None:
    files = {"/usr/bin/python3.9": "", "/usr/bin/python3.11": "", "/usr/bin/python3.11-config": ""}
    assert system.inspect(MemoryTree(files)).python == "/usr/bin/python3.11"
    assert system.inspect(MemoryTree({**files, "/usr/bin/python2": ""})).python == "/usr/bin/python3.11"


@pytest.mark.parametrize(
    ("text", "policy", "state"),
    [
        ("SELINUX=enforcing\nSELINUXTYPE=targeted\n", True, "enforcing"),
        ("# SELINUX=enforcing\n SELINUX = Disabled\n", False, "disabled"),
        ("SELINUX=permissive\n", False, None),
        ("SELINUX=perhaps\n", True, None),
        ("", True, None),
    ],
)
def test_the_state_of_selinux_is_told(text: str, policy: bool, state: str | None) -> None:
    files: dict[str, bytes | str | tuple[str, str] | None] = {"/etc/selinux/config": text}
    if policy:
        files["/etc/selinux/targeted/contexts/files/file_contexts"] = ""
    assert system.inspect(MemoryTree(files)).selinux == state
