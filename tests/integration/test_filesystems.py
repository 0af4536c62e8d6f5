"""The role filesystems: what each type of filesystem gets in guests of several families. Nothing is mounted here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.families import FAMILIES

from . import playbooks
from .fitting import Fitted, fit, make_guest, names, permissions, read

GENERAL = "nofail,x-systemd.automount,x-systemd.mount-timeout=30"
PROFILE = [
    {"source": "nfs1:/app", "path": "/grid/app", "type": "nfs4", "options": ["ro"]},
    {"source": "ceph1:/data", "path": "/grid/data", "type": "ceph", "options": ["name=worker"], "secret": "CEPHKEY"},
    {"source": "cms.cern.ch", "path": "/cvmfs/cms.cern.ch", "type": "cvmfs", "settings": {"CVMFS_QUOTA_LIMIT": 4000}},
    {"source": "sft.cern.ch", "path": "/cvmfs/sft.cern.ch", "type": "cvmfs"},
    {"source": "tcp://pvfs1:3334/orangefs", "path": "/scratch/pvfs", "type": "pvfs2"},
    {
        "source": "10.0.0.1@tcp:/lfs",
        "path": "/lfs",
        "type": "lustre",
        "options": ["flock"],
        "settings": {"networks": "tcp0(eth0)"},
    },
    {
        "source": "bee1.example.org",
        "path": "/bee/one",
        "type": "beegfs",
        "secret": "BEEKEY",
        "settings": {"connUseRDMA": False},
    },
    {"source": "bee2.example.org", "path": "/bee/two", "type": "beegfs", "options": ["ro"]},
    {"source": "software", "path": "/opt/software", "type": "virtiofs"},
    {"source": "results", "path": "/results", "type": "9p", "options": ["msize=262144"]},
]
FSTAB = [
    f"nfs1:/app /grid/app nfs4 ro,_netdev,{GENERAL} 0 0",
    f"ceph1:/data /grid/data ceph name=worker,secretfile=/etc/ceph/voc-cluster/grid/data,_netdev,{GENERAL} 0 0",
    f"cms.cern.ch /cvmfs/cms.cern.ch cvmfs nodev,_netdev,{GENERAL} 0 0",
    f"sft.cern.ch /cvmfs/sft.cern.ch cvmfs nodev,_netdev,{GENERAL} 0 0",
    f"tcp://pvfs1:3334/orangefs /scratch/pvfs pvfs2 x-systemd.requires=orangefs-client.service,_netdev,{GENERAL} 0 0",
    f"10.0.0.1@tcp:/lfs /lfs lustre flock,_netdev,{GENERAL} 0 0",
    "beegfs_nodev /bee/one beegfs x-systemd.requires=beegfs-client.service,"
    f"cfgFile=/etc/beegfs/voc-cluster/bee/one.conf,_netdev,{GENERAL} 0 0",
    "beegfs_nodev /bee/two beegfs x-systemd.requires=beegfs-client.service,"
    f"ro,cfgFile=/etc/beegfs/voc-cluster/bee/two.conf,_netdev,{GENERAL} 0 0",
    f"software /opt/software virtiofs {GENERAL} 0 0",
    f"results /results 9p trans=virtio,version=9p2000.L,msize=262144,{GENERAL} 0 0",
]
GOOD = ("debian13", "el9", "leap15")
CVMFS = {"source": "cms.cern.ch", "path": "/cvmfs/cms.cern.ch", "type": "cvmfs"}
NFS = PROFILE[0]
BAD = {
    "path": ([{**CVMFS, "path": "/cms"}], "and its path must be /cvmfs/cms.cern.ch"),
    "proxy": ([CVMFS], "cms.cern.ch of type cvmfs needs a proxy: OSG_SQUID_LOCATION of site_grid"),
    "secret": ([{**NFS, "secret": "x"}], "nfs1:/app of type nfs4 has a secret, which is for ceph and beegfs only"),
    "settings": ([{**NFS, "settings": {"a": 1}}], "has settings, which are for beegfs, cvmfs and lustre only"),
    "twice": (
        [NFS, {**NFS, "source": "nfs2:/app", "path": "/grid//app/"}],
        "nfs2:/app of type nfs4 is for /grid/app, which",
    ),
    "scratch": (
        [{**NFS, "path": "/scratch"}],
        "is for /scratch, which is the path of another entry or of site_scratch",
    ),
    "text": ([{**NFS, "options": "ro,hard"}], "site_filesystems[].options is a list, and no text"),
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("filesystems")
    guests = {name: make_guest(folder / name, FAMILIES[name]) for name in GOOD}
    scratch = {"site_scratch": {"path": "/scratch"}}
    site = {"site_grid": {"OSG_SQUID_LOCATION": "squid1:3128"}, "site_filesystems": PROFILE}
    return fit(
        folder,
        ["filesystems"],
        {**guests, **dict.fromkeys(BAD, guests["debian13"])},
        {
            **dict.fromkeys(GOOD, site),
            **{name: {**scratch, "site_filesystems": entries} for name, (entries, _said) in BAD.items()},
        },
        again=GOOD,
    )


@pytest.mark.parametrize("guest", GOOD)
def test_every_type_is_in_fstab_and_holds_nothing_up(guest: str, fitted: Fitted) -> None:
    lines = read(fitted.images[guest], "/etc/fstab").splitlines()
    assert lines[-len(FSTAB) :] == FSTAB
    for entry in PROFILE:
        folder, name = str(entry["path"]).rsplit("/", 1)
        assert name in names(fitted.images[guest], folder or "/")


@pytest.mark.parametrize("guest", GOOD)
def test_clients_are_told_what_fstab_cannot_say(guest: str, fitted: Fitted) -> None:
    image = fitted.images[guest]
    assert read(image, "/etc/cvmfs/default.local").splitlines()[1:] == [
        "CVMFS_HTTP_PROXY=http://squid1:3128",
        "CVMFS_QUOTA_LIMIT=4000",
        "CVMFS_REPOSITORIES=cms.cern.ch,sft.cern.ch",
    ]
    assert read(image, "/etc/fuse.conf") == "user_allow_other\n"
    assert read(image, "/etc/pvfs2tab").splitlines()[1:] == [
        "tcp://pvfs1:3334/orangefs /scratch/pvfs pvfs2 defaults,noauto 0 0"
    ]
    assert read(image, "/etc/beegfs/voc-cluster/bee/one.conf").splitlines()[1:] == [
        "connAuthFile = /etc/beegfs/voc-cluster/bee/one.auth",
        "connUseRDMA = false",
        "sysMgmtdHost = bee1.example.org",
    ]
    assert read(image, "/etc/beegfs/voc-cluster/bee/two.conf").splitlines()[1:] == ["sysMgmtdHost = bee2.example.org"]
    assert all(line.startswith("#") for line in read(image, "/etc/beegfs/beegfs-mounts.conf").splitlines())
    modprobe = "".join(
        read(image, f"/etc/modprobe.d/{name}") for name in names(image, "/etc/modprobe.d") if name.endswith(".conf")
    )
    assert "options lnet networks=tcp0(eth0)\n" in modprobe


@pytest.mark.parametrize("guest", GOOD)
def test_keys_are_roots_alone_and_not_told(guest: str, fitted: Fitted) -> None:
    image = fitted.images[guest]
    keys = {"/etc/ceph/voc-cluster/grid/data": "CEPHKEY", "/etc/beegfs/voc-cluster/bee/one.auth": "BEEKEY"}
    for path, key in keys.items():
        assert read(image, path) == f"{key}\n"
        assert permissions(image, path) == ("0600", 0, 0)
        assert key not in fitted.first


@pytest.mark.parametrize("guest", GOOD)
def test_a_second_run_changes_nothing(guest: str, fitted: Fitted) -> None:
    assert fitted.is_stable(guest), fitted.second


@pytest.mark.parametrize("host", BAD)
def test_what_could_not_work_is_refused(host: str, fitted: Fitted) -> None:
    assert BAD[host][1] in fitted.refusal(host)
    assert fitted.is_untouched(host)


def test_each_family_has_its_own_packages(tmp_path: Path) -> None:
    site = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "image_source": "/none",
        "site_filesystems": [*PROFILE, {**CVMFS, "packages": ["/srv/cvmfs.rpm"]}],
        "site_batch": {"scheduler": "slurm", "head": "h", "secrets": "/none", "vocs": []},
        "voc_name": "STAR",
    }
    says = {"ansible.builtin.copy": {"content": "{{ __site_needs | to_json }}", "dest": str(tmp_path / "needs")}}
    tasks = [{"ansible.builtin.import_role": {"name": "voc.cluster.site"}}, says]
    play = [{"hosts": "localhost", "gather_facts": False, "vars": site, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = playbooks.run("--inventory=localhost,", "--connection=local", tmp_path / "play.yml")
    assert done.status == 0, done.output
    needs = json.loads((tmp_path / "needs").read_text())
    assert {name: set(needs[name]["packages"]) for name in ("apt", "zypper", "apk")} == {
        "apt": {
            *("nfs-common", "ceph-common", "cvmfs", "lustre-client-modules-dkms", "lustre-client-utils"),
            *("beegfs-client", "slurmd", "slurm-client", "munge", "/srv/cvmfs.rpm"),
        },
        "zypper": {
            *("nfs-client", "ceph-common", "cvmfs", "lustre-client", "lustre-client-kmp-default"),
            *("beegfs-client", "slurm-node", "slurm-munge", "munge", "/srv/cvmfs.rpm"),
        },
        "apk": {"nfs-utils", "/srv/cvmfs.rpm"},
    }
    assert needs["dnf"]["packages"] == needs["yum"]["packages"]
    assert {"nfs-utils", "orangefs", "kmod-lustre-client"} <= set(needs["dnf"]["packages"])
    assert {name: need["unknown"] for name, need in needs.items()} == {
        "apt": ["pvfs2"],
        "dnf": [],
        "yum": [],
        "zypper": ["pvfs2"],
        "apk": ["ceph", "cvmfs", "pvfs2", "lustre", "beegfs"],
        "pacman": ["ceph", "cvmfs", "pvfs2", "lustre", "beegfs"],
    }


@pytest.mark.root
def test_a_guest_for_which_there_is_no_package_is_told_of_before_any_work(tmp_path: Path, sample: Path) -> None:
    play = playbooks.contextualize(tmp_path, sample, site_filesystems=[PROFILE[4]])
    assert play.status == 2
    said = "pvfs2: no package is known that brings it to a guest with apt; name it in packages of that entry"
    assert said in play.output.replace("\\n", " ")
    assert not (tmp_path / "work").exists()
