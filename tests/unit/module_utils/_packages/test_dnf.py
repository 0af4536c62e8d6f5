"""Command lines and answers of dnf and yum; those of dnf 5 and yum are by their manuals, not tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._packages import rpm
from ansible_collections.voc.cluster.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    LATEST,
    PRESENT,
    Change,
    Repository,
    Request,
    Site,
)
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

QUERY = (
    "bash\t(none)\t5.1-9.el9\nopenssl\t1\t3.0-2\nkernel\t0\t5.14-2\nkernel\t0\t5.14-1\ngpg-pubkey\t(none)\t1-2\nodd\n"
)
DNF4 = """\
Dependencies resolved.
================================================================================
 Package         Architecture  Version                    Repository       Size
================================================================================
Installing:
 site-tools      noarch        1.0-1                      voc-site        5.7 k
Upgrading:
 openssl         x86_64        1:3.0.7-28.el9             baseos          1.2 M
Installing dependencies:
 libfoo          x86_64        2-1                        appstream        12 k
Removing:
 old             noarch        2.0-1                      @voc-site         0  \n\

Transaction Summary
================================================================================
Install  2 Packages

Total download size: 7 k
"""
DNF5 = """\
Package    Arch   Version     Repository      Size
Installing:
 tree      x86_64 2.1.0-6.fc40 fedora    110.1 KiB

Transaction Summary:
 Installing:         1 package
Operation aborted by the user.
"""


def test_installed_packages_are_read_without_keys() -> None:
    found = Dnf("dnf").parse_query(QUERY)
    assert found == {"bash": "5.1-9.el9", "openssl": "1:3.0-2", "kernel": "5.14-1 5.14-2"}


@given(st.text())
def test_any_answer_is_read(text: str) -> None:
    Dnf("dnf").parse_query(text)
    Dnf("dnf").parse_simulation(text)


def test_a_simulation_is_read() -> None:
    assert Dnf("dnf").parse_simulation(DNF4) == [
        Change("site-tools", None, "1.0-1"),
        Change("openssl", None, "3.0.7-28.el9"),
        Change("libfoo", None, "2-1"),
        Change("old", "2.0-1", None),
    ]
    assert Dnf("dnf5").parse_simulation(DNF5) == [Change("tree", None, "2.1.0-6.fc40")]


def test_nobody_agrees_to_a_simulation() -> None:
    (step,) = Dnf("dnf").simulate(Site(), PRESENT, [Request("a", "1")], ())
    assert "--assumeno" in step.argv
    assert "-y" not in step.argv
    assert step.argv[-2:] == ("install", "a-1")
    assert step.has_succeeded(1, "Operation aborted.")
    assert not step.has_succeeded(1, "Error: Unable to find a match: a")


def test_packages_are_downloaded_with_a_network_and_installed_without() -> None:
    steps = Dnf("dnf").steps(Site(), LATEST, [Request("new"), Request("old")], ["old"])
    assert [(step.network, step.argv[-3:]) for step in steps] == [
        (True, ("--downloadonly", "install", "new")),
        (True, ("--downloadonly", "upgrade", "old")),
        (False, ("--cacheonly", "install", "new")),
        (False, ("--cacheonly", "upgrade", "old")),
    ]
    assert all("--setopt=install_weak_deps=False" in step.argv for step in steps)


def test_yum_downloads_and_installs_in_one_go() -> None:
    (step,) = Dnf("yum").steps(Site(), PRESENT, [Request("a")], ())
    assert step.network
    assert step.argv == ("yum", "-y", "install", "a")
    assert Dnf("yum").steps(Site(), ABSENT, [Request("a")], ())[0].argv == ("yum", "-y", "remove", "a")


def test_everything_is_upgraded_by_a_star() -> None:
    assert Dnf("dnf5").steps(Site(), LATEST, [Request("*")], ())[-1].argv[-2:] == ("--cacheonly", "upgrade")


def test_the_sites_repositories_stand_beside_the_guests_own() -> None:
    keyed = Repository("site", "https://p.example/el9", "/srv/site.asc")
    site = Dnf("dnf").site([keyed], MemoryTree(), "/run/x")
    assert site.options == ("--setopt=reposdir=/etc/yum.repos.d,/run/x/repos",)
    text = site.files["repos/voc-site.repo"].decode()
    assert text.splitlines()[:3] == ["[voc-cluster-site]", "name=site", "baseurl=https://p.example/el9"]
    assert "gpgcheck=1\ngpgkey=file:///run/x/keys/site.asc\n" in text
    (before,) = Dnf("dnf").before([keyed], "/run/x")
    assert before.argv == ("rpm", "--import", "/run/x/keys/site.asc")


def test_a_repository_without_a_key_is_not_checked() -> None:
    site = Dnf("dnf").site([Repository("site", "file:///srv")], MemoryTree(), "/run/x")
    assert "gpgcheck=0\n" in site.files["repos/voc-site.repo"].decode()
    assert Dnf("dnf").before([Repository("site", "file:///srv")], "/run/x") == []


def test_keys_are_removed_by_name() -> None:
    assert rpm.forget([]) == []
    assert rpm.forget(["gpg-pubkey-1-2"])[0].argv[-2:] == ("--", "gpg-pubkey-1-2")
