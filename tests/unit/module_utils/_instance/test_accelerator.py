"""What is taken for a proof that KVM runs guests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._instance import accelerator, files
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import Mark
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Running

from .definitions import defined

SAID = b"[    0.000000] Linux version 6.12\n"


class FakeDomains:
    """A hypervisor whose one domain ends when it was looked at twice, or as often as told."""

    qemu_version = (9, 0)

    def __init__(self, looks: int = 2, *, paused: bool = False) -> None:
        self.looks = looks
        self.paused = paused

    def find(self, name: str) -> Running | None:
        self.looks -= 1
        return Running(name, "u", Mark("h", "", "", ""), True, "kvm", self.paused) if self.looks >= 0 else None


def recalled(definition: Definition) -> list[str]:
    """Return what an instance would be started with."""
    domains: Any = FakeDomains()
    return list(accelerator.candidates("auto", domains, definition))


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(accelerator, "_DEVICE", str(tmp_path / "kvm"))
    monkeypatch.setattr(accelerator, "_REMEMBERED", str(tmp_path / "remembered"))
    return tmp_path / "remembered"


@pytest.mark.parametrize(
    ("before", "after", "works"),
    [(b"", SAID, True), (SAID, SAID, True), (SAID, b"", False), (b"x" * (2 << 20), SAID, True), (b"", b"", False)],
)
def test_only_what_this_start_says_counts(
    before: bytes, after: bytes, works: bool, tmp_path: Path, remembered: Path
) -> None:
    definition = defined(tmp_path)
    Path(definition.log).write_bytes(before)
    told = files.length(definition.log)
    with open(definition.log, "ab") as log:
        log.write(after)
    domains: Any = FakeDomains()
    assert accelerator.works(domains, definition, told) == works
    # A guest that ends may do so for a reason of its own; that the next accelerator runs it tells.
    assert remembered.exists() == works
    assert recalled(definition) == (["kvm"] if works else ["kvm", "qemu"])


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    definition = defined(tmp_path)
    Path(definition.log).write_bytes(SAID)
    domains: Any = FakeDomains()
    assert accelerator.works(domains, definition, 1 << 20)


def test_a_guest_that_says_nothing_and_goes_on_shows_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accelerator, "_TRIAL", 0.3)
    domains: Any = FakeDomains(1000)
    assert accelerator.works(domains, defined(tmp_path), 0)
    assert recalled(defined(tmp_path)) == ["kvm"]


def test_a_guest_that_kvm_pauses_does_not_run(tmp_path: Path) -> None:
    domains: Any = FakeDomains(1000, paused=True)
    assert not accelerator.works(domains, defined(tmp_path), 0)


def test_each_architecture_and_processor_is_remembered_by_itself() -> None:
    domains: Any = FakeDomains()
    other, third = defined(architecture="aarch64"), defined(cpu="EPYC")
    accelerator.remember(domains, other, "qemu")
    assert recalled(defined()) == recalled(third) == ["kvm", "qemu"]
    accelerator.remember(domains, defined(), "kvm")
    assert (recalled(defined()), recalled(other), recalled(third)) == (["kvm"], ["qemu"], ["kvm", "qemu"])


@pytest.mark.parametrize("content", ["", "qemu 9.0\tqemu\n", "[]", '{"qemu 9.0 x86_64 default": "xen"}'])
def test_what_cannot_be_understood_is_not_remembered(remembered: Path, content: str) -> None:
    remembered.write_text(content)
    assert recalled(defined()) == ["kvm", "qemu"]


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert files.length(str(tmp_path / "none")) == 0
