"""Jobs of a VOC run on its machines, others do not, and what that takes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time

import pytest

from .cluster import (
    BOOT_SECONDS,
    BUILD,
    CLUSTER,
    JOB_SECONDS,
    PROJECT,
    powered_on,
    press_power_button,
    runs,
    times,
    wait_for,
)
from .htcondor import ANALYSIS, DOMAIN, VERSION, Jobs, Pool

INSTANCES = ("node001-vm0", "node002-vm0")
EVENTS = 4
WHERE = "#!/bin/sh\nhostname\n"


@pytest.fixture(scope="module")
def analysis(pool: Pool) -> Jobs:
    """The VOC's jobs, submitted while its machines still boot."""
    return pool.submit("star", ANALYSIS, EVENTS)


@pytest.fixture(scope="module")
def workers(pool: Pool, analysis: Jobs) -> dict[str, dict]:
    """The slots of the instances, once all have joined."""
    wait_for(lambda: len(pool.workers()) == len(INSTANCES), BOOT_SECONDS, "the joining of all instances")
    return pool.workers()


def test_jobs_of_the_voc_do_not_run_elsewhere(pool: Pool, analysis: Jobs) -> None:
    pool.negotiate()
    head = pool.slots()[f"head1.{DOMAIN}"]
    assert head["State"] == "Unclaimed"
    assert analysis.states() == [1] * EVENTS or pool.workers()


def test_instances_join_under_their_names(workers: dict[str, dict]) -> None:
    assert sorted(workers) == [f"{name}.{DOMAIN}" for name in INSTANCES]
    assert {ad["VOCName"] for ad in workers.values()} == {"STAR"}
    assert {ad["AuthenticatedIdentity"] for ad in workers.values()} == {f"voc-star@{DOMAIN}"}


def test_the_head_is_asked_which_instances_have_joined(workers: dict[str, dict]) -> None:
    since: dict[str, float] = {name: powered_on(name) for name in INSTANCES}
    since |= {"ghost": 0, "head1": time.time() + 3600}
    options = {"scheduler": "htcondor", "instances": since, "timeout": 4}
    command = ["ansible", "head1", "-i", PROJECT / "inventories/clemson", "-i", PROJECT / "molecule/pool/hosts"]
    command += ["-e", f"clemson_build={BUILD}", "-e", f"pool_build={BUILD}", "-e", f"project={PROJECT}"]
    command += ["-m", "voc.cluster.batch_wait", "-a", json.dumps(options)]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    said = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT, env=plain).stdout
    answer = json.loads(said.partition("=>")[2])
    assert answer["present"] == list(INSTANCES)
    assert answer["missing"] == {
        "ghost": "the batch system does not have it",
        "head1": "the batch system knows an earlier machine of this name alone",
    }


def test_one_slot_an_instance_that_is_not_divided(workers: dict[str, dict]) -> None:
    assert [(ad["Name"].partition("@")[0], ad.get("PartitionableSlot", False)) for ad in workers.values()] == [
        ("slot1", False)
    ] * len(INSTANCES)


def test_jobs_of_the_voc_run_in_the_instances(pool: Pool, analysis: Jobs, workers: dict, figures: list[str]) -> None:
    analysis.wait()
    ads = analysis.ended()
    names = [ad["LastRemoteHost"].partition("@")[2] for ad in ads]
    assert set(names) <= set(workers)
    for number, name in enumerate(names):
        output = analysis.output(number)
        assert output == f"{VERSION} on {name}, event {number}, UNAVAILABLE\n"
        assert pool.head.file(f"/export/data/event.{number}").content_string == f"event {number}\n"
        figures.append(f"job {number}: {output.strip()}")
    joined = {name.partition(".")[0]: ad["DaemonStartTime"] for name, ad in workers.items()}
    figures += times(joined, [ad["CompletionDate"] for ad in ads])


@pytest.mark.parametrize("name", INSTANCES)
def test_each_instance_takes_jobs(pool: Pool, analysis: Jobs, workers: dict, name: str) -> None:
    """One that joined first may have run all that were waiting."""
    job = pool.submit("star", WHERE, lines=f'requirements = Machine == "{name}.{DOMAIN}"')
    job.wait()
    assert job.output() == f"{name}.{DOMAIN}\n"


def test_other_jobs_run_elsewhere_alone(pool: Pool, workers: dict[str, dict]) -> None:
    anywhere = pool.submit("other", WHERE)
    away = pool.submit("other", WHERE, lines=f'requirements = Machine != "head1.{DOMAIN}"')
    anywhere.wait()
    assert anywhere.output() == f"head1.{DOMAIN}\n"
    pool.negotiate()
    assert away.states() == [1]
    assert {ad["State"] for ad in pool.workers().values()} == {"Unclaimed"}
    pool.head.check_output(f"condor_rm {away.cluster}")


def test_a_voc_is_not_for_everybody_who_names_it(pool: Pool) -> None:
    _folder, said = pool.try_submit("other", WHERE, lines='+VOCName = "STAR"')
    assert "other does not belong to the VOC STAR" in said


def test_a_job_cannot_be_changed_into_the_vocs(pool: Pool) -> None:
    job = pool.submit("other", WHERE, lines="requirements = false")
    done = pool.head.run(f"setpriv --reuid=other --clear-groups condor_qedit {job.cluster} VOCName '\"STAR\"'")
    assert done.rc != 0
    (ad,) = pool.ads(f"condor_q -json -allusers {job.cluster}")
    assert ad.get("VOCName") != "STAR"
    pool.head.check_output(f"condor_rm {job.cluster}")


@pytest.mark.parametrize(("voc", "is_taken"), [('"STAR"', True), ('"ATLAS"', False), ("undefined", False)])
def test_a_token_is_good_for_its_own_voc(pool: Pool, workers: dict[str, dict], voc: str, is_taken: bool) -> None:
    name = f"slot1@impostor{len(voc)}"
    ad = f'MyType = "Machine"\nTargetType = "Job"\nName = "{name}"\nMachine = "impostor"\nVOCName = {voc}\n'
    pool.head.check_output("printf %%s %s >/root/ad", ad + 'MyAddress = "<10.16.0.99:9618>"\nState = "Owner"\n')
    pool.head.check_output(
        "install -d -m 700 /root/tokens && install -m 600 /etc/condor/voc-cluster-tokens/* /root/tokens/"
    )
    pool.head.run(
        "env _condor_SEC_TOKEN_SYSTEM_DIRECTORY=/root/tokens _condor_SEC_CLIENT_AUTHENTICATION_METHODS=IDTOKENS "
        "condor_advertise -tcp UPDATE_STARTD_AD /root/ad"
    )
    found = pool.ads(f"condor_status -any -json -constraint 'Name == \"{name}\"'")
    assert bool(found) == is_taken


def test_the_release_is_shared_and_unchanged(workers: dict[str, dict]) -> None:
    manifest = json.loads((BUILD / "clemson/releases/starworker/current/manifest.json").read_text())
    release = BUILD / "clemson/releases/starworker/current" / manifest["file"]
    for name in INSTANCES:
        command = ["qemu-img", "info", "-U", "--output=json", CLUSTER / name / "disk.qcow2"]
        seen = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        assert seen["full-backing-filename"] == str(release.resolve())
    with release.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == manifest["sha256"]


def test_a_job_outlives_the_power_button(pool: Pool, workers: dict[str, dict]) -> None:
    job = pool.submit("star", ANALYSIS, arguments="20")
    wait_for(lambda: job.states() == [2], JOB_SECONDS, "the start of a job")
    (running,) = pool.ads(f"condor_q -json -allusers {job.cluster}")
    machine = running["RemoteHost"].partition("@")[2]
    pool.head.check_output("rm -f /export/data/event.0")
    press_power_button(machine.partition(".")[0])
    job.wait()
    (ad,) = job.ended()
    assert (ad["NumJobStarts"], ad["ExitCode"]) == (1, 0)
    assert job.output().startswith(f"{VERSION} on {machine}, event 0")
    wait_for(lambda: not runs(machine.partition(".")[0]), JOB_SECONDS, f"the end of {machine}")
    assert machine not in pool.slots()
