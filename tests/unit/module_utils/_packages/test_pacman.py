from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._packages import pacman
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    LATEST,
    PRESENT,
    Change,
    Repository,
    Request,
    Site,
)
from ansible_collections.voc.cluster.plugins.module_utils._packages.pacman import Pacman
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def test_installed_packages_are_the_folders_of_the_database() -> None:
    folder = pacman.DATABASE
    guest = MemoryTree(
        {f"{folder}/ALPM_DB_VERSION": "9", f"{folder}/gtk-doc-1.2-1/desc": "", f"{folder}/a-1:2-3/desc": ""}
    )
    assert Pacman("pacman").read(guest) == {"gtk-doc": "1.2-1", "a": "1:2-3"}


@given(st.lists(st.text()), st.text())
def test_any_database_and_answer_is_read(names: list[str], text: str) -> None:
    pacman.parse_local(names)
    Pacman("pacman").parse_simulation(text)


def test_a_simulation_is_read() -> None:
    text = ":: Synchronizing\ntree 2.1-1\nold 1:1-1 removed\nwarning: x y\n"
    assert Pacman("pacman").parse_simulation(text) == [Change("tree", None, "2.1-1"), Change("old", "1:1-1", None)]
    (step,) = Pacman("pacman").simulate(Site(), ABSENT, [Request("a")], ())
    assert step.argv[-5:] == ("-R", "--print", "--print-format", "%n %v removed", "a")


def test_packages_are_downloaded_with_a_network_and_installed_without() -> None:
    wanted = [Request("a", "1-1"), Request("/x.pkg.tar.zst", file="/run/x.pkg.tar.zst")]
    steps = Pacman("pacman").steps(Site(), PRESENT, wanted, ())
    assert [(step.network, step.argv[3:]) for step in steps] == [
        (True, ("-S", "--downloadonly", "--needed", "a=1-1")),
        (False, ("-U", "--needed", "/run/x.pkg.tar.zst")),
        (False, ("-S", "--needed", "a=1-1")),
    ]
    assert "--sysupgrade" in Pacman("pacman").steps(Site(), LATEST, [Request("*")], ())[-1].argv
    assert Pacman("pacman").steps(Site(), ABSENT, [Request("a")], ())[0].argv[-2:] == ("-R", "a")


def test_the_sites_repositories_stand_beside_the_guests_own() -> None:
    site = Pacman("pacman").site([Repository("site", "file:///srv")], MemoryTree(), "/run/x")
    assert site.options == ("--config", "/run/x/pacman.conf")
    text = site.files["pacman.conf"].decode()
    assert "Include = /etc/pacman.conf\n[site]\n" in text
    assert "Server = file:///srv\n" in text


def test_a_key_for_one_run_is_refused() -> None:
    with pytest.raises(InputError, match="pacman's keys cannot be given for one run"):
        Pacman("pacman").site([Repository("site", "file:///srv", "/srv/key")], MemoryTree(), "/run/x")
