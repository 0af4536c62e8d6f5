"""What the role dhcp writes for each server, and what it refuses; the servers themselves judge."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .playbooks import Play, environment, run

HOSTS = """\
[hypervisors]
node001
node002 voc_name=atlas voc_network=10.17.0.0/24

[hypervisors:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""
VARIABLES = """\
voc_name: star
voc_network: 10.16.0.0/24
voc_mac_format: cisco
dhcp_packages_wanted: false
dhcp_service: ""
dhcp_network: 10.16.0.0/24
"""
PLAYBOOK = """\
- name: Reserve addresses
  hosts: node001
  gather_facts: false
  roles: [{role: voc.cluster.dhcp}]
"""
SERVERS = ("dnsmasq", "kea", "isc")

pytestmark = pytest.mark.root


class Site:
    """Two virtual clusters, each with a network of its own."""

    def __init__(self, folder: Path) -> None:
        self.inventory = folder / "site"
        self.configuration = folder / "server" / "server.conf"
        self.configuration.parent.mkdir()
        self.playbook = folder / "reserve.yml"
        self.playbook.write_text(PLAYBOOK)
        for name, content in (
            ("hosts", HOSTS),
            ("group_vars/all.yml", VARIABLES + f"dhcp_file: {self.configuration}\n"),
            ("instances.yml", "plugin: voc.cluster.instances\n"),
        ):
            (self.inventory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.inventory / name).write_text(content)

    def reserve(self, *variables: str) -> Play:
        extra = [word for each in variables for word in ("-e", each)]
        # The clone's own settings would end a run that installed collections go on with.
        env = {**environment(), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}
        return run("-i", self.inventory, self.playbook, *extra, env=env)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def reserved(text: str) -> list[tuple[str, str]]:
    """Return the MACs and addresses of a configuration, in their order."""
    macs = re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text)
    addresses = re.findall(r"(?:id:[*],|fixed-address |\"ip-address\": \")([0-9.]+)", text)
    return list(zip(macs, addresses, strict=True))


@pytest.mark.parametrize("server", SERVERS)
def test_each_network_has_its_own_instances(site: Site, server: str) -> None:
    done = site.reserve(f"dhcp_server={server}")
    assert done.status == 0, done.output
    assert reserved(site.configuration.read_text()) == [("02:56:4f:00:00:10", "10.16.0.16")]
    assert site.reserve(f"dhcp_server={server}").changed == 0
    done = site.reserve(f"dhcp_server={server}", "dhcp_network=10.17.0.0/24")
    assert done.status == 0, done.output
    assert reserved(site.configuration.read_text()) == [("02:56:4f:00:00:20", "10.17.0.32")]


@pytest.mark.parametrize(
    ("server", "reason"), [("dnsmasq", "bad"), ("kea", "no/address"), ("isc", "no/address|semicolon expected")]
)
def test_what_the_server_refuses_is_told_and_leaves_the_old_configuration(site: Site, server: str, reason: str) -> None:
    site.configuration.write_text("the old one")
    done = site.reserve(f"dhcp_server={server}", "dhcp_router=no/address")
    assert done.status != 0
    assert "failed to validate" in done.output
    assert re.search(reason, done.output), done.output
    # AppArmor may let it read nothing but its own folder.
    assert f"{site.configuration.parent}/.voc-cluster.server.conf" in done.output
    assert site.configuration.read_text() == "the old one"
    assert list(site.configuration.parent.iterdir()) == [site.configuration]


def test_an_instance_without_an_address_is_named(site: Site) -> None:
    (site.inventory / "hosts").write_text(HOSTS + "\n[instances]\nother\n")
    assert site.reserve().status == 0
    done = site.reserve("{dhcp_instances: [node001-vm0, other]}")
    assert done.status != 0
    assert "other cannot get a reservation without a MAC and an IP address" in " ".join(done.output.split())


def test_no_reservation_is_removed_for_an_inventory_that_was_not_read(site: Site) -> None:
    site.configuration.write_text("the old one")
    (site.inventory / "host_vars").mkdir()
    (site.inventory / "host_vars" / "node002.yml").write_text("voc_slots: two\n")
    done = site.reserve()
    assert done.status != 0
    assert "The inventory does not tell the instances of node001, node002" in " ".join(done.output.split())
    assert site.configuration.read_text() == "the old one"
