"""image_packages and image_command in real guests: their own package managers, repositories and programs.

dnf, zypper and pacman are Debian's builds of them; what they work on is a Debian guest whose other
managers are hidden, and a repository that the guest itself made.
"""

from __future__ import annotations

import importlib
import json
import os
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import make_disk

from .drivers import whole
from .machine import tool

pytestmark = pytest.mark.root

MIB = 1 << 20
SITE = Path(__file__).with_name("site_repositories.sh")
MANAGERS = ["createrepo-c", "dnf", "gpg", "libarchive-tools", "makepkg", "pacman-package-manager", "rpm", "zypper"]
PROGRAMS = {"apt": "apt-get", "dnf": "dnf", "zypper": "zypper", "pacman": "pacman"}
WITHOUT_NETWORK = "lo\n101\n"  # what the script of site-tools sees
Run = Callable[..., t.Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a module in this process and returns its result."""

    def call(module: str, /, *, check: bool = False, **options: object) -> t.Any:
        capsys.readouterr()
        run_module(module, check=check, **options)
        result = json.loads(capsys.readouterr().out)
        result.pop("invocation", None)
        assert "exception" not in result
        return result

    return call


def run_module(module_name: str, /, *, check: bool = False, **options: object) -> None:
    module = importlib.import_module(f"ansible_collections.voc.cluster.plugins.modules.{module_name}")
    with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        module.main()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages") / "cache"


@pytest.fixture(scope="module")
def guest(sample: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Debian 13 guest with all managers and the site's repositories, which tests leave as it was."""
    image = grown(sample, tmp_path_factory.mktemp("guest") / "guest.img")
    run_module("image_packages", image=str(image), name=MANAGERS, cache=str(cache))
    run_module("image_command", image=str(image), argv=["sh", "-s"], stdin=SITE.read_text())
    return image


@pytest.fixture
def root(runner: Runner, guest: Path) -> Callable[[], t.ContextManager[Path]]:
    return lambda: opened(runner, guest)


@contextmanager
def opened(runner: Runner, image: Path, kind: str = "ext4") -> Iterator[Path]:
    """Mount a partition image, and give its tree."""
    with mounted(runner, whole(image), kind) as folder:
        yield Path(folder)


def grown(source: Path, target: Path) -> Path:
    """Copy a partition image, and give it room for packages."""
    tool("cp", "--sparse=always", source, target)
    os.truncate(target, 2048 * MIB)
    tool("e2fsck", "-fp", target, accept=(0, 1))
    tool("resize2fs", target)
    return target


def versions(result: t.Any) -> dict[str, tuple[str | None, str | None]]:
    """Return what a result tells of packages, as versions before and after."""
    assert not result.get("failed"), result["msg"]
    return {
        **{one["name"]: (None, one["version"]) for one in result["installed"]},
        **{one["name"]: (one["version"], None) for one in result["removed"]},
        **{one["name"]: (one["before"], one["after"]) for one in result["upgraded"]},
    }


def listing(tree: Path) -> dict[str, list[str]]:
    """Return what must be as it was: sources, keys, the resolver, the policy and root's own files."""
    folders = ("etc/apt", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "etc/zypp", "root", "boot", "tmp", "run")
    found = {folder: sorted(os.listdir(tree / folder)) for folder in folders if (tree / folder).is_dir()}
    lone = [path for path in ("etc/resolv.conf", "usr/sbin/policy-rc.d") if os.path.lexists(tree / path)]
    return {**found, "": lone}


# Debian guests, with their own sources.


@pytest.mark.parametrize("release", ["sample", "older_sample"])
def test_a_debian_guest_gets_packages_from_its_own_sources(
    release: str, request: pytest.FixtureRequest, runner: Runner, run: Run, cache: Path, tmp_path: Path
) -> None:
    image = grown(request.getfixturevalue(release), tmp_path / "guest.img")
    with opened(runner, image) as tree:
        before = listing(tree)
    order = {"image": str(image), "name": ["less", "cron"], "cache": str(cache)}
    untouched = tool("sha256sum", image)
    told = run("image_packages", check=True, **order)
    assert tool("sha256sum", image) == untouched
    done = run("image_packages", **order)
    assert {"less", "cron"} <= set(versions(done))
    assert versions(told) == versions(done)
    assert told["diff"] == done["diff"]
    assert not run("image_packages", **order)["changed"]
    removal = run("image_packages", **{**order, "name": ["less"], "state": "absent"})
    assert list(versions(removal)) == ["less"]
    with opened(runner, image) as tree:
        assert listing(tree) == before
        assert not list((tree / "var/cache/apt/archives").glob("*.deb"))
    assert all(len(path.name) == 64 for path in cache.iterdir())
    assert list(cache.iterdir())
    tool("e2fsck", "-fn", image)


# The site's repositories, for all managers.


@pytest.fixture(params=PROGRAMS)
def manager(request: pytest.FixtureRequest, root: Callable[[], t.ContextManager[Path]]) -> Iterator[str]:
    """Hide all other managers; what the guest has on its disk is as it was afterwards."""
    name = str(request.param)
    others = [program for program in PROGRAMS.values() if program != PROGRAMS[name]]
    with root() as tree:
        before = listing(tree)
        for other in others:
            (tree / "usr/bin" / other).rename(tree / "usr/bin" / f"{other}.hidden")
    yield name
    with root() as tree:
        for other in others:
            (tree / "usr/bin" / f"{other}.hidden").rename(tree / "usr/bin" / other)
        (tree / "srv/seen").unlink(missing_ok=True)
        assert listing(tree) == before


def repository(manager: str, folder: Path, key: str = "site.asc") -> dict[str, object]:
    """Return the site's repository for a manager."""
    place = {"apt": "apt", "dnf": "rpm", "zypper": "rpm", "pacman": "arch"}[manager]
    signed = {} if manager == "pacman" else {"key": str(folder / key)}
    return {"name": "site", "uri": f"file:///srv/{place}", **signed}


def test_the_sites_repository_is_used_for_one_run(
    manager: str, guest: Path, root: Callable[[], t.ContextManager[Path]], run: Run, tmp_path: Path
) -> None:
    with root() as tree:
        (tmp_path / "site.asc").write_bytes((tree / "srv/site.asc").read_bytes())
    order = {"image": str(guest), "repositories": [repository(manager, tmp_path)]}
    release = "" if manager == "apt" else "-1"

    def both(**options: object) -> dict[str, tuple[str | None, str | None]]:
        told = run("image_packages", check=True, **order, **options)
        done = run("image_packages", **order, **options)
        assert versions(told) == versions(done)
        assert done["changed"] == bool(versions(done))
        assert not run("image_packages", **order, **options)["changed"]
        return versions(done)

    assert both(name=["site-tools=1.0"]) == {"site-tools": (None, f"1.0{release}")}
    if manager != "pacman":  # its packages here have no script
        with root() as tree:
            assert (tree / "srv/seen").read_text() == WITHOUT_NETWORK
    else:
        argv = ["repo-add", "--quiet", "/srv/arch/site.db.tar.gz", "/srv/arch/site-tools-2.0-1-any.pkg.tar.gz"]
        assert run("image_command", image=str(guest), argv=argv)["rc"] == 0
    assert both(name=["site-tools"], state="latest") == {"site-tools": (f"1.0{release}", f"2.0{release}")}
    assert both(name=["site-tools"], state="absent") == {"site-tools": (f"2.0{release}", None)}
    failed = run("image_packages", **order, name=["none-such"])
    assert failed["failed"]
    assert "none-such" in failed["msg"]
    if manager in ("dnf", "zypper"):
        argv = ["rpm", "-qa", "gpg-pubkey", "--queryformat", "%{SUMMARY}"]
        assert "site@example.org" not in run("image_command", image=str(guest), argv=argv)["stdout"]


@pytest.mark.parametrize("manager", ["apt", "dnf", "zypper"], indirect=True)
def test_a_repository_that_somebody_else_signed_is_refused(
    manager: str, guest: Path, root: Callable[[], t.ContextManager[Path]], run: Run, tmp_path: Path
) -> None:
    with root() as tree:
        (tmp_path / "other.asc").write_bytes((tree / "srv/other.asc").read_bytes())
    repositories = [repository(manager, tmp_path, "other.asc")]
    result = run("image_packages", image=str(guest), name=["site-tools"], repositories=repositories)
    assert result["failed"]
    assert not run("image_packages", check=True, image=str(guest), name=["site-tools"], state="absent")["changed"]


@pytest.mark.parametrize("manager", ["apt", "dnf"], indirect=True)
def test_a_package_file_of_the_builder_is_installed(
    manager: str, guest: Path, root: Callable[[], t.ContextManager[Path]], run: Run, tmp_path: Path
) -> None:
    inside = {"apt": "apt/site-tools_2.0_all.deb", "dnf": "rpm/noarch/site-tools-2.0-1.noarch.rpm"}[manager]
    file = tmp_path / Path(inside).name
    with root() as tree:
        file.write_bytes((tree / "srv" / inside).read_bytes())
    order = {"image": str(guest), "name": [str(file)], "update_cache": False}
    assert list(versions(run("image_packages", check=True, **order))) == ["site-tools"]
    assert list(versions(run("image_packages", **order))) == ["site-tools"]
    assert not run("image_packages", **order)["changed"]
    run("image_packages", image=str(guest), name=["site-tools"], state="absent")


@pytest.mark.parametrize("manager", ["apt"], indirect=True)
def test_a_package_that_was_being_unpacked_is_unpacked_again(
    manager: str, guest: Path, root: Callable[[], t.ContextManager[Path]], run: Run, tmp_path: Path
) -> None:
    del manager
    file = tmp_path / "site-tools_2.0_all.deb"
    with root() as tree:
        file.write_bytes((tree / "srv/apt" / file.name).read_bytes())
    order = {"image": str(guest), "update_cache": False}
    run("image_packages", **order, name=[str(file)])
    for name in (str(file), "less"):
        with root() as tree:
            status = tree / "var/lib/dpkg/status"
            whole = "Package: site-tools\nStatus: install ok installed\n"
            assert whole in status.read_text()
            torn = whole.replace("ok installed", "reinstreq half-installed")
            status.write_text(status.read_text().replace(whole, torn))
        done = run("image_packages", **order, name=[name])
        if name == "less":  # what it was unpacked from is not at hand any more
            assert "site-tools" in done["msg"]
        else:
            assert list(versions(done)) == ["site-tools"]
    run("image_packages", **order, name=[str(file)])
    run("image_packages", **order, name=["site-tools"], state="absent")


def test_sources_that_are_gone_are_one_clear_sentence(sample: Path, runner: Runner, run: Run, tmp_path: Path) -> None:
    image = tmp_path / "old.img"
    tool("cp", "--sparse=always", sample, image)
    with opened(runner, image) as tree:
        (tree / "etc/apt/sources.list").write_text("deb file:/srv/none jessie main\n")
    message = run("image_packages", image=str(image), name=["less"])["msg"]
    assert "cannot get what its package sources name, as if they were gone" in message
    assert "archive" in message


# Commands.


def test_a_command_is_the_guests_own(guest: Path, run: Run) -> None:
    networks = "tail -n +3 /proc/net/dev | tr -d ' ' | cut -d: -f1"
    script = f'id -un; echo "$HOME $GIVEN"; pwd; cat; {networks}; echo oops >&2; exit 3'
    result = run(
        "image_command",
        image=str(guest),
        argv=["sh", "-c", script],
        user="nobody",
        environment={"GIVEN": "yes"},
        chdir="/srv",
        stdin="words",
    )
    assert result["stdout"].splitlines() == ["nobody", "/nonexistent yes", "/srv", "words", "lo"]
    assert (result["stderr"], result["rc"], result["failed"]) == ("oops", 3, True)
    assert result["start"] <= result["end"]


def test_a_command_runs_only_where_it_is_needed(guest: Path, run: Run) -> None:
    make = {"image": str(guest), "argv": ["mkdir", "/opt/made"], "creates": "/opt/made"}
    clear = {"image": str(guest), "argv": ["rmdir", "/opt/made"], "removes": "/opt/made"}
    assert run("image_command", check=True, **make)["changed"]
    assert run("image_command", **make)["changed"]
    assert not run("image_command", **make)["changed"]
    assert run("image_command", **clear)["changed"]
    assert not run("image_command", **clear)["changed"]
    assert run("image_command", check=True, image=str(guest), argv=["false"])["skipped"]


def test_a_command_that_takes_too_long_is_ended(guest: Path, run: Run) -> None:
    result = run("image_command", image=str(guest), argv=["sleep", "600"], timeout=1)
    assert "took longer than 1 s" in result["msg"]


def test_a_guest_on_several_filesystems_is_one(sample: Path, runner: Runner, run: Run, tmp_path: Path) -> None:
    system, data = tmp_path / "system.img", tmp_path / "data.img"
    system.touch()
    os.truncate(system, 640 * MIB)
    tool("mkfs.xfs", "-q", system)
    tool("mke2fs", "-q", "-t", "ext4", "-L", "data", data, "32M")
    with mounted(runner, Volume(str(sample), 0, sample.stat().st_size), "ext4", writable=False) as tree:
        tool("tar", "-C", tree, "-cf", tmp_path / "tree.tar", "--one-file-system", ".")
    with opened(runner, system, "xfs") as tree:
        tool("tar", "-C", tree, "-xpf", tmp_path / "tree.tar")
        (tree / "etc/fstab").write_text("/dev/vda1 / xfs defaults 0 0\nLABEL=data /srv ext4 defaults 0 2\n")
    disk = make_disk(tmp_path / "disk.img", system, data)
    result = run("image_command", image=str(disk), argv=["sh", "-c", "stat -f -c %T / /srv; echo x > /srv/made"])
    assert result["stdout"].split() == ["xfs", "ext2/ext3"]
    order = {"image": str(disk), "name": ["less"]}
    told = versions(run("image_packages", check=True, **order))
    assert told == versions(run("image_packages", **order))
    assert run("image_command", image=str(disk), argv=["cat", "/srv/made"])["stdout"] == "x"
