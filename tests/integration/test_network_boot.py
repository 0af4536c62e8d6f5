"""Each network stack of Debian gets its address by DHCP, with the MAC as client identifier, on any interface.

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
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd
from ansible_collections.voc.cluster.plugins.module_utils._guest.edits import plan_edits
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume

from .machine import tool

pytestmark = [pytest.mark.root, pytest.mark.boot]

BOOT_SECONDS = 420
MAC = "52:54:00:00:2a:01"
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
    """Return the folder with a tree and an image of each suite."""
    folder = tmp_path_factory.mktemp("network")
    yield folder
    shutil.rmtree(folder)


def make_guest(trees: Path, suite: str) -> Path:
    """Return the image of a guest with all stacks of its suite; it is made once."""
    image = trees / f"{suite}.img"
    if image.exists():
        return image
    shown = tool("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Component: main")
    tree = trees / suite
    include = ",".join(PACKAGES[suite])
    tool("mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", suite, tree, shown.splitlines()[0])
    for name in ("vmlinuz", "initrd.img"):
        for path in (tree / "boot").glob(f"{name}-*"):
            shutil.copy(path, trees / name)
    tool("mke2fs", "-q", "-t", "ext4", "-d", tree, image, "1200M")
    shutil.rmtree(tree)
    return image


def contextualize(runner: Runner, base: Path, image: Path, network: dict[str, object]) -> list[dict[str, object]]:
    """Fit a copy of a guest to a network, and return what was done."""
    tool("cp", "--sparse=always", base, image)
    with ExtTree(runner, Volume(str(image), 0, image.stat().st_size)) as files:
        plan = Plan(files)
        unit = f"{systemd.ADMIN_FOLDER}/voc-report.service"
        plan.write(unit, REPORT.encode())
        systemd.enable(plan, "voc-report.service")
        for name in ("systemd-logind", "getty@tty1", "serial-getty@ttyS0"):
            systemd.mask(plan, f"{name}.service")  # only for the time that they take
        plan.write("/etc/machine-id", b"")
        plan_edits(plan, [{"network": {**DEFAULTS, **network}}])
        done = plan.summary()
        plan.apply()
        return done


def boot(trees: Path, image: Path, card: str, folder: Path) -> tuple[str, list[bytes]]:
    """Boot a guest until it ends; return what it reported and the packets that it sent and got."""
    log, packets = folder / "serial.log", folder / "packets"
    machine, _colon, device = card.partition(":")
    argv = [
        *("qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-cpu", "max,-cx16", "-m", "768"),
        *("-drive", f"file={image},format=raw,if=virtio,snapshot=on", "-display", "none", "-no-reboot"),
        *("-kernel", trees / "vmlinuz", "-initrd", trees / "initrd.img"),
        *("-append", "root=/dev/vda ro console=ttyS0 quiet", "-serial", f"file:{log}"),
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


DEFAULTS: dict[str, object] = {
    "method": "dhcp",
    "stack": "auto",
    "mac": None,
    "interface": None,
    "mtu": None,
    "addresses": [],
    "gateways": [],
    "dns": [],
    "search": [],
}


@pytest.mark.parametrize(
    ("suite", "stack", "card"),
    [
        ("trixie", "ifupdown", "pc:virtio-net-pci,addr=0x9"),
        ("trixie", "ifupdown", "q35:vmxnet3,addr=0x5"),
        ("bookworm", "ifupdown", "q35:virtio-net-pci,addr=0x7"),
        ("trixie", "networkmanager", "pc:virtio-net-pci,addr=0xb"),
        ("trixie", "networkd", "q35:virtio-net-pci,addr=0x4"),
        ("trixie", "netplan", "pc:vmxnet3,addr=0x6"),
    ],
)
def test_a_guest_gets_its_address_by_its_mac(
    runner: Runner, trees: Path, tmp_path: Path, suite: str, stack: str, card: str
) -> None:
    image = tmp_path / "guest.img"
    if suite != "trixie":
        make_guest(trees, "trixie")  # for its kernel
    contextualize(runner, make_guest(trees, suite), image, {"stack": stack})

    reported, packets = boot(trees, image, card, tmp_path)

    (name,) = re.findall(r"^(e\w+) .*10\.0\.2\.15/24", reported, re.MULTILINE)
    assert name != "eth0"
    messages = [options for options in map(dhcp_options, packets) if 53 in options]
    sent = [options for options in messages if options[53] in (b"\1", b"\3")]  # DISCOVER, REQUEST
    assert sent
    assert {options.get(61) for options in sent} == {b"\1" + bytes.fromhex(MAC.replace(":", ""))}
