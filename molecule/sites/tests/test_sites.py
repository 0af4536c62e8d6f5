"""Two releases of one image: each carries its own site's settings, and nothing of the other's."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

BUILD = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])

SITES = ("clemson", "bnl")
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"  # UEFI, its partition type
# By which a site's settings are known wherever they are: its hosts, its areas, its batch system's files.
MARKS = {
    "clemson": ["clemson.example", "of clemson", "/grid/", "CONDOR_HOST", "50-voc-cluster.config", "condor.service"],
    "bnl": ["bnl.example", "of bnl", "/star/", "--conf-server", "voc-cluster-slurmd", "slurmd.service"],
}
MOUNTS = {
    "clemson": {
        "/grid/osg": ("nfs1.clemson.example:/export/grid", "nfs4", "ro"),
        "/grid/app": ("nfs1.clemson.example:/export/app", "nfs4", "ro"),
        "/grid/data": ("nfs1.clemson.example:/export/data", "nfs4", "rw"),
    },
    "bnl": {
        "/star/app": ("ceph1.bnl.example,ceph2.bnl.example,ceph3.bnl.example:/app", "ceph", "ro"),
        "/star/data": ("ceph1.bnl.example,ceph2.bnl.example,ceph3.bnl.example:/data", "ceph", "rw"),
    },
}
GRID = {
    "clemson": {
        "OSG_GRID": "/grid/osg",
        "OSG_APP": "/grid/app",
        "OSG_DATA": "/grid/data",
        "OSG_WN_TMP": "/scratch",
        "OSG_SQUID_LOCATION": "UNAVAILABLE",
    },
    "bnl": {
        "OSG_GRID": "UNAVAILABLE",
        "OSG_APP": "/star/app",
        "OSG_DATA": "/star/data",
        "OSG_WN_TMP": "/tmp/osg",
        "OSG_SQUID_LOCATION": "squid.bnl.example:3128",
    },
}
UNITS = {"clemson": "condor", "bnl": "slurmd"}
SECRETS = {
    "clemson": {"/etc/condor/tokens.d/voc-star": ("root", "600", "voc-star.token of clemson")},
    "bnl": {
        "/etc/munge/munge.key": ("munge", "400", "munge.key of bnl"),
        "/etc/ceph/voc-cluster/star/app": ("root", "600", "ceph.key of bnl"),
        "/etc/ceph/voc-cluster/star/data": ("root", "600", "ceph.key of bnl"),
    },
}


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def release(site: str) -> Host:
    """Return the release's files and programs, by the connection plugin."""
    return testinfra.get_host(f"ansible://{site}", ansible_inventory=str(PROJECT / "molecule/sites/hosts"))


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let testinfra's Ansible find the collection."""
    monkeypatch.chdir(PROJECT)


def manifest(site: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BUILD / site / "releases/starworker/current/manifest.json").read_text())
    return found


def inventory(site: str) -> dict[str, dict[str, Any]]:
    argv = ["ansible-inventory", "-i", f"inventories/{site}", "--list"]
    listing = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return {name: listing["_meta"]["hostvars"][name] for name in listing["instances"]["hosts"]}


def fstab(release: Host) -> dict[str, list[str]]:
    lines = release.file("/etc/fstab").content_string.splitlines()
    entries = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {entry[1]: entry for entry in entries}


def test_both_are_of_one_image() -> None:
    sources = [manifest(site)["source"] for site in SITES]
    assert sources[0] == sources[1]
    assert manifest("clemson")["inputs"] != manifest("bnl")["inputs"]


def test_the_disk_is_what_the_sites_hypervisors_want(site: str) -> None:
    argv = ["sfdisk", "--json", str(BUILD / site / "inspected.raw")]
    table = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)["partitiontable"]
    has_esp = ESP in [partition["type"] for partition in table["partitions"]]
    made = manifest(site)
    expected = {"clemson": ("qcow2", 4 << 30, "dos", False), "bnl": ("raw", 6 << 30, "gpt", True)}[site]
    assert (made["format"], made["virtual_size"], table["label"], has_esp) == expected


def test_what_the_vo_made_is_in_both(release: Host) -> None:
    assert release.check_output("/opt/star/root4star run7") == "STAR reconstruction: run7 done"


def test_the_filesystems_are_the_sites(site: str, release: Host) -> None:
    entries = fstab(release)
    shared = {path: entry for path, entry in entries.items() if "_netdev" in entry[3]}
    assert shared.keys() == MOUNTS[site].keys()
    for path, (source, kind, access) in MOUNTS[site].items():
        assert shared[path][0] == source
        assert shared[path][2] == kind
        assert {access, "nofail", f"x-systemd.before={UNITS[site]}.service"} <= set(shared[path][3].split(","))
        key = [option for option in shared[path][3].split(",") if option.startswith("secretfile=")]
        assert key == ([f"secretfile=/etc/ceph/voc-cluster{path}"] if kind == "ceph" else [])


def test_the_grids_environment_is_the_sites(site: str, release: Host) -> None:
    printed = release.check_output("bash --login -c env").splitlines()
    environment = dict(line.split("=", 1) for line in printed if line.startswith("OSG_"))
    assert GRID[site].items() <= environment.items()


def test_the_batch_system_is_the_sites(site: str, release: Host) -> None:
    assert release.service(UNITS[site]).is_enabled
    other = next(unit for name, unit in UNITS.items() if name != site)
    assert not release.file(f"/usr/lib/systemd/system/{other}.service").exists
    configuration = {
        "clemson": ("/etc/condor/config.d/50-voc-cluster.config", "CONDOR_HOST = head1.clemson.example"),
        "bnl": ("/etc/slurm/voc-cluster-slurmd", "--conf-server slurm1.bnl.example:6817 -Z --conf 'Feature=voc-star'"),
    }
    path, line = configuration[site]
    assert line in release.file(path).content_string


def test_the_secrets_are_the_sites_and_nobody_elses_to_read(site: str, release: Host) -> None:
    paths = " ".join(SECRETS[site])
    access = [tuple(line.split()) for line in release.check_output(f"stat -c '%U %a' {paths}").splitlines()]
    contents = release.check_output(f"grep -h '' {paths}").splitlines()
    found = {path: (*who, what) for path, who, what in zip(SECRETS[site], access, contents, strict=True)}
    assert found == SECRETS[site]


def test_owners_of_jobs_are_known_where_these_run_as_their_owners(site: str, release: Host) -> None:
    found = release.run("getent passwd starsim").stdout.split(":")[2:3]
    assert found == {"clemson": [], "bnl": ["1601"]}[site]


def test_nothing_of_the_other_site_is_in_it(site: str, release: Host) -> None:
    places = "/boot /etc /opt /root /srv /usr/local /var/lib"
    for name in SITES:
        marks = " ".join(f"-e '{mark}'" for mark in MARKS[name])
        found = release.run(f"grep -rlIF {marks} {places} --exclude-dir=dpkg --exclude-dir=apt").stdout.split()
        assert bool(found) == (name == site), found


def test_addresses_are_worked_out_at_one_site() -> None:
    instances = inventory("clemson")
    assert len({str(instance["instance_mac"]) for instance in instances.values()}) == len(instances) == 16


def test_addresses_are_leased_at_the_other(tmp_path: Path) -> None:
    instances = inventory("bnl")
    assert len(instances) == 16
    assert not any("instance_mac" in instance for instance in instances.values())

    # The site's own pools, in a database of the test's.
    pools = {"site_leases": {**instances["acorn-vm0"]["site_leases"], "database": str(tmp_path / "leases.sqlite")}}
    keeper = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hosts = write(tmp_path / "hosts.json", {"lease_hosts": {"hosts": {"leases1": keeper}}})
    lease = {"ansible.builtin.include_tasks": str(PROJECT / "playbooks/tasks/lease.yml")}
    say = {"ansible.builtin.debug": {"msg": "leased {{ instance_mac }} {{ instance_ip }}"}}
    play = write(tmp_path / "play.yml", [{"hosts": "instances", "gather_facts": False, "tasks": [lease, say]}])
    argv = ["ansible-playbook", "-i", "inventories/bnl", "-i", str(hosts), str(play), "-e", json.dumps(pools)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    leased = set(re.findall(r"leased 02:42:4e:4c:\S+ 10\.32\.\d+\.\d+", done.stdout))
    assert len(leased) == 16, done.stdout


def write(path: Path, content: object) -> Path:
    """Write what Ansible reads as YAML."""
    path.write_text(json.dumps(content))
    return path
