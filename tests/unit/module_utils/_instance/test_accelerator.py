"""What is taken for a proof that KVM runs guests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._instance import accelerator, files
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import Mark
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Running

from .definitions import defined

SAID = b"[    0.000000] Linux version 6.12\n"


class FakeDomains:
    """A hypervisor whose one domain ends when it was looked at twice."""

    qemu_version = (9, 0)

    def __init__(self) -> None:
        self.looks = 0

    def find(self, name: str) -> Running | None:
        self.looks += 1
        return Running(name, "u", Mark("h", "", "", ""), True, "kvm") if self.looks <= 2 else None


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
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
    assert remembered.read_text() == f"qemu 9.0\t{'kvm' if works else 'qemu'}\n"


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    definition = defined(tmp_path)
    Path(definition.log).write_bytes(SAID)
    domains: Any = FakeDomains()
    assert accelerator.works(domains, definition, 1 << 20)


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert files.length(str(tmp_path / "none")) == 0
