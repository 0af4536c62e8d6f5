"""Lookups and inventory, as Ansible loads them: one arithmetic, whoever asks."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.vars.manager import VariableManager

SITE = {
    "hosts": "[hypervisors]\nnode[01:03] voc_slots=2\nnode03 voc_name=atlas\n",
    "group_vars/all.yml": "voc_name: star\nvoc_mac_prefix: '06:00'\nvoc_network: 10.16.0.0/24\nvoc_max_slots: 2\n",
    "instances.yml": "plugin: voc.cluster.instances\n",
}


def look_up(lookup: str, *terms: t.Any, variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[t.Any]:
    result: list[t.Any] = lookup_loader.get(f"voc.cluster.{lookup}").run(list(terms), variables or {}, **options)
    return result


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, content in SITE.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "site"


def inventory(folder: Path) -> tuple[InventoryManager, VariableManager]:
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(folder)])
    return manager, VariableManager(loader=loader, inventory=manager)


def names(manager: InventoryManager, group: str) -> list[str]:
    return [host.name for host in manager.get_hosts(group)]


def test_a_name_gives_a_mac() -> None:
    assert look_up("hostname_mac", "node042", slot=1) == ["02:56:4f:00:02:a1"]


def test_lists_in_give_a_list_out() -> None:
    assert look_up("hostname_mac", ["node1", "r12n07"], "node2", format="cisco") == [
        "0256.4f00.0010",
        "0256.4f00.c070",
        "0256.4f00.0020",
    ]


def test_settings_are_variables_too() -> None:
    variables = {"voc_mac_prefix": "06:00", "voc_mac_format": "bare"}
    assert look_up("hostname_mac", "node042", variables=variables) == ["0600000002A0"]
    assert look_up("hostname_mac", "node042", variables=variables, format="unix_expanded") == ["06:00:00:00:02:a0"]


def test_the_whole_inventory_is_checked() -> None:
    with pytest.raises(AnsibleError, match="node3 and gpu3"):
        look_up("hostname_mac", "node1", check=["node3", "gpu3"])


@pytest.mark.parametrize("term", ["head", 42, None])
def test_what_has_no_mac_is_one_sentence(term: t.Any) -> None:
    with pytest.raises(AnsibleError, match=r"no number|not a name"):
        look_up("hostname_mac", term)


def test_a_mac_leads_back() -> None:
    variables = {"groups": {"hypervisors": ["node041", "node042"]}}
    place = {"hypervisor": "node042", "slot": 1}
    assert look_up("mac_hypervisor", "02-56-4F-00-02-A1", variables=variables) == [place]
    assert look_up("mac_hypervisor", ["02:56:4f:00:02:a1"], hypervisors=["node42"])[0]["hypervisor"] == "node42"
    with pytest.raises(AnsibleError, match="none of 2 hypervisors"):
        look_up("mac_hypervisor", "02:56:4f:00:02:b1", variables=variables)


def test_the_inventory_has_a_host_for_each_slot(site: Path) -> None:
    manager, variables = inventory(site)
    assert names(manager, "instances") == [f"node0{number}-vm{slot}" for number in (1, 2, 3) for slot in (0, 1)]
    assert names(manager, "voc_star") == ["node01-vm0", "node01-vm1", "node02-vm0", "node02-vm1"]
    assert names(manager, "voc_atlas") == ["node03-vm0", "node03-vm1"]
    known = variables.get_vars(host=manager.get_host("node02-vm1"), include_hostvars=False)
    assert known["instance_ip"] == known["ansible_host"] == "10.16.0.5"
    assert known["instance_hypervisor"] == "node02"


def test_the_inventory_and_the_lookup_agree(site: Path) -> None:
    manager, variables = inventory(site)
    for name in names(manager, "instances"):
        instance = variables.get_vars(host=manager.get_host(name), include_hostvars=False)
        above = variables.get_vars(host=manager.get_host(instance["instance_hypervisor"]), include_hostvars=False)
        mac = look_up("hostname_mac", instance["instance_hypervisor"], variables=above, slot=instance["instance_slot"])
        assert mac == [instance["instance_mac"]]


def test_the_inventory_is_listed_as_plain_text(site: Path) -> None:
    listing = subprocess.check_output(["ansible-inventory", "-i", str(site), "--list"], text=True)
    assert json.loads(listing)["_meta"]["hostvars"]["node02-vm1"]["instance_ip"] == "10.16.0.5"


def test_an_inventory_without_hypervisors_has_no_instances(site: Path) -> None:
    (site / "hosts").write_text("[images]\nstarworker\n")
    assert names(inventory(site)[0], "instances") == []


def known(manager: InventoryManager, variables: VariableManager) -> set[bool]:
    """Return what hypervisors say of whether their instances are known."""
    hypervisors = manager.get_hosts("hypervisors")
    return {"voc_instances_known" in variables.get_vars(host=host, include_hostvars=False) for host in hypervisors}


def test_hypervisors_say_that_their_instances_are_known(site: Path) -> None:
    assert known(*inventory(site)) == {True}


@pytest.mark.parametrize("words", ["voc_slots=two", "voc_network=10.16.0.0/30", "voc_instance_name=vm"])
def test_no_hypervisor_says_so_where_one_cannot_be_right(
    site: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As installed collections have it: the clone's own settings end the run there.
    monkeypatch.setattr("ansible.constants.INVENTORY_ANY_UNPARSED_IS_FAILED", False)
    (site / "hosts").write_text(f"[hypervisors]\nnode[01:02] voc_slots=2\nnode02 {words}\n")
    manager, variables = inventory(site)
    assert known(manager, variables) == {False}
    assert "instances" not in manager.groups


def test_hypervisors_that_share_a_number_are_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "hosts").write_text("[hypervisors]\nnode1\ngpu1\n")
    with pytest.raises(AnsibleError, match="failed to parse inventory source"):
        inventory(site)
    said = " ".join(capsys.readouterr().err.split())
    assert "slot 0 on node1 and slot 0 on gpu1 have the same MAC" in said
