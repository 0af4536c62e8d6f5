"""Debian's own programs take what is written for them, and each stack gets its address on any interface.

One guest has all stacks, and the one that is chosen must be the one that does
it. Addresses come from QEMU's own network; what the guest asked for is read
from the packets. The name of its interface comes from the machine, which the
image was never told: each has its network card in another place.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.edits import plan_edits
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import ifupdown, netplan, networkmanager
from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import Settings
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, options, wanted

from .machine import tool

pytestmark = pytest.mark.root

BOOT_SECONDS = 420
PACKAGES = {
    "trixie": (
        *("systemd-sysv", "udev", "iproute2", "dbus", "linux-image-cloud-amd64", "zstd"),
        *("ifupdown", "dhcpcd-base", "network-manager", "netplan.io"),
    ),
    "bookworm": ("systemd-sysv", "udev", "iproute2", "ifupdown", "isc-dhcp-client"),
}
# Says what the guest has once its network is up, and ends it.
REPORT = """\
[Unit]
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo REPORT; ip -color=never -brief -4 address; echo END'
ExecStartPost=/bin/systemctl --no-block --force poweroff
StandardOutput=file:/dev/ttyS0

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a tree and an image of each suite, and the kernel of one for both."""
    folder = tmp_path_factory.mktemp("network")
    shown = tool("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Component: main")
    for suite, packages in PACKAGES.items():
        include = f"--include={','.join(packages)}"
        tool("mmdebstrap", "--quiet", "--variant=minbase", include, suite, folder / suite, shown.splitlines()[0])
        tool("mke2fs", "-q", "-t", "ext4", "-d", folder / suite, folder / f"{suite}.img", "1200M")
    for name in ("vmlinuz", "initrd.img"):
        (found,) = (folder / "trixie/boot").glob(f"{name}-*")
        shutil.copy(found, folder / name)
    yield folder
    shutil.rmtree(folder)


def contextualize(runner: Runner, base: Path, image: Path, network: dict[str, object]) -> None:
    """Fit a copy of a guest to a network."""
    tool("cp", "--sparse=always", base, image)
    with ExtTree(runner, Volume(str(image), 0, image.stat().st_size)) as files:
        plan = Plan(files)
        unit = f"{systemd.ADMIN_FOLDER}/voc-report.service"
        plan.write(unit, REPORT.encode())
        systemd.enable(plan, "voc-report.service")
        for name in ("systemd-logind", "getty@tty1", "serial-getty@ttyS0"):
            systemd.mask(plan, f"{name}.service")  # only for the time that they take
        plan.write("/etc/machine-id", b"")
        plan_edits(plan, [{"network": options(**network)}])
        plan.apply()


def boot(trees: Path, image: Path, card: str, folder: Path) -> Outcome:
    """Boot a guest until it ends; return what it reported and the packets that it sent and got."""
    log, packets = folder / "serial.log", folder / "packets"
    machine, _colon, device = card.partition(":")
    argv = [
        *("qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-cpu", "max,-cx16", "-m", "768"),
        *("-drive", f"file={image},format=raw,if=virtio,snapshot=on", "-display", "none", "-no-reboot"),
        *("-kernel", trees / "vmlinuz", "-initrd", trees / "initrd.img"),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet", "-serial", f"file:{log}"),
        *("-netdev", "user,id=net", "-device", f"{device},netdev=net,mac={MAC}"),
        *("-object", f"filter-dump,id=dump,netdev=net,file={packets}"),
    ]
    with subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL) as process:
        try:
            process.wait(BOOT_SECONDS)
        finally:
            process.kill()
    said = log.read_bytes().decode(errors="replace")
    assert "REPORT" in said, said[-3000:]
    return said.partition("REPORT")[2].partition("END")[0], list(captured(packets.read_bytes()))


def captured(dump: bytes) -> Iterator[bytes]:
    """Yield the packets of a file in the format of libpcap."""
    offset = 24
    while offset < len(dump):
        (length,) = struct.unpack_from("<I", dump, offset + 8)
        yield dump[offset + 16 : offset + 16 + length]
        offset += 16 + length


def dhcp_options(packet: bytes) -> dict[int, bytes]:
    """Return the options of a DHCP packet (RFC 2131, 2132); none of another one."""
    _before, cookie, rest = packet.partition(b"\x63\x82\x53\x63")
    options = {}
    while cookie and rest and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        options[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return options


# The suite, its stack, and the machine and network card that its image meets.
BOOTS = (
    ("trixie", "ifupdown", "pc:virtio-net-pci,addr=0x9"),
    ("trixie", "ifupdown", "q35:vmxnet3,addr=0x5"),
    ("bookworm", "ifupdown", "q35:virtio-net-pci,addr=0x7"),
    ("trixie", "networkmanager", "pc:virtio-net-pci,addr=0xb"),
    ("trixie", "networkd", "q35:virtio-net-pci,addr=0x4"),
    ("trixie", "netplan", "pc:vmxnet3,addr=0x6"),
)
Boot = tuple[str, str, str]
Outcome = tuple[str, list[bytes]]


@pytest.fixture(scope="module")
def outcomes(runner: Runner, trees: Path) -> Iterator[dict[Boot, Future[Outcome]]]:
    """Boot two guests at a time: each has one processor, and waits half of its time."""

    def start(number: int, suite: str, stack: str, card: str) -> Outcome:
        folder = trees / str(number)
        folder.mkdir()
        image = folder / "guest.img"
        contextualize(runner, trees / f"{suite}.img", image, {"stack": stack})
        outcome = boot(trees, image, card, folder)
        image.unlink()
        return outcome

    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {each: pool.submit(start, number, *each) for number, each in enumerate(BOOTS)}


@pytest.mark.boot
@pytest.mark.parametrize("each", BOOTS, ids=[" ".join(each) for each in BOOTS])
def test_a_guest_gets_its_address_by_its_mac(outcomes: dict[Boot, Future[Outcome]], each: Boot) -> None:
    reported, packets = outcomes[each].result()
    (name,) = re.findall(r"^(e\w+) .*10\.0\.2\.15/24", reported, re.MULTILINE)
    assert name != "eth0"
    messages = [options for options in map(dhcp_options, packets) if 53 in options]
    sent = [options for options in messages if options[53] in (b"\1", b"\3")]  # DISCOVER, REQUEST
    assert sent
    assert {options.get(61) for options in sent} == {b"\1" + bytes.fromhex(MAC.replace(":", ""))}


# Read by the programs themselves.

WANTED = pytest.mark.parametrize(
    "settings",
    [wanted(), wanted(dns=["192.0.2.2"], search=["example"], mtu=1400), wanted(mac=MAC), wanted(**STATIC)],
    ids=["dhcp", "dhcp and name servers", "one interface", "static"],
)


@pytest.fixture
def read_by(runner: Runner, trees: Path) -> Iterator[Callable[..., str]]:
    """Return a function that writes a file into the tree and runs one of its programs."""
    with sandbox(runner, str(trees / "trixie"), network=False) as box:

        def read(path: str, text: str, command: str) -> str:
            file = trees / "trixie" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o600)
            return box.run(["sh", "-c", command]).text

        yield read


@WANTED
def test_netplan_takes_it(read_by: Callable[..., str], settings: Settings) -> None:
    generated = read_by(
        "/srv/netplan/etc/netplan/90-voc-cluster.yaml",
        netplan.text(settings),
        "netplan generate --root-dir /srv/netplan && cat /srv/netplan/run/systemd/network/*.network",
    )
    assert ("ClientIdentifier=mac" in generated) == settings.dhcp
    assert ("UseDNS=false" in generated) == bool(settings.dhcp and settings.dns)
    for address in (*settings.addresses, *settings.gateways, *settings.dns):
        assert f"={address}\n" in generated


@WANTED
def test_networkmanager_takes_it(read_by: Callable[..., str], settings: Settings) -> None:
    """It writes out what it has understood; what it had not is gone then."""
    text = networkmanager.text(settings)
    understood = read_by(
        "/srv/profile", text, "nmcli --offline connection modify connection.id voc-cluster < /srv/profile"
    )
    wanted_lines = {line for line in text.splitlines() if line and not line.startswith("#")}
    assert wanted_lines <= set(understood.splitlines())


@pytest.mark.parametrize(
    ("settings", "interface"), [(wanted(**STATIC), "first"), (wanted(**STATIC, mac=MAC), "ens3")], ids=["first", "mac"]
)
def test_ifupdown_takes_it(trees: Path, settings: Settings, interface: str) -> None:
    """It says what it would do, in a network namespace with two interfaces."""
    root = trees / "trixie"
    (root / "srv/interfaces").write_text(ifupdown.with_patterns(settings))
    (root / "run/network").mkdir(exist_ok=True)
    script = (
        f"mount -t sysfs none {root}/sys && ip link add ens3 address {MAC} type veth peer name ens4 &&"
        f" chroot {root} ifup -n -v -i /srv/interfaces -a 2>&1"
    )
    said = tool("unshare", "--net", "--mount", "sh", "-c", script)
    (chosen,) = set(re.findall(r"configuring interface (\w+)=voc", said))
    assert interface in (chosen, "first")
    assert f"ip addr add 192.0.2.6/255.255.255.0 broadcast 192.0.2.255 \t  dev {chosen}" in said
    assert f"ip -6 addr add 2001:db8::5/64  dev {chosen}" in said
    assert f"via 192.0.2.1  dev {chosen}" in said
