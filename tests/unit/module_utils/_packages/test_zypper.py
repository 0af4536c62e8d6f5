from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._packages.model import (
    ABSENT,
    LATEST,
    PRESENT,
    Change,
    Repository,
    Request,
    Site,
)
from ansible_collections.voc.cluster.plugins.module_utils._packages.zypper import Zypper
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

SIMULATION = """\
<?xml version='1.0'?>
<stream>
<install-summary download-size="2212" space-usage-diff="0" packages-to-change="2">
<to-install>
<solvable type="package" name="site-tools" edition="1.0-1" arch="noarch" repository="site" summary="tools &amp; more"/>
</to-install>
<to-upgrade>
<solvable type="package" name="openssl" edition="3.1-2" edition-old="3.1-1" arch="x86_64" arch-old="x86_64"/>
<solvable type="patch" name="openSUSE-1" edition="1" arch="noarch"/>
</to-upgrade>
<to-remove>
<solvable type="package" name="old" edition="2-1" arch="noarch"/>
</to-remove>
</install-summary>
</stream>
"""


def test_a_simulation_is_read() -> None:
    assert Zypper("zypper").parse_simulation(SIMULATION) == [
        Change("site-tools", None, "1.0-1"),
        Change("openssl", "3.1-1", "3.1-2"),
        Change("old", "2-1", None),
    ]
    (step,) = Zypper("zypper").simulate(Site(), PRESENT, [Request("a")], ())
    assert step.argv[:2] == ("zypper", "--xmlout")
    assert "--dry-run" in step.argv


@given(st.text())
def test_any_simulation_is_read(text: str) -> None:
    Zypper("zypper").parse_simulation(text)
    assert Zypper("zypper").parse_simulation(SIMULATION + text)[:1] == [Change("site-tools", None, "1.0-1")]


def test_packages_are_downloaded_with_a_network_and_installed_without() -> None:
    wanted = [Request("a", "1"), Request("/x.rpm", file="/run/x.rpm")]
    fetch, install = Zypper("zypper").steps(Site(), PRESENT, wanted, ())
    assert fetch.network
    assert not install.network
    assert "--download-only" in fetch.argv
    assert "--download-only" not in install.argv
    assert install.argv[-3:] == ("--", "a=1", "/run/x.rpm")
    assert {"--no-refresh", "--no-recommends", "--oldpackage", "--allow-unsigned-rpm"} <= set(install.argv)
    assert install.has_succeeded(102, "")
    assert not install.has_succeeded(104, "")


def test_everything_is_upgraded_by_a_star_and_removal_needs_no_network() -> None:
    assert "update" in Zypper("zypper").steps(Site(), LATEST, [Request("*")], ())[-1].argv
    (step,) = Zypper("zypper").steps(Site(), ABSENT, [Request("a")], ())
    assert not step.network
    assert step.argv[-3:] == ("remove", "--", "a")


def test_the_sites_repositories_stand_beside_the_guests_own() -> None:
    own = MemoryTree({"/etc/zypp/repos.d/oss.repo": "", "/etc/zypp/repos.d/README": ""})
    site = Zypper("zypper").site([Repository("site", "https://p.example")], own, "/run/x")
    assert site.options == ("--reposd-dir", "/run/x/repos")
    assert site.links == {"repos/oss.repo": "/etc/zypp/repos.d/oss.repo"}
    assert list(site.files) == ["repos/voc-site.repo"]
    assert Zypper("zypper").site([], own, "/run/x") == Site()
