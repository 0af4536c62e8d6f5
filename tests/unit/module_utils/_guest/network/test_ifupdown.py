"""Patterns and mapping were tried with the real programs, see tests/integration; old ones and Alpine's were not."""

from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.network import ifupdown, names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.families import FAMILIES
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import MAC, STATIC, wanted

STANZAS = """
iface voc inet static
\taddress 192.0.2.5
\tnetmask 255.255.255.0
\tgateway 192.0.2.1
\tpre-up ip link set dev $IFACE mtu 9000
\tdns-nameservers 192.0.2.2 2001:db8::2
\tdns-search cluster.example example

iface voc inet static
\taddress 192.0.2.6
\tnetmask 255.255.255.0

iface voc inet6 static
\taddress 2001:db8::5
\tnetmask 64
\tgateway fe80::1
"""


def written(name: str, **given: object) -> MemoryTree:
    guest = FAMILIES[name].tree()
    plan = Plan(guest)
    ifupdown.write(plan, wanted(**given), system.inspect(guest))
    plan.apply()
    return guest


@pytest.mark.parametrize("name", ["debian9", "debian10", "debian11", "debian12", "debian13"])
def test_all_names_lead_to_one_stanza(name: str) -> None:
    guest = written(name)
    assert guest.text("/etc/network/interfaces") == (
        ifupdown.LOOPBACK
        + "\nauto /e*\nallow-hotplug /e*\nmapping e*\n\tscript /etc/network/voc-cluster-mapping\n"
        + "\niface voc inet dhcp\n"
    )
    mapping, attributes = guest.text(ifupdown.MAPPING_PATH), guest.lstat(ifupdown.MAPPING_PATH)
    assert mapping.startswith("#!/bin/sh\n")
    assert mapping.endswith("\necho voc\n")
    assert attributes
    assert attributes.attributes.mode == 0o755
    assert "After=systemd-udev-settle.service" in guest.text(ifupdown.SETTLE_PATH)
    assert not names.are_kernels_own(guest)


@pytest.mark.parametrize("name", ["debian7", "debian8", "ubuntu14.04", "ubuntu16.04"])
def test_an_ifupdown_without_patterns_gets_the_kernels_names(name: str) -> None:
    guest = written(name)
    assert guest.text("/etc/network/interfaces") == (
        ifupdown.LOOPBACK
        + "\nauto eth0\nallow-hotplug eth1 eth2 eth3\n"
        + "".join(f"\niface eth{number} inet dhcp\n" for number in range(4))
    )
    renames = tree.exists(guest, "/lib/udev/rules.d/80-net-setup-link.rules")
    assert names.are_kernels_own(guest) == renames


def test_busybox_gets_words_that_it_knows() -> None:
    assert written("alpine").text("/etc/network/interfaces") == (
        ifupdown.LOOPBACK + "\nauto eth0\n\niface eth0 inet dhcp\n"
    )
    with pytest.raises(GuestError, match="no udev that could name an interface"):
        written("alpine", mac=MAC)


def test_files_beside_it_are_removed() -> None:
    guest = FAMILIES["debian13"].tree()
    guest.add("/etc/network/interfaces.d/50-cloud-init", "auto ens3\niface ens3 inet dhcp\n")
    ifupdown.write(plan := Plan(guest), wanted(), system.inspect(guest))
    plan.apply()
    assert guest.lstat("/etc/network/interfaces.d/50-cloud-init") is None


def test_a_static_network_on_the_first_interface_there_is() -> None:
    guest = written("debian13", **STATIC)
    assert guest.text("/etc/network/interfaces") == f"{ifupdown.LOOPBACK}\nauto /e*/1=voc\n{STANZAS}"
    assert guest.text("/etc/resolv.conf").endswith(
        "search cluster.example example\nnameserver 192.0.2.2\nnameserver 2001:db8::2\n"
    )
    older = written("debian8", **STATIC).text("/etc/network/interfaces")
    assert older == f"{ifupdown.LOOPBACK}\nauto eth0\n{STANZAS.replace('voc', 'eth0')}"


def test_one_interface_can_be_meant() -> None:
    assert f"\nauto mac/{MAC}=voc\n" in written("debian12", mac=MAC).text("/etc/network/interfaces")
    assert "\nauto ens3=voc\n" in written("debian12", interface="ens3").text("/etc/network/interfaces")
    older = written("debian7", mac=MAC)
    assert "\nauto voc0\n\niface voc0 inet dhcp\n" in older.text("/etc/network/interfaces")
    assert f'ATTR{{address}}=="{MAC}", ATTR{{type}}=="1", NAME="voc0"' in older.text(names.PIN_PATH)


def test_dhcp_needs_a_client() -> None:
    guest = FAMILIES["debian13"].tree()
    del guest.nodes["/usr/sbin/dhclient"]
    with pytest.raises(GuestError, match="no DHCP client; install isc-dhcp-client or dhcpcd-base"):
        ifupdown.write(Plan(guest), wanted(), system.inspect(guest))
    ifupdown.write(Plan(guest), wanted(**STATIC), system.inspect(guest))
