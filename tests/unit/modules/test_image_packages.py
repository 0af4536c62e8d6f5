"""What image_packages and image_command say before anything of the guest is run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import Change
from ansible_collections.voc.cluster.plugins.modules.image_packages import outcome, read_repository
from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant

from .run_module import run_module

STATUS = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n"
REPOSITORY = {
    "name": "site",
    "uri": "https://packages.example.org/x",
    "key": None,
    "suite": "trixie",
    "components": ["main"],
    "managers": None,
}


@pytest.fixture
def image(tmp_path: Path) -> str:
    files = {"/usr/bin/apt-get": "", "/etc/os-release": "ID=debian\n", "/var/lib/dpkg/status": STATUS}
    return str(make_ext(tmp_path / "guest.img", plant(tmp_path / "tree", files)))


def test_what_is_there_already_needs_no_root(
    image: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not run_module("image_packages", capsys, image=image, name=["bash=5.*"])["changed"]
    assert not run_module("image_command", capsys, image=image, argv=["true"], creates="/usr")["changed"]


@pytest.mark.parametrize(
    ("module", "options"), [("image_packages", {"name": ["less"]}), ("image_command", {"argv": ["true"]})]
)
def test_who_is_not_root_is_told_so_in_one_sentence(
    module: str,
    options: dict[str, list[str]],
    image: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run_module(module, capsys, image=image, **options)
    assert result["msg"] == f"{image}: running the guest's programs needs root; run the builder as root."


def test_a_guest_without_a_package_manager_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = make_ext(tmp_path / "guest.img", plant(tmp_path / "tree", {"/etc/hosts": ""}))
    result = run_module("image_packages", capsys, image=str(image), name=["less"])
    assert "the guest has no package manager that is known" in result["msg"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "../x"),
        ("name", "a b"),
        ("uri", "https://x y"),
        ("uri", "https://x\n[other]"),
        ("uri", "https://x #"),
        ("suite", "trixie main"),
        ("components", ["main\nother"]),
    ],
)
def test_a_repository_cannot_become_other_lines_of_a_configuration(option: str, value: object) -> None:
    assert read_repository(REPOSITORY).components == ("main",)
    with pytest.raises(InputError, match="cannot be used"):
        read_repository({**REPOSITORY, option: value})


def test_the_outcome_is_data_and_a_diff_and_no_terminal_obeys_it() -> None:
    changes = [Change("a\x1b", None, "1"), Change("b", "1", "2"), Change("c", "1", None)]
    result = outcome(changes)
    assert result["installed"] == [{"name": "a\\x1b", "version": "1"}]
    assert result["upgraded"] == [{"name": "b", "before": "1", "after": "2"}]
    assert result["removed"] == [{"name": "c", "version": "1"}]
    assert result["diff"]["before"] == "b 1\nc 1\n"
    assert result["diff"]["after"] == "a\\x1b 1\nb 2\n"
    assert not outcome([])["changed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": -1}, "timeout: -1 is no number of seconds to wait"),
        # Some releases of Ansible say it themselves, before the module is asked.
        ({"creates": "/usr\0/x"}, "null character"),
        ({"removes": "\0"}, "null character"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: dict[str, object], words: str, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_module("image_command", capsys, image=image, argv=["true"], **options)
    assert result["failed"]
    assert words in result["msg"]
