"""Domains as libvirt's own schema wants them, and what is read back from them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instance import domain_xml, xen
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition, require_sound

from .definitions import KERNEL, PLAIN, defined

VARIANTS: list[dict[str, Any]] = [
    {},
    {"firmware": "uefi"},
    {"network": "default", "bridge": ""},
    {"scratch": 20 << 30, "seed": "some"},
    {"disk_bus": "sata", "scratch": 1 << 30, "machine": "pc"},
    {"cpu": "host-model"},
    {"cpu": "EPYC"},
    {"direct_boot": KERNEL},
    {"voc": "<&\"'>", "release": "/srv/<&\"'>/disk.qcow2"},
]


def require_valid(xml: str, folder: Path) -> None:
    """Let libvirt's own schema judge."""
    path = folder / "domain.xml"
    path.write_text(xml)
    done = subprocess.run(["virt-xml-validate", str(path), "domain"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("changes", VARIANTS)
@pytest.mark.parametrize("accelerator", ["kvm", "qemu"])
def test_domains_are_valid_and_know_what_they_are(changes: dict[str, Any], accelerator: str, tmp_path: Path) -> None:
    definition = defined(**changes)
    xml = domain_xml.domain(definition, accelerator, without=("cx16",), started=1764028800)
    require_valid(xml, tmp_path)
    mark = domain_xml.read_mark(xml)
    assert mark == domain_xml.Mark("node042", definition.voc, definition.release, definition.digest(), 1764028800)
    assert domain_xml.read_type(xml) == accelerator


def test_the_mac_the_overlay_and_the_log_are_where_they_should_be() -> None:
    root = ElementTree.fromstring(domain_xml.domain(PLAIN, "kvm"))

    def attribute(path: str, name: str) -> str | None:
        element = root.find(path)
        assert element is not None
        return element.get(name)

    assert attribute("devices/interface/mac", "address") == PLAIN.mac
    assert attribute("devices/disk/source", "file") == "/var/lib/voc-cluster/instances/node042-vm1.qcow2"
    assert attribute("devices/serial/source", "path") == "/var/lib/voc-cluster/instances/node042-vm1.log"
    assert attribute("cpu", "mode") == "host-passthrough"
    assert root.findtext("on_poweroff") == "destroy"


def test_domains_of_others_are_not_ours() -> None:
    assert domain_xml.read_mark("<domain type='kvm'><name>x</name><metadata/></domain>") is None
    assert domain_xml.read_mark("<domain type='kvm'><name>x</name></domain>") is None


def test_the_digest_tells_another_definition_but_not_another_name_of_the_host() -> None:
    assert defined(memory=4096).digest() != PLAIN.digest()
    assert defined(release="/srv/voc/releases/starworker/2/disk.qcow2").digest() != PLAIN.digest()
    assert defined(hypervisor="node042.example.org").digest() == PLAIN.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../../etc/passwd"},
        {"name": "-x"},
        {"name": "a\nb"},
        {"name": ""},
        {"release": "disk.qcow2"},
        {"folder": "here"},
        {"bridge": ""},
        {"network": "default"},
        {"memory": 1},
        {"vcpus": 0},
    ],
)
def test_what_is_no_instance_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        require_sound(defined(**changes))


def test_xen_gets_a_valid_domain_of_a_partition_image(tmp_path: Path) -> None:
    # No Xen runs here: the schema is what can judge.
    require_valid(xen.xen_domain(defined(direct_boot=KERNEL)), tmp_path)


def test_xl_gets_the_same_instance() -> None:
    lines = xen.xl_config(defined(direct_boot=KERNEL)).splitlines()
    assert 'name = "node042-vm1"' in lines
    assert 'kernel = "/srv/voc/vmlinuz"' in lines
    assert 'vif = ["mac=02:56:4f:00:02:a1,bridge=br0"]' in lines
    assert "memory = 2048" in lines
    assert any("vdev=xvda1" in line and PLAIN.overlay in line for line in lines)


@pytest.mark.parametrize(
    "definition",
    [PLAIN, defined(direct_boot=KERNEL, bridge="", network="default"), defined(direct_boot=KERNEL, folder='/a"b')],
)
def test_what_xen_cannot_start_is_refused(definition: Definition) -> None:
    with pytest.raises(InputError):
        xen.xl_config(definition)
