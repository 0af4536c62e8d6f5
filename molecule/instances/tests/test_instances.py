"""Three instances of one release: each has the MAC of its place, and the address that was reserved for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

MACHINE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "machine"
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
NAMES = ["node001-vm0", "node001-vm1", "node002-vm0"]
BOOT_SECONDS = 600


def output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def virsh(*argv: str) -> str:
    return output("virsh", "-c", f"qemu+unix:///system?socket={MACHINE}/libvirt-sock", *argv)


@pytest.fixture(scope="session", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def inventory() -> dict[str, Any]:
    """Return the variables of each instance, as the inventory has them."""
    listing = output("ansible-inventory", "-i", str(SCENARIO / "inventory"), "--list")
    variables: dict[str, Any] = json.loads(listing)["_meta"]["hostvars"]
    return variables


def domain(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(virsh("dumpxml", name))


def test_the_domain_has_the_mac_that_the_lookup_says(name: str, inventory: dict[str, Any]) -> None:
    hypervisor, slot = inventory[name]["instance_hypervisor"], inventory[name]["instance_slot"]
    expression = f"{{{{ lookup('voc.cluster.hostname_mac', '{hypervisor}', slot={slot}) }}}}"
    said = output("ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "debug", "-a", f"msg={expression}")
    mac = domain(name).find("devices/interface/mac")
    assert mac is not None
    assert mac.get("address") in said
    assert mac.get("address") == inventory[name]["instance_mac"]


def test_the_domain_has_the_uuid_of_the_inventory(name: str, inventory: dict[str, Any]) -> None:
    assert domain(name).findtext("uuid") == inventory[name]["instance_uuid"]


def test_all_have_overlays_over_one_release(inventory: dict[str, Any]) -> None:
    bases = set()
    for name in NAMES:
        disk = domain(name).find("devices/disk/source")
        assert disk is not None
        overlay = str(disk.get("file"))
        info = json.loads(output("qemu-img", "info", "-U", "--output=json", overlay))
        bases.add(info["backing-filename"])
    assert len(bases) == 1


def served(mac: str, address: str) -> bool:
    """Say whether the DHCP server of its hypervisor gave an address to a MAC."""
    dnsmasq, kea = MACHINE / "dnsmasq.leases", MACHINE / "kea-leases4.csv"
    given = [line.split()[1:3] for line in dnsmasq.read_text().splitlines()] if dnsmasq.exists() else []
    # The columns are address, hwaddr and others.
    given += [line.split(",")[1::-1] for line in kea.read_text().splitlines()] if kea.exists() else []
    return [mac, address] in given


def test_the_instance_got_the_address_that_was_reserved(name: str, inventory: dict[str, Any]) -> None:
    mac, address = inventory[name]["instance_mac"], inventory[name]["instance_ip"]
    deadline = time.monotonic() + BOOT_SECONDS
    while not served(mac, address):
        console = (MACHINE / "instances" / f"{name}.log").read_text(errors="replace")[-2000:]
        assert time.monotonic() < deadline, f"{name} asked for no address; its console says:\n{console}"
        time.sleep(1)


def test_the_instance_answers_at_its_address(name: str, inventory: dict[str, Any]) -> None:
    address = inventory[name]["instance_ip"]
    deadline = time.monotonic() + BOOT_SECONDS
    probe = f"import socket; print(socket.create_connection(('{address}', 22), 5).recv(4))"
    while time.monotonic() < deadline:
        command = ["ip", "netns", "exec", "voc-instances", "python3", "-c", probe]
        if "SSH-" in subprocess.run(command, check=False, capture_output=True, text=True).stdout:
            return
        time.sleep(1)
    pytest.fail(f"{name} does not answer at {address}")
