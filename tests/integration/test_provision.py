"""Provisioning that is killed: running it again always ends in the same instances, and nothing else.

The disks are blank, for it is not the guests that are looked at; the scenario `instances` boots them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._lease_store import open_store
from ansible_collections.voc.cluster.plugins.module_utils._leases import Lease

from .machine import PR_SET_CHILD_SUBREAPER, descendants, tool
from .playbooks import PROGRAMS, ROOT, Play, environment

KILLS = 20
UEFI_SECONDS = 120
NAMES = {"node001-vm0", "node001-vm1", "node002-vm0"}
HOSTS = """\
[hypervisors]
node001 voc_slots=2
node002

[hypervisors:vars]
ansible_connection=local
ansible_python_interpreter=/usr/bin/python3
"""
VARIABLES = """\
voc_name: star
voc_network: 10.16.0.0/24
voc_max_slots: 2
hypervisor_packages_wanted: false
hypervisor_service_wanted: false
site_instances:
  uri: qemu+unix:///system?socket={machine}/libvirt-sock
  folder: {machine}/instances
  release: {release}
  bridge: br0
  memory: 64M
  timeout: 0
"""

# Two runs on one machine must not meet.
NAMESPACE = f"voc-provision-{os.getpid()}"

pytestmark = pytest.mark.root


LEASES = """\
voc_addressing: leased
site_leases:
  host: localhost
  database: {database}
  pools:
    - {{name: mac, type: mac, first: "02:42:4e:4c:00:00", last: "02:42:4e:4c:00:ff"}}
    - {{name: ip, network: 10.16.0.0/24}}
"""


NETWORK = """\
<network>
  <name>voc0</name>
  <forward mode='open'/>
  <bridge name='vocbr0'/>
  <ip address='10.17.0.1' prefix='24'>
    <dhcp><host mac='52:54:00:00:00:01' ip='10.17.0.9'/></dhcp>
  </ip>
</network>
"""
RESERVE = """\
- name: Reserve addresses
  hosts: node001
  gather_facts: false
  roles: [{role: voc.cluster.dhcp, dhcp_server: libvirt, dhcp_network: 10.17.0.0/24, dhcp_libvirt_network: voc0}]
"""


DNSMASQ = """\
- name: Reserve addresses
  hosts: node001
  gather_facts: false
  roles:
    - role: voc.cluster.dhcp
      dhcp_file: {file}
      dhcp_network: 10.16.0.0/24
      dhcp_packages_wanted: false
      dhcp_service: ""
"""


class Site:
    """Two hypervisors, which are this machine, and their inventory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = folder / "machine"
        self.inventory = folder / "site"
        release = folder / "disk.qcow2"
        tool("qemu-img", "create", "-q", "-f", "qcow2", release, "64M")
        (self.inventory / "group_vars").mkdir(parents=True)
        (self.inventory / "hosts").write_text(HOSTS)
        (self.inventory / "instances.yml").write_text("plugin: voc.cluster.instances\n")
        variables = VARIABLES.format(machine=self.machine, release=release)
        (self.inventory / "group_vars" / "all.yml").write_text(variables)

    def start(self, playbook: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a playbook, in a process group of its own."""
        path = ROOT / "playbooks" / f"{playbook}.yml"
        return subprocess.Popen(
            [PROGRAMS / "ansible-playbook", "-i", self.inventory, path, *arguments],
            cwd=ROOT,
            env={
                **environment(),
                # What Ansible leaves when it is killed goes with the test's folder.
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
                "ANSIBLE_REMOTE_TMP": str(self.folder / "remote"),
                "TMPDIR": str(self.folder),
                # The clone's own settings would end a run that installed collections go on with.
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, playbook: str, *arguments: str) -> Play:
        """Run a playbook to its end."""
        running = self.start(playbook, *arguments)
        output = running.communicate(timeout=600)[0]
        return Play(running.returncode, output)

    def play(self, playbook: str, *arguments: str) -> Play:
        """Run a playbook to its end, which must be a good one."""
        done = self.run(playbook, *arguments)
        assert done.status == 0, done.output
        return done

    def virsh(self, *words: str | Path) -> str:
        return tool("virsh", "-q", "-c", f"qemu+unix:///system?socket={self.machine}/libvirt-sock", *words)

    def domains(self) -> dict[str, str]:
        """Return the MAC of each domain, by name."""
        names = self.virsh("list", "--name").split()
        macs = (ElementTree.fromstring(self.virsh("dumpxml", name)).find("devices/interface/mac") for name in names)
        return {name: str(mac.get("address")) for name, mac in zip(names, macs) if mac is not None}

    def reserved(self, *options: str) -> dict[str, tuple[str, str]]:
        """Return the MAC and the address that the libvirt network has for each name."""
        hosts = ElementTree.fromstring(self.virsh("net-dumpxml", "voc0", *options)).findall("ip/dhcp/host")
        return {host.get("name", ""): (host.get("mac", ""), host.get("ip", "")) for host in hosts}

    def say(self, *lines: str) -> None:
        """Add variables to the inventory."""
        with (self.inventory / "group_vars" / "all.yml").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    @property
    def database(self) -> str:
        return str(self.folder / "leases.db")

    def lease(self, holder: str, address: str) -> None:
        with open_store(self.database, writable=True) as store:
            store.write([Lease("ip", int(IPv4Address(address)), address, holder, 0)])

    def leased(self, pool: str) -> dict[str, str]:
        """Return who holds which address of a pool."""
        with open_store(self.database, writable=False) as store:
            return {lease.holder: lease.address for lease in store.leases(pool) if lease.ended is None}

    def disks(self) -> set[str]:
        return {path.name for path in (self.machine / "instances").iterdir() if path.suffix != ".log"}


@pytest.fixture
def orphans_end() -> Iterator[None]:
    """Leave orphans to the machine's first process: nobody here would reap them, and libvirt waits for its QEMUs."""
    library = ctypes.CDLL(None)
    assert library.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
    yield
    assert library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orphans_end: None) -> Iterator[Site]:
    monkeypatch.setenv("NAMESPACE", NAMESPACE)
    site = Site(tmp_path)
    script = ROOT / "molecule" / "instances" / "machine"
    tool(script, "start", site.machine)
    try:
        yield site
    finally:
        tool(script, "stop", site.machine)


def kill(running: subprocess.Popen[str], *, modules: bool) -> None:
    """Kill ansible-playbook and its workers, which would wait for it for ever; modules may outlive it."""
    below = descendants(running.pid)
    running.kill()
    for number, name in below.items():
        if modules or name == "ansible-playboo":
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    running.communicate()


def test_provisioning_that_is_killed_converges(site: Site) -> None:
    random.seed(6)
    for turn in range(KILLS):
        running = site.start("provision")
        time.sleep(random.uniform(0.5, 8))
        kill(running, modules=turn % 2 == 0)
    site.play("provision")
    domains = site.domains()
    assert domains.keys() == NAMES
    assert len(set(domains.values())) == len(NAMES)
    assert site.disks() == {f"{name}.qcow2" for name in NAMES}
    again = site.play("provision")
    assert again.changed == 0, again.output
    assert "belongs to no instance;" not in again.output
    site.play("retire")
    assert site.domains() == {}
    assert site.disks() == set()


def test_what_belongs_to_no_instance_is_named_and_removed_when_told(site: Site) -> None:
    site.play("provision")
    (site.inventory / "hosts").write_text(HOSTS.replace("voc_slots=2", "voc_slots=1"))
    said = site.play("provision").output
    assert "node001-vm1 belongs to no instance" in said
    assert "node001-vm1" in site.domains()
    site.say("voc_remove_orphans: true")
    site.play("provision")
    assert site.domains().keys() == NAMES - {"node001-vm1"}
    assert site.disks() == {"node001-vm0.qcow2", "node002-vm0.qcow2"}
    site.play("retire")


def test_nothing_is_an_orphan_where_the_inventory_was_not_read(site: Site) -> None:
    site.play("provision")
    (site.inventory / "host_vars").mkdir()
    (site.inventory / "host_vars" / "node002.yml").write_text("voc_slots: two\n")
    done = site.run("orphans", "-e", '{"voc_remove_orphans": true}')
    assert done.status != 0
    assert "the inventory does not tell the instances of node001" in " ".join(done.output.split())
    assert site.domains().keys() == NAMES
    assert site.disks() == {f"{name}.qcow2" for name in NAMES}
    (site.inventory / "host_vars" / "node002.yml").write_text("voc_slots: 0\n")
    # What is given so is text, not a boolean.
    site.play("orphans", "-e", "voc_remove_orphans=true")
    assert site.domains().keys() == NAMES - {"node002-vm0"}
    site.play("retire")


def test_leases_of_what_is_no_instance_are_named_and_released_when_told(site: Site) -> None:
    site.say(LEASES.format(database=site.database))
    site.lease("gone", "10.16.0.9")
    site.play("provision")
    assert site.domains() == site.leased("mac")
    (site.inventory / "hosts").write_text(HOSTS.replace("voc_slots=2", "voc_slots=1"))
    said = site.play("provision").output
    assert "gone has leases and is no instance" in said
    # It runs, so its addresses are its own.
    assert "node001-vm1 has leases" not in said
    assert site.leased("ip").keys() == {*NAMES, "gone"}
    site.say("voc_remove_orphans: true")
    site.play("provision")
    assert site.leased("ip").keys() == site.leased("mac").keys() == site.domains().keys() == NAMES - {"node001-vm1"}
    again = site.play("provision")
    assert again.changed == 0, again.output
    site.play("retire")
    assert site.leased("ip") == site.leased("mac") == {}


def test_no_lease_is_released_while_a_hypervisor_is_away(site: Site) -> None:
    site.say(LEASES.format(database=site.database), "voc_remove_orphans: true")
    site.lease("gone", "10.16.0.9")
    away = "node003 voc_slots=0 ansible_connection=ssh ansible_ssh_common_args='-oProxyCommand=false'"
    (site.inventory / "hosts").write_text(HOSTS.replace("node002\n", f"node002\n{away}\n"))
    said = site.run("orphans").output
    assert "unreachable=1" in said, said
    assert site.leased("ip").keys() == {"gone"}


@pytest.fixture
def client(site: Site) -> Iterator[str]:
    """Return the network namespace of a DHCP client that is connected to a libvirt network."""
    (site.folder / "voc0.xml").write_text(NETWORK)
    site.virsh("net-define", site.folder / "voc0.xml")
    site.virsh("net-start", "voc0")
    name = f"{NAMESPACE}-client"
    tool("ip", "netns", "add", name)
    try:
        words = ("link", "add", "port", "type", "veth", "peer", "name", "client", "netns", name)
        tool("ip", "-netns", NAMESPACE, *words)
        tool("ip", "-netns", NAMESPACE, "link", "set", "port", "master", "vocbr0", "up")
        yield name
    finally:
        tool("ip", "netns", "delete", name)


def ask_for_an_address(client: str, mac: str, folder: Path) -> str:
    """Let a DHCP client with a MAC ask, and return the address it is given."""
    tool("ip", "-netns", client, "link", "set", "client", "address", mac, "up")
    leases = folder / f"{mac}.leases"
    options = ("-1", "-sf", "/bin/true", "-cf", "/dev/null", "-lf", leases, "-pf", folder / "dhclient.pid")
    inside = ("ip", "netns", "exec", client, "timeout", "60", "dhclient")
    try:
        tool(*inside, *options, "client")
        (address,) = re.findall(r"fixed-address (\S+);", leases.read_text())
    finally:
        tool(*inside, *options, "-x", "client")
    return str(address)


def test_a_libvirt_network_gives_instances_their_addresses(site: Site, client: str) -> None:
    variables = site.inventory / "group_vars" / "all.yml"
    variables.write_text(variables.read_text().replace("10.16.0.0/24", "10.17.0.64/26"))
    playbook = site.folder / "reserve.yml"
    playbook.write_text(RESERVE)
    site.play(str(playbook.with_suffix("")))
    # The lookup says the MAC, the network's next addresses follow the host's number and the slot.
    wanted = {
        "node001-vm0": ("02:56:4f:00:00:10", "10.17.0.66"),
        "node001-vm1": ("02:56:4f:00:00:11", "10.17.0.67"),
    }
    assert site.reserved() == site.reserved("--inactive") == wanted
    assert site.play(str(playbook.with_suffix(""))).changed == 0
    assert ask_for_an_address(client, "02:56:4f:00:00:11", site.folder) == "10.17.0.67"
    variables.write_text(variables.read_text().replace("10.17.0.64/26", "10.17.0.128/26"))
    (site.inventory / "hosts").write_text(HOSTS.replace("voc_slots=2", "voc_slots=1"))
    site.play(str(playbook.with_suffix("")))
    assert site.reserved() == site.reserved("--inactive") == {"node001-vm0": ("02:56:4f:00:00:10", "10.17.0.130")}
    assert ask_for_an_address(client, "02:56:4f:00:00:10", site.folder) == "10.17.0.130"


def test_instances_for_xen_are_written_and_not_started(site: Site) -> None:
    site.say("voc_instances: {xen: libvirt, direct_boot: {kernel: /k, initramfs: /i, command_line: root=/dev/xvda1}}")
    site.play("provision")
    assert site.disks() == {f"{name}.{ending}" for name in NAMES for ending in ("qcow2", "xml")}
    for name, mac in (("node001-vm1", "02:56:4f:00:00:11"), ("node002-vm0", "02:56:4f:00:00:20")):
        tool("virt-xml-validate", site.machine / "instances" / f"{name}.xml", "domain")
        domain = ElementTree.parse(site.machine / "instances" / f"{name}.xml")
        address = domain.find("devices/interface/mac")
        assert address is not None
        assert (domain.findtext("name"), address.get("address")) == (name, mac)
    again = site.play("provision")
    assert again.changed == 0, again.output
    assert site.domains() == {}


def make_uefi_release(path: Path, folder: Path) -> None:
    """Make a disk with nothing on it but a boot loader for UEFI, which says that it runs."""
    program, settings, partition = (folder / name for name in ("BOOTX64.EFI", "grub.cfg", "esp"))
    settings.write_text('echo "the boot loader for UEFI runs"\n')
    tool("grub-mkimage", "-O", "x86_64-efi", "-p", "/boot", "-c", settings, "-o", program, "echo")
    tool("mkfs.vfat", "-C", partition, "8192")
    tool("mmd", "-i", partition, "::EFI", "::EFI/BOOT")
    tool("mcopy", "-i", partition, program, "::EFI/BOOT/")
    (folder / "table").write_text("label: gpt\nstart=2048, size=16384, type=uefi\n")
    raw = folder / "disk.raw"
    raw.write_bytes(bytes(1 << 20) + partition.read_bytes() + bytes(1 << 20))
    tool("sh", "-c", f"sfdisk -q {raw} <{folder / 'table'}")
    tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path)


def test_an_instance_is_started_by_uefi(site: Site) -> None:
    release = site.folder / "uefi.qcow2"
    make_uefi_release(release, site.folder)
    (site.inventory / "hosts").write_text(HOSTS.replace("voc_slots=2\nnode002", "voc_slots=1"))
    site.say(f"voc_instances: {{firmware: uefi, memory: 256M, release: {release}}}")
    site.play("provision")
    log = site.machine / "instances" / "node001-vm0.log"
    end = time.monotonic() + UEFI_SECONDS
    while b"the boot loader for UEFI runs" not in log.read_bytes():
        assert time.monotonic() < end, log.read_bytes()[-2000:]
        time.sleep(0.2)
    assert site.disks() == {"node001-vm0.qcow2", "node001-vm0.nvram"}
    site.play("retire")
    assert site.disks() == set()


def test_one_that_cannot_start_does_not_hold_up_the_others(site: Site) -> None:
    (site.inventory / "hosts").write_text(HOSTS + "\n[instances]\nnode001-vm0 voc_instances=\"{'bridge': 'br9'}\"\n")
    done = site.run("provision")
    said = done.output
    assert done.status != 0
    assert "libvirt could not start the instance" in said
    assert site.domains().keys() == NAMES - {"node001-vm0"}
    assert site.disks() == {"node001-vm1.qcow2", "node002-vm0.qcow2"}
    site.play("retire")


def test_a_batch_in_which_all_fail_does_not_end_the_run(site: Site) -> None:
    # What cannot be reached comes first.
    away = "node003 ansible_connection=ssh ansible_ssh_common_args='-oProxyCommand=false'"
    broken = "[instances]\nnode001-vm0 voc_instances=\"{'bridge': 'br9'}\"\n"
    (site.inventory / "hosts").write_text(HOSTS.replace("[hypervisors]\n", f"[hypervisors]\n{away}\n", 1) + broken)
    done = site.run("provision", "-e", "voc_batch=1")
    assert done.status != 0
    said = " ".join(done.output.split())
    assert "node003-vm0 failed: node003 cannot be reached" in said
    assert "node001-vm0 failed: libvirt could not start the instance" in said
    assert site.domains().keys() == NAMES - {"node001-vm0"}
    assert site.run("retire", "-e", "voc_batch=1").status != 0
    assert site.domains() == {}


def test_leased_addresses_are_reserved_whoever_leased_them(site: Site) -> None:
    # Only hypervisors know how their instances are addressed, and for whom they work.
    variables = site.inventory / "group_vars" / "all.yml"
    variables.write_text(variables.read_text().replace("voc_name: star\n", ""))
    site.say(*LEASES.format(database=site.database).replace("voc_addressing: leased\n", "").splitlines())
    (site.inventory / "group_vars" / "hypervisors.yml").write_text("voc_addressing: leased\nvoc_name: star\n")
    playbook = site.folder / "dnsmasq.yml"
    configuration = site.folder / "dnsmasq.conf"
    playbook.write_text(DNSMASQ.format(file=configuration))
    reserve = str(playbook.with_suffix(""))
    site.play("lease", "--limit", "node002-vm0,localhost")
    site.play(reserve)
    assert configuration.read_text().count("dhcp-host=") == 1
    site.play("lease")
    site.play(reserve)
    macs, addresses = site.leased("mac"), site.leased("ip")
    assert macs.keys() == NAMES
    lines = {f"dhcp-host={macs[name]},id:*,{addresses[name]},{name}" for name in NAMES}
    assert {line for line in configuration.read_text().splitlines() if line.startswith("dhcp-host")} == lines
    site.play("provision")
    assert site.domains() == macs
    assert 'voc="star"' in site.virsh("dumpxml", "node001-vm0")
    assert site.play(reserve).changed == 0
    # One that could not be stopped keeps its addresses.
    with (site.inventory / "hosts").open("a") as file:
        file.write("\n[instances]\nnode002-vm0 voc_instances=\"{'uri': 'qemu+unix:///system?socket=/none'}\"\n")
    assert site.run("retire").status != 0
    assert site.leased("ip").keys() == site.domains().keys() == {"node002-vm0"}


def test_one_that_is_paused_is_named_and_left_alone(site: Site) -> None:
    site.say("instance_replace: true", "voc_instances: {memory: 64M}")
    site.play("provision")
    site.virsh("suspend", "node001-vm0")
    overlay = site.machine / "instances" / "node001-vm0.qcow2"
    before = overlay.stat().st_ino
    done = site.play("provision")
    assert done.changed == 0
    assert "node001-vm0 is paused and was left alone" in " ".join(done.output.split())
    site.say("voc_instances: {memory: 65M}")
    assert site.play("provision").changed == len(NAMES) - 1
    assert site.virsh("domstate", "node001-vm0").strip() == "paused"
    assert overlay.stat().st_ino == before
    site.play("retire")


def test_an_instance_goes_on_where_its_replacement_could_not_start(site: Site) -> None:
    site.play("provision")
    before = {name: site.virsh("domid", name) for name in NAMES}
    site.say("instance_replace: true", "voc_instances: {release: /none/disk.qcow2}")
    for options in ((), ("--check",)):
        done = site.run("provision", *options)
        assert done.status != 0
        assert "/none/disk.qcow2: there is no such release" in done.output
    assert {name: site.virsh("domid", name) for name in NAMES} == before
    assert site.disks() == {f"{name}.qcow2" for name in NAMES}
    site.play("retire")


def test_a_new_release_is_named_and_rolled_out_when_told(site: Site) -> None:
    site.play("provision")
    before = site.domains()
    path = site.inventory / "group_vars" / "all.yml"
    path.write_text(path.read_text().replace("memory: 64M", "memory: 65M"))
    assert "node001-vm0 runs another release, or with other settings" in site.play("provision").output
    path.write_text(path.read_text() + "instance_replace: true\n")
    done = site.play("provision", "-e", "voc_batch=1")
    assert done.changed == done.output.count("PLAY [Start instances]") == len(NAMES)
    assert site.domains() == before
    assert site.play("provision").changed == 0
    site.play("retire")
