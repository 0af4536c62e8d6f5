"""What is tried, kept and remembered when an instance is started; libvirt itself is tried with machines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._instance import accelerator, domain_xml, lifecycle
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import Mark
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Running
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import tool

from .definitions import KERNEL, defined


class FakeDomains:
    """A hypervisor for one domain, of which libvirt refuses some kinds, and guests of others end at once."""

    qemu_version = (9, 0)

    def __init__(self, *, refused: str = "", ending: str = "", dead: bool = False) -> None:
        self.refused, self.ending = refused, ending
        self.running = self._running("kvm", active=False) if dead else None
        self.started: list[str] = []

    def _running(self, kind: str, *, active: bool = True) -> Running:
        return Running("node042-vm1", "u", Mark("h", "", "", ""), active, kind)

    def find(self, name: str) -> Running | None:
        return self.running

    def start(self, xml: str) -> None:
        kind = domain_xml.read_type(xml)
        self.started.append(kind)
        if kind in self.refused.split():
            raise ToolError("libvirt could not start the instance")
        self.running = None if kind in self.ending.split() else self._running(kind)

    def destroy(self, name: str) -> None:
        self.running = None


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(accelerator, "_DEVICE", str(tmp_path / "kvm"))
    monkeypatch.setattr(accelerator, "_REMEMBERED", str(tmp_path / "remembered"))
    monkeypatch.setattr(accelerator, "_TRIAL", 0.3)
    return tmp_path / "remembered"


@pytest.fixture
def definition(tmp_path: Path) -> Definition:
    tool("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "disk.qcow2", "64M")
    return defined(tmp_path / "instances", release=str(tmp_path / "disk.qcow2"))


def start(runner: PopenRunner, domains: FakeDomains, definition: Definition) -> Running:
    given: Any = domains
    return lifecycle.start(runner, given, definition, lifecycle.Start())


@pytest.mark.parametrize(
    ("domains", "kinds", "known"),
    [
        (FakeDomains(), ["kvm"], ["kvm"]),
        (FakeDomains(ending="kvm"), ["kvm", "qemu"], ["qemu"]),
        # libvirt has other reasons to refuse one, such as its architecture.
        (FakeDomains(refused="kvm"), ["kvm", "qemu"], []),
    ],
)
def test_what_is_remembered_is_what_a_guest_showed(
    runner: PopenRunner,
    definition: Definition,
    remembered: Path,
    domains: FakeDomains,
    kinds: list[str],
    known: list[str],
) -> None:
    assert start(runner, domains, definition).type == kinds[-1]
    assert domains.started == kinds
    assert list(json.loads(remembered.read_text()).values() if remembered.exists() else []) == known
    assert os.listdir(definition.folder) == ["node042-vm1.qcow2"]


@pytest.mark.parametrize("domains", [FakeDomains(refused="kvm qemu"), FakeDomains(ending="kvm qemu")])
def test_an_instance_that_cannot_run_shows_nothing(
    runner: PopenRunner, definition: Definition, remembered: Path, domains: FakeDomains
) -> None:
    with pytest.raises(ToolError):
        start(runner, domains, definition)
    assert not remembered.exists()


def test_one_that_has_crashed_is_kept_until_another_can_be_started(runner: PopenRunner, definition: Definition) -> None:
    domains = FakeDomains(dead=True)
    missing = defined(Path(definition.folder), release="/none/disk.qcow2")
    for impossible in (missing, defined(Path(definition.folder), release=definition.release, direct_boot=KERNEL)):
        with pytest.raises(InputError, match="there is no such"):
            start(runner, domains, impossible)
    assert domains.running
    assert start(runner, domains, definition).active
