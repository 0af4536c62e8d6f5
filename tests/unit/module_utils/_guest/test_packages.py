from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import packages
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

STATUS = """\
Package: bash
Status: install ok installed
Version: 5.2
Description: a shell
 Status: of the nation
 .
 Package: none

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured

Package: kept
Status: hold ok installed
Version: 2
"""


def test_only_what_is_installed_counts() -> None:
    assert packages.parse_dpkg_status(STATUS) == {"bash": "5.2", "kept": "2"}


@given(st.text())
def test_any_status_is_read(text: str) -> None:
    packages.parse_dpkg_status(text)
    assert packages.parse_dpkg_status(f"{STATUS}\n{text}")["kept"] == "2"


def test_missing_packages_are_named_in_their_order() -> None:
    guest = MemoryTree({packages.DPKG_STATUS: STATUS})
    assert packages.missing(guest, ["zsh", "bash", "gone", "kept"]) == ["zsh", "gone"]


def test_a_guest_without_apt_is_refused() -> None:
    with pytest.raises(GuestError, match="not managed by apt"):
        packages.missing(MemoryTree(), ["bash"])


def test_installing_updates_installs_and_cleans_in_the_sandbox() -> None:
    runner = ScriptedRunner(*[("sh", completed())] * 3)
    packages.install(Sandbox(runner, "/guest"), ["a", "b"])
    commands = [call[call.index("--", call.index("--chdir")) + 1 :] for call in runner.calls]
    assert [command[0] for command in commands] == ["apt-get"] * 3
    assert commands[0][-1] == "update"
    assert commands[1][-4:] == ["install", "--", "a", "b"]
    assert commands[2] == ["apt-get", "clean"]


def test_a_failure_of_apt_is_told_in_its_own_words() -> None:
    runner = ScriptedRunner(("sh", completed(100, errors=b"E: Unable to locate package zsh\n")))
    with pytest.raises(GuestError, match=r"apt-get failed: .*Unable to locate package zsh"):
        packages.install(Sandbox(runner, "/guest"), ["zsh"])
