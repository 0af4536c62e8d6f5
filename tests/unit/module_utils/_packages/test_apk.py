"""apk's database, command lines and answers, by its documentation: no Alpine guest runs here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._packages import apk
from ansible_collections.voc.cluster.plugins.module_utils._packages.apk import Apk
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

INSTALLED = """\
C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
F:lib
R:P:odd

P:zlib
V:1.3.1-r1

"""
SIMULATION = """\
fetch https://alpine.example/main/x86_64/APKINDEX.tar.gz
(1/4) Installing tree (2.1.1-r0)
(2/4) Upgrading zlib (1.3.1-r0 -> 1.3.1-r1)
(3/4) Purging old (1-r0)
(4/4) Downgrading bash (5.2-r1 -> 5.2-r0)
OK: 8 MiB in 15 packages
"""


@pytest.mark.parametrize("path", apk.DATABASES)
def test_installed_packages_are_read(path: str) -> None:
    assert Apk("apk").read(MemoryTree({path: INSTALLED})) == {"musl": "1.2.5-r0", "zlib": "1.3.1-r1"}


@given(st.text())
def test_any_database_and_answer_is_read(text: str) -> None:
    assert apk.parse_installed(f"{INSTALLED}\n{text}")["musl"]
    Apk("apk").parse_simulation(text)


def test_a_simulation_is_read() -> None:
    assert Apk("apk").parse_simulation(SIMULATION) == [
        Change("tree", None, "2.1.1-r0"),
        Change("zlib", "1.3.1-r0", "1.3.1-r1"),
        Change("old", "1-r0", None),
        Change("bash", "5.2-r1", "5.2-r0"),
    ]


def test_commands() -> None:
    manager = Apk("apk")
    assert manager.steps(Site(), PRESENT, [Request("a", "1-r0")], ())[0].argv == (
        "apk",
        "--no-progress",
        "add",
        "a=1-r0",
    )
    assert "--upgrade" in manager.steps(Site(), LATEST, [Request("a")], ())[0].argv
    assert manager.steps(Site(), LATEST, [Request("*")], ())[0].argv[-1] == "upgrade"
    (step,) = manager.steps(Site(), ABSENT, [Request("a")], ())
    assert step.argv[-2:] == ("del", "a")
    assert not step.network
    assert "--simulate" in manager.simulate(Site(), PRESENT, [Request("a")], ())[0].argv
    assert "--allow-untrusted" in manager.steps(Site(), PRESENT, [Request("/x.apk", file="/run/x.apk")], ())[0].argv


def test_the_sites_keys_stand_beside_the_guests_own_under_their_own_names() -> None:
    own = MemoryTree({"/etc/apk/keys/alpine.rsa.pub": "key"})
    keyed = Repository("site", "https://p.example", "/srv/keys/me@site-1.rsa.pub")
    site = Apk("apk").site([keyed], own, "/run/x")
    assert site.links == {"keys/alpine.rsa.pub": "/etc/apk/keys/alpine.rsa.pub"}
    assert site.options == ("--repository", "https://p.example", "--keys-dir", "/run/x/keys")
    assert Apk("apk").key_name(keyed) == "me@site-1.rsa.pub"
    assert "--allow-untrusted" in Apk("apk").site([Repository("site", "https://p.example")], own, "/run/x").options
