"""The role vo_pool: a worker of a VO's own pool, whatever batch system the site has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant, tool

from .fitting import UNIT, Fitted, fit, names, permissions, read
from .playbooks import ROOT, SECONDS

GUEST = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
    "/etc/condor/passwords.d/POOL": "the key of a pool",
    "/usr/lib/systemd/system/condor.service": UNIT,
}
POOL = {"collector": "cm.star.example.org:9619", "domain": "star.example.org", "token": "eyJhbGciOi.eyJpc3Mi.c2ln\n"}
SLURM = {"scheduler": "slurm", "head": "h", "secrets": "/none", "vocs": [{"name": "STAR"}]}
GOOD = {
    "default": {"voc_name": "STAR", "voc_pool": POOL},
    "special": {
        "voc_name": "STAR",
        "voc_pool": {
            **POOL,
            "collector": "cm.star.example.org",
            "idle": 60,
            "slots": "static",
            "start": "TARGET.Owner =!= undefined",
            "settings": {"GLIDEIN_Site": '"Clemson"', "STARTD_ATTRS": "$(STARTD_ATTRS) GLIDEIN_Site"},
        },
    },
    # Nobody listens there.
    "hurried": {
        "voc_name": "STAR",
        "voc_pool": {**POOL, "collector": "127.0.0.1:1", "idle": 5, "settings": {"UPDATE_INTERVAL": 5}},
    },
    "none": {"site_filesystems": []},
}
BAD = {
    "nameless": ({"voc_pool": POOL}, "and a voc_name"),
    "tokenless": ({"voc_name": "STAR", "voc_pool": {**POOL, "token": ""}}, "domain and token must be given"),
    "longer": ({"voc_name": "STAR", "voc_pool": {**POOL, "domain": "a\n"}}, "domain and token must be given"),
    "expression": ({"voc_name": "STAR", "voc_pool": {**POOL, "start": "(A"}}, "START is not a ClassAd expression: (A"),
}

TREE = ROOT / "build/head/trixie"
# HTCondor on a tree of its own, with no network and no systemd: `shutdown` says that it was called.
WORKER = """
set -e
cd "$1"
mount -t tmpfs tmpfs memory
mkdir memory/changes memory/work
mount -t overlay -o lowerdir="$2",upperdir=memory/changes,workdir=memory/work overlay tree
chown "$(stat -c %u:%g "$2/var/log/condor")" log
mount --bind log tree/var/log/condor
cp config tree/etc/condor/config.d/50-voc-cluster.config
cp end tree/usr/local/sbin/voc-cluster-end
printf '#!/bin/sh\nid -u >/var/log/condor/end; echo "$@" >>/var/log/condor/end\n' >shutdown
chmod 755 shutdown tree/usr/local/sbin/voc-cluster-end
rm -f tree/usr/sbin/shutdown
mv shutdown tree/usr/sbin
ip link set lo up
# It looks for its own name two minutes long, each daemon by itself.
hostname worker
echo 127.0.0.1 worker >>tree/etc/hosts
mount -t proc proc tree/proc
mount --rbind /dev tree/dev
mount -t tmpfs tmpfs tree/run
exec env -u CONDOR_CONFIG chroot tree sh -c 'install -d -o condor /run/condor /run/lock/condor; condor_master -f'
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("vo_pool")
    guest = make_ext(folder / "guest", plant(folder / "tree", GUEST), options=("-E", "root_owner=0:0"))
    site = {"site_batch": SLURM, "site_filesystems": [{"source": "nfs1:/app", "path": "/grid/app", "type": "nfs"}]}
    special = {**GOOD, **{name: variables for name, (variables, _said) in BAD.items()}}
    variables = {name: {**site, **own} for name, own in special.items()}
    return fit(folder, ["filesystems", "vo_pool"], dict.fromkeys(special, guest), variables, again=GOOD)


def settings(image: Path) -> dict[str, str]:
    """Return the last value of each setting, as HTCondor takes it."""
    lines = read(image, "/etc/condor/config.d/50-voc-cluster.config").splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line and not line.startswith("#"))


def test_it_joins_by_outgoing_connections(fitted: Fitted) -> None:
    found = settings(fitted.images["default"])
    assert found["CONDOR_HOST"] == "cm.star.example.org"
    assert found["COLLECTOR_HOST"] == "cm.star.example.org:9619"
    assert found["TRUST_DOMAIN"] == found["UID_DOMAIN"] == "star.example.org"
    assert found["CCB_ADDRESS"] == "$(COLLECTOR_HOST)"
    assert found["USE_SHARED_PORT"] == "True"


def test_it_ends_when_there_is_no_work(fitted: Fitted) -> None:
    assert settings(fitted.images["default"])["STARTD_NOCLAIM_SHUTDOWN"] == "1200"
    program = settings(fitted.images["default"])["DEFAULT_MASTER_SHUTDOWN_SCRIPT"]
    assert permissions(fitted.images["default"], program) == ("0755", 0, 0)
    assert "shutdown -h now" in read(fitted.images["default"], program)


@pytest.mark.root
def test_htcondor_itself_ends_when_there_is_no_work(fitted: Fitted, tmp_path: Path) -> None:
    tool(ROOT / "tools/make-head-tree", TREE)
    image = fitted.images["hurried"]
    for name, path in (
        ("config", "/etc/condor/config.d/50-voc-cluster.config"),
        ("end", "/usr/local/sbin/voc-cluster-end"),
    ):
        (tmp_path / name).write_text(read(image, path))
    for name in ("memory", "tree", "log"):
        (tmp_path / name).mkdir()
    spaces = ("--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child")
    script = ("sh", "-c", WORKER, "sh", str(tmp_path), str(TREE))
    done = subprocess.run(["unshare", *spaces, *script], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (tmp_path / "log/end").exists(), done.stderr + (tmp_path / "log/MasterLog").read_text()
    assert (tmp_path / "log/end").read_text().splitlines() == ["0", "-h now"]


def test_the_vo_says_which_jobs_run(fitted: Fitted) -> None:
    assert settings(fitted.images["default"])["START"] == "True"
    found = settings(fitted.images["special"])
    assert found["START"] == "TARGET.Owner =!= undefined"
    assert found["GLIDEIN_Site"] == '"Clemson"'
    assert found["STARTD_NOCLAIM_SHUTDOWN"] == "60"
    assert "use FEATURE: StaticSlots" in read(fitted.images["special"], "/etc/condor/config.d/50-voc-cluster.config")


def test_it_has_its_token_alone(fitted: Fitted) -> None:
    image = fitted.images["default"]
    assert read(image, "/etc/condor/tokens.d/voc-star") == POOL["token"]
    assert permissions(image, "/etc/condor/tokens.d/voc-star") == ("0600", 0, 0)
    assert "passwords.d" not in names(image, "/etc/condor")
    assert POOL["token"].strip() not in fitted.first


def test_it_waits_for_the_sites_filesystems(fitted: Fitted) -> None:
    image = fitted.images["default"]
    assert " sh /grid/app\n" in read(image, "/etc/systemd/system/condor.service.d/50-voc-cluster.conf")
    assert "x-systemd.before=condor.service" in read(image, "/etc/fstab")
    assert "condor.service" in names(image, "/etc/systemd/system/multi-user.target.wants")


def test_without_a_pool_an_image_is_left_alone(fitted: Fitted) -> None:
    assert fitted.is_untouched("none")


@pytest.mark.parametrize("host", GOOD)
def test_a_second_run_changes_nothing(host: str, fitted: Fitted) -> None:
    assert fitted.is_stable(host), fitted.second


@pytest.mark.parametrize("host", BAD)
def test_what_could_not_work_is_refused(host: str, fitted: Fitted) -> None:
    assert BAD[host][1] in fitted.refusal(host)
