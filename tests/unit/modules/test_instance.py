"""The module's own decisions; libvirt itself is tried with machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition, seed_digest
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import Mark
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Running
from ansible_collections.voc.cluster.plugins.modules import instance
from ansible_collections.voc.cluster.tests.unit.images import tool
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module

NAME = "node042-vm1"
MARK = Mark("node042", "star", "/srv/release", "another definition")
WANTED = {"uuid": "u", "mac": "02:56:4f:00:00:01", "hypervisor": "node042", "bridge": "br0"}
KERNEL = {"kernel": "/none/vmlinuz", "initramfs": "/none/initrd.img", "command_line": ""}


class FakeDomains:
    """A hypervisor on which one domain is there, or none; whoever would change it fails."""

    def __init__(self, running: Running | None) -> None:
        self.running = running

    def find(self, name: str) -> Running | None:
        return self.running if name == NAME else None


def hypervisor(
    monkeypatch: pytest.MonkeyPatch, *, running: bool, active: bool = True, paused: bool = False, mark: Mark = MARK
) -> None:
    there = Running(NAME, "u", mark, active, "kvm", paused) if running else None

    @contextmanager
    def connect(_uri: str) -> Iterator[FakeDomains]:
        yield FakeDomains(there)

    monkeypatch.setattr(instance, "connect", connect)


def call(capsys: pytest.CaptureFixture[str], folder: Path, **options: Any) -> Any:
    return run_module("instance", capsys, **{"name": NAME, "folder": str(folder), "check": True, **options})


@pytest.fixture
def release(tmp_path: Path) -> str:
    path = tmp_path / "disk.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", path, "64M")
    return str(path)


def test_what_is_not_there_and_shall_not_be_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hypervisor(monkeypatch, running=False)
    for check in (True, False):
        result = call(capsys, tmp_path, state="absent", check=check)
        assert not result["changed"]
        assert result["diff"]["before"] == result["diff"]["after"] == ""


@pytest.mark.parametrize(
    ("active", "timeout", "action"), [(True, 60, "powered off"), (True, 0, "ended"), (False, 60, "ended")]
)
def test_check_mode_says_how_an_instance_would_end(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    active: bool,
    timeout: int,
    action: str,
) -> None:
    hypervisor(monkeypatch, running=True, active=active)
    result = call(capsys, tmp_path, state="absent", timeout=timeout)
    assert result["actions"] == [action]
    assert (result["diff"]["before"], result["diff"]["after"]) == (f"{NAME}\n", "")


def test_a_start_and_a_replacement_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, release: str
) -> None:
    hypervisor(monkeypatch, running=False)
    assert call(capsys, tmp_path, **WANTED, release=release)["diff"]["before"] == ""
    hypervisor(monkeypatch, running=True)
    replaced = call(capsys, tmp_path, **WANTED, release=release, replace=True)
    assert replaced["actions"] == ["powered off", "started"]
    assert replaced["diff"]["before"] == replaced["diff"]["after"] == f"{NAME}\n"


def test_one_that_has_crashed_is_ended_and_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, release: str
) -> None:
    hypervisor(monkeypatch, running=True, active=False)
    made_anew = call(capsys, tmp_path, **WANTED, release=release)
    assert made_anew["actions"] == ["ended", "started"]
    assert made_anew["diff"]["before"] == f"{NAME}\n"


@pytest.mark.parametrize("check", [True, False])
def test_one_that_is_paused_is_left_alone_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, release: str, check: bool
) -> None:
    hypervisor(monkeypatch, running=True, paused=True)
    warned: list[str] = []
    monkeypatch.setattr(instance.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    result = call(capsys, tmp_path, **WANTED, release=release, replace=True, check=check)
    assert not result["changed"]
    assert result["paused"]
    assert result["outdated"]
    assert warned == [f"{NAME} is paused and was left alone; 'virsh resume {NAME}' lets it go on."]


@pytest.mark.parametrize("check", [True, False])
def test_no_file_outside_of_the_folder_is_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, check: bool
) -> None:
    hypervisor(monkeypatch, running=False)
    (tmp_path / "instances").mkdir()
    other = tmp_path / "other.qcow2"
    other.touch()
    result = call(capsys, tmp_path / "instances", name="../other", state="absent", check=check)
    assert "cannot be an instance's name" in result["msg"]
    assert other.exists()


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory": "1M"}, "at least 64 MiB"),
        ({"release": "/none/disk.qcow2"}, "/none/disk.qcow2: there is no such release"),
        ({"release": "/dev/null"}, "not a regular file"),
        ({"scratch": "900000T"}, "could grow by"),
        ({"direct_boot": KERNEL}, "/none/vmlinuz: there is no such file; check the path on the hypervisor"),
        ({"wait_for": "ssh"}, "waiting for ssh needs an address"),
        ({"seed": {"meta-data": {"instance-id": "node042-vm1-2"}}}, "seed: meta-data: it is no text"),
        ({"seed": {"user-data": ""}}, "a seed has meta-data"),
    ],
)
def test_nothing_is_stopped_for_what_could_not_be_started(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    release: str,
    changes: dict[str, Any],
    words: str,
    check: bool,
) -> None:
    hypervisor(monkeypatch, running=True)
    result = call(capsys, tmp_path, **{**WANTED, "release": release, **changes}, replace=True, check=check)
    assert words in result["msg"]


def test_another_seed_makes_an_instance_outdated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, release: str
) -> None:
    seed = {"meta-data": "instance-id: x", "user-data": "#cloud-config"}
    definition = Definition(name=NAME, release=release, folder=str(tmp_path), seed=seed_digest(NAME, seed), **WANTED)
    hypervisor(monkeypatch, running=True, mark=replace(MARK, digest=definition.digest()))
    assert not call(capsys, tmp_path, **WANTED, release=release, seed=seed)["outdated"]
    assert call(capsys, tmp_path, **WANTED, release=release, seed={**seed, "user-data": "#!/bin/sh"})["outdated"]
    assert call(capsys, tmp_path, **WANTED, release=release)["outdated"]
