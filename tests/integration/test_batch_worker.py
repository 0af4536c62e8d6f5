"""The role batch_worker on small images without a system in them, and whether head and worker agree."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant, tool

from .fitting import UNIT, Fitted, fit, names, permissions, read
from .playbooks import ROOT

GUEST = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nmunge:x:103:104::/:/bin/false\n",
    "/etc/group": "root:x:0:\nmunge:x:104:\n",
    "/etc/condor/passwords.d/POOL": "the key of a pool",
    "/etc/munge/munge.key": "a key of another site",
    **{f"/usr/lib/systemd/system/{name}.service": UNIT for name in ("condor", "slurmd", "munge")},
}
TRICKY = 'it\'s "$(HOME)" $OSG_APP'
FIXED = {"name": "atlas", "users": ["a", "star"], "nodes": "atlas-[1-9]", "cpus": 8, "memory": 15000}
BATCH = {
    "head": "head1.example.org",
    "domain": "example.org",
    "vocs": [{"name": "STAR", "users": ["star"]}, FIXED],
}
# One play for all of them: hosts of one inventory, some of which must fail.
GOOD: dict[str, dict] = {
    "condor": {"batch": {"scheduler": "htcondor", "nat": True, "retirement": 1000}},
    "dynamic": {"batch": {"scheduler": "slurm"}},
    "fixed": {"batch": {"scheduler": "slurm"}, "voc_name": "atlas"},
    "alone": {"site_batch": {}, "site_filesystems": []},
}
BAD: dict[str, tuple[dict, str]] = {
    "stranger": ({"voc_name": "CMS"}, "there is no VOC CMS in site_batch.vocs"),
    "tokenless": ({"voc_name": "atlas"}, "voc-atlas.token to join the pool with; the role batch_head puts it there"),
    "expression": ({"batch_worker_settings": {"START": "(A =?= B"}}, "START is not a ClassAd expression: (A =?= B"),
    "line": ({"batch_worker_settings": {"A": "1\nFOO bar"}}, "'FOO bar': it is not a setting"),
    "head": (
        {"batch": {"head": 'h"; x'}, "site_filesystems": []},
        "head and, for HTCondor, domain must be given as host names",
    ),
    "newline": ({"batch": {"head": "head1\n"}, "site_filesystems": []}, "must be given as"),
    "texts": (
        {"batch": {"retirement": "600", "nat": "no", "vocs": [{"name": "STAR", "users": "starsim"}]}},
        "site_batch.nat is true or false, and no text; site_batch.retirement is a number, and no text; "
        "site_batch.vocs[].users is a list, and no text",
    ),
    "address": (
        {"batch": {"scheduler": "slurm", "head": "10.0.0.5"}, "site_filesystems": []},
        "Slurm needs a host name as head",
    ),
    "unknown": (
        {
            "batch": {"scheduler": "slurm", "vocs": [{"name": "STAR", "nodes": "star-[1-2]", "cpus": 1}]},
            "site_filesystems": [],
        },
        "cpus and memory of each",
    ),
    "twice": (
        {
            "batch": {"scheduler": "slurm", "vocs": [FIXED, {**FIXED, "name": "B", "nodes": "b-[08-10],atlas-9"}]},
            "site_filesystems": [],
        },
        "twice in one, as atlas-9 is",
    ),
    "case": (
        {"batch": {"vocs": [{"name": "star"}, {"name": "STAR"}]}, "site_filesystems": []},
        "differ not only in case",
    ),
}
SENDERS = {'"STAR"': '"voc-star@example.org"', "undefined": '"condor@family"'}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("batch")
    tree = plant(folder / "tree", GUEST)
    image = make_ext(folder / "image", tree, options=("-E", "root_owner=0:0"))
    secrets = plant(folder / "secrets", {"voc-star.token": "the.token\n", "munge.key": "k" * 128})
    hosts = {**GOOD, **{name: bad for name, (bad, _said) in BAD.items()}}
    variables = {name: profile(secrets, **special) for name, special in hosts.items()}
    return fit(folder, ["filesystems", "batch_worker"], dict.fromkeys(hosts, image), variables, again=GOOD)


def profile(secrets: Path, batch: dict | None = None, **variables: object) -> dict[str, object]:
    """Return an image's variables, with those of its site."""
    return {
        "voc_name": "STAR",
        "site_grid": {"OSG_APP": "/grid/app", "SITE_TRICKY": TRICKY},
        "site_scratch": {"path": "/scratch"},
        "site_filesystems": [{"source": "nfs1:/app", "path": "/grid/app", "type": "nfs"}] if batch else [],
        "site_batch": {"scheduler": "htcondor", **BATCH, "secrets": str(secrets), **(batch or {})},
        **variables,
    }


def test_an_htcondor_worker(fitted: Fitted) -> None:
    image = fitted.images["condor"]
    config = read(image, "/etc/condor/config.d/50-voc-cluster.config").splitlines()
    assert 'VOCName = "STAR"' in config
    assert {"UID_DOMAIN = example.org", "TRUST_DOMAIN = example.org"} <= set(config)
    assert "CCB_ADDRESS = $(COLLECTOR_HOST)" in config
    assert "MAXJOBRETIREMENTTIME = 1000" in config
    (environment,) = (line for line in config if line.startswith("STARTER_JOB_ENVIRONMENT"))
    assert """SITE_TRICKY='it''s ""$(DOLLAR)(HOME)"" $OSG_APP'""" in environment
    assert "OSG_WN_TMP='/scratch'" in environment
    assert "OSG_DATA='UNAVAILABLE'" in environment


def test_a_worker_has_its_token_and_no_key_of_the_pool(fitted: Fitted) -> None:
    image = fitted.images["condor"]
    assert read(image, "/etc/condor/tokens.d/voc-star") == "the.token\n"
    assert permissions(image, "/etc/condor/tokens.d") == ("0700", 0, 0)
    assert permissions(image, "/etc/condor/tokens.d/voc-star") == ("0600", 0, 0)
    assert "passwords.d" in names(fitted.images["alone"], "/etc/condor")
    assert "passwords.d" not in names(image, "/etc/condor")
    assert "the.token" not in fitted.first


@pytest.mark.parametrize(("host", "unit"), [("condor", "condor.service"), ("dynamic", "slurmd.service")])
def test_the_unit_waits_for_mounts_and_jobs(host: str, unit: str, fitted: Fitted) -> None:
    image = fitted.images[host]
    drop_in = read(image, f"/etc/systemd/system/{unit}.d/50-voc-cluster.conf")
    assert " sh /grid/app\n" in drop_in
    expected = "KillSignal=SIGTERM\nTimeoutStopSec=1600\n" if host == "condor" else "\nConditionPathExists=\n"
    assert expected in drop_in
    assert f"x-systemd.before={unit}" in read(image, "/etc/fstab")
    assert {unit, "voc-cluster-name.service"} <= names(image, "/etc/systemd/system/multi-user.target.wants")


@pytest.mark.parametrize(("host", "feature"), [("dynamic", " -Z --conf 'Feature=voc-star'"), ("fixed", "")])
def test_a_slurm_worker(host: str, feature: str, fitted: Fitted, tmp_path: Path) -> None:
    image = fitted.images[host]
    options = read(image, "/etc/slurm/voc-cluster-slurmd").splitlines()[-1]
    assert options == f'SLURMD_OPTIONS="--conf-server head1.example.org:6817{feature}"'
    assert "EnvironmentFile=/etc/slurm/voc-cluster-slurmd\n" in read(
        image, "/etc/systemd/system/slurmd.service.d/50-voc-cluster.conf"
    )
    assert read(image, "/etc/munge/munge.key") == "k" * 128
    assert permissions(image, "/etc/munge") == ("0700", 103, 104)
    assert permissions(image, "/etc/munge/munge.key") == ("0400", 103, 104)
    script = tmp_path / "environment"
    script.write_text(read(image, "/etc/slurm/voc-cluster-environment"))
    assert f"export SITE_TRICKY={TRICKY}\n" in tool("sh", script)


@pytest.mark.parametrize("host", GOOD)
def test_a_second_run_changes_nothing(host: str, fitted: Fitted) -> None:
    assert fitted.is_stable(host), fitted.second


@pytest.mark.parametrize("host", BAD)
def test_what_could_not_work_is_refused(host: str, fitted: Fitted) -> None:
    assert BAD[host][1] in fitted.refusal(host)
    assert fitted.is_untouched(host)


def test_without_a_batch_system_an_image_is_left_alone(fitted: Fitted) -> None:
    assert fitted.is_untouched("alone")


def test_head_and_worker_agree(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the head lets a job run are the machines of its VOC alone, and they take it."""
    config = read(fitted.images["condor"], "/etc/condor/config.d/50-voc-cluster.config")
    start = re.search(r"^START = \(\$\(START\)\) && (.+)$", config, re.MULTILINE)
    head = (ROOT / "roles/batch_head/templates/htcondor.config.j2").read_text()
    place = re.search(r"^  SET VOCPlace (.+?)^@end$", head, re.MULTILINE | re.DOTALL)
    assert start
    assert place
    # With the functions of HTCondor's own, such as split. Where this is not set it sets it for good, and HTCondor's
    # programs in other tests would find no configuration.
    monkeypatch.setenv("CONDOR_CONFIG", "ONLY_ENV")
    classads = importlib.import_module("htcondor2").classad
    where = place.group(1).replace("\\\n", "")
    for voc, other in (('"STAR"', '"STAR"'), ('"STAR"', '"star"'), ('"STAR"', "undefined"), ("undefined", '"STAR"')):
        # What the collector makes of the machine's ad, and what the machine itself has.
        for sender in (f"AuthenticatedIdentity = {SENDERS[voc]};", ""):
            text = f'MyType = "Machine"; {sender} VOCName = {voc}; Requirements = {start.group(1)}'
            machine = classads.ClassAd(f"[{text}]")
            job = classads.ClassAd(f"[VOCName = {other}; VOCPlace = {where}; Requirements = MY.VOCPlace]")
            assert machine.symmetricMatch(job) == (voc == other)
