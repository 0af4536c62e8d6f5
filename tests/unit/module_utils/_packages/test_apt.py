from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._packages import apt
from ansible_collections.voc.cluster.plugins.module_utils._packages.apt import Apt
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

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.41
"""
# apt 3.0 in Debian 13.
SIMULATION = """\
Reading package lists...
The following NEW packages will be installed:
  less
Inst less (668-1 Debian:13.0/stable [amd64])
Inst openssl [3.5.1-1] (3.5.4-1 Debian-Security:13/stable-security [amd64]) []
Remv popcon [1.79]
Conf less (668-1 Debian:13.0/stable [amd64])
"""
DIGEST = "4b" * 32
URIS = f"""\
After this operation, 132 kB of additional disk space will be used.
'http://debian.example/pool/tree_2.2.1-1_amd64.deb' tree_2.2.1-1_amd64.deb 59392 SHA256:{DIGEST}
'http://debian.example/pool/weak_1_all.deb' weak_1_all.deb 1 MD5Sum:4b402685144f0c911899c95206f9ffd2
'http://debian.example/InRelease' debian.example_InRelease 0 SHA256:{DIGEST}
'http://debian.example/x' ../../../etc/cron.d/x.deb 1 SHA256:{DIGEST}
"""
KEYED = Repository("site", "https://p.example/debian", "/srv/site.asc", "trixie", ("main", "contrib"))


def test_only_what_is_installed_counts() -> None:
    installed = {"bash": "5.2", "kept": "2", "libc6": "2.41", "libc6:i386": "2.41"}
    assert apt.parse_status(STATUS) == installed
    assert Apt("apt").read(MemoryTree({apt.STATUS: STATUS})) == installed
    assert Apt("apt").read(MemoryTree()) == {}


def test_a_package_that_was_being_unpacked_is_unpacked_again() -> None:
    torn = "Package: t\nStatus: install reinstreq half-installed\nArchitecture: all\n\n"
    torn += "Package: u\nStatus: hold reinstreq unpacked\nArchitecture: i386\n"
    names = Apt("apt").torn(MemoryTree({apt.STATUS: f"{STATUS}\n{torn}"}))
    assert names == ["t", "u:i386"]
    whole, again = Request("a"), Request("t", torn=True)
    assert all("--reinstall" in step.argv for step in Apt("apt").steps(Site(), PRESENT, [whole, again], ()))
    assert not any("--reinstall" in step.argv for step in Apt("apt").steps(Site(), PRESENT, [whole], ()))


@given(st.text())
def test_any_status_is_read(text: str) -> None:
    apt.parse_status(text)
    apt.parse_torn(text)
    assert apt.parse_status(f"{STATUS}\n{text}")["kept"] == "2"


def test_packages_are_downloaded_with_a_network_and_installed_without() -> None:
    fetch, install = Apt("apt").steps(Site(), PRESENT, [Request("a"), Request("b", "1.*")], ())
    assert fetch.network
    assert not install.network
    assert "--download-only" in fetch.argv
    assert "--download-only" not in install.argv
    for step in (fetch, install):
        assert step.argv[0] == "apt-get"
        assert step.argv[-4:] == ("install", "--", "a", "b=1.*")
        assert {"--no-install-recommends", "--allow-downgrades"} <= set(step.argv)


def test_everything_is_upgraded_by_a_star() -> None:
    assert Apt("apt").steps(Site(), LATEST, [Request("*")], ())[0].argv[-2:] == ("dist-upgrade", "--")


def test_removal_needs_no_network() -> None:
    (step,) = Apt("apt").steps(Site(), ABSENT, [Request("a")], ())
    assert not step.network
    assert step.argv[-3:] == ("remove", "--", "a")


def test_a_simulation_is_read() -> None:
    assert Apt("apt").parse_simulation(SIMULATION) == [
        Change("less", None, "668-1"),
        Change("openssl", "3.5.1-1", "3.5.4-1"),
        Change("popcon", "1.79", None),
    ]
    assert "--simulate" in Apt("apt").simulate(Site(), PRESENT, [Request("a")], ())[0].argv


@given(st.text())
def test_any_simulation_is_read(text: str) -> None:
    assert Apt("apt").parse_simulation(f"{SIMULATION}\n{text}")[:1] == [Change("less", None, "668-1")]


def test_only_files_with_a_strong_digest_and_a_plain_name_are_cached() -> None:
    assert apt.parse_uris(URIS) == {"tree_2.2.1-1_amd64.deb": DIGEST}


@given(st.text())
def test_no_answer_names_a_file_elsewhere(text: str) -> None:
    assert not [name for name in apt.parse_uris(text) if "/" in name]


def test_the_sites_repositories_stand_beside_the_guests_own() -> None:
    own = {"/etc/apt/sources.list.d/debian.sources": "", "/etc/apt/sources.list.d/odd name.list": ""}
    site = Apt("apt").site([KEYED], MemoryTree(own), "/run/x")
    line = b"deb [signed-by=/run/x/keys/site.asc] https://p.example/debian trixie main contrib\n"
    assert site.files == {"sources/voc-site.list": line}
    assert site.links == {"sources/debian.sources": "/etc/apt/sources.list.d/debian.sources"}
    argv = Apt("apt").refresh(site)[0].argv
    assert "Dir::Etc::SourceParts=/run/x/sources" in argv
    assert [word for word in argv if word.startswith("Dir::State::Lists=")]


def test_a_repository_without_a_key_is_trusted_by_name() -> None:
    site = Apt("apt").site([Repository("site", "file:/srv")], MemoryTree(), "/run/x")
    assert site.files["sources/voc-site.list"] == b"deb [trusted=yes] file:/srv ./\n"
