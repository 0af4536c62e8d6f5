from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import rivals
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

ADMIN = "/etc/systemd/system"
UNITS = "/usr/lib/systemd/system"


def switched_off(guest: MemoryTree, chosen: str) -> MemoryTree:
    plan = Plan(guest)
    rivals.switch_off(plan, system.inspect(guest), chosen)
    plan.apply()
    return guest


def test_cloud_inits_files_and_its_hand_are_taken_away() -> None:
    guest = switched_off(FAMILIES["ubuntu22.04"].tree(), "networkd")
    assert guest.lstat("/etc/netplan/50-cloud-init.yaml") is None
    assert guest.text(rivals.CLOUD_INIT_PATH).endswith("network: {config: disabled}\n")


def test_netplans_own_servant_is_no_rival() -> None:
    guest = switched_off(FAMILIES["ubuntu22.04"].tree(), "netplan")
    assert guest.lstat(f"{ADMIN}/systemd-networkd.service") is None


def test_ifupdown_keeps_nothing_but_the_loopback() -> None:
    guest = FAMILIES["debian13"].tree()
    guest.add("/etc/network/interfaces.d/setup", "auto ens3\niface ens3 inet dhcp\n")
    switched_off(guest, "networkd")
    assert guest.text("/etc/network/interfaces").endswith("auto lo\niface lo inet loopback\n")
    assert guest.listdir("/etc/network/interfaces.d") == []
    assert guest.readlink(f"{ADMIN}/networking.service") == "/dev/null"


def test_an_older_guest_keeps_the_service_that_brings_up_its_loopback() -> None:
    guest = FAMILIES["debian7"].tree()
    switched_off(guest, "networkmanager")
    assert guest.lstat("/etc/rcS.d/S12networking")
    assert "eth0" not in guest.text("/etc/network/interfaces")


def test_single_daemons_and_profiles_are_switched_off() -> None:
    guest = FAMILIES["arch"].tree()
    wants = f"{ADMIN}/multi-user.target.wants"
    guest.add(f"{UNITS}/dhcpcd.service", "[Install]\nWantedBy=multi-user.target\n")
    guest.add(f"{wants}/dhcpcd.service", ("->", f"{UNITS}/dhcpcd.service"))
    guest.add(f"{wants}/netctl@wired.service", ("->", f"{UNITS}/netctl@.service"))
    switched_off(guest, "networkd")
    assert guest.readlink(f"{ADMIN}/dhcpcd.service") == "/dev/null"
    assert guest.lstat(f"{wants}/netctl@wired.service") is None


def test_the_socket_of_networkd_would_start_it() -> None:
    guest = FAMILIES["debian13"].tree()
    guest.add(f"{UNITS}/systemd-networkd.socket", "[Install]\nWantedBy=sockets.target\n")
    switched_off(guest, "ifupdown")
    for unit in ("systemd-networkd.service", "systemd-networkd.socket"):
        assert guest.readlink(f"{ADMIN}/{unit}") == "/dev/null"
