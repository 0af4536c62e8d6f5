"""A worker that can call, and cannot be called, joins the pool and runs a job."""

from __future__ import annotations

import re

import pytest

from ...pool.tests.cluster import BOOT_SECONDS, times, wait_for
from ...pool.tests.htcondor import ANALYSIS, DOMAIN, VERSION, Jobs, Pool

# Where an instance is in the network that QEMU makes for it alone.
INSIDE = "10.0.2.15"
HEAD = "10.16.0.100"


@pytest.fixture(scope="module")
def analysis(pool: Pool) -> Jobs:
    """The VOC's job, submitted while its machine still boots."""
    return pool.submit("star", ANALYSIS)


@pytest.fixture(scope="module")
def worker(pool: Pool, analysis: Jobs) -> dict:
    """The slot of the instance, once it has joined."""
    wait_for(pool.workers, BOOT_SECONDS, "the joining of the instance")
    (ad,) = pool.workers().values()
    return ad


def test_the_head_cannot_reach_it(pool: Pool, worker: dict) -> None:
    assert worker["MyAddress"].startswith(f"<{INSIDE}:9618?")
    assert "unreachable" in pool.head.run(f"ip route get {INSIDE}").stderr


def test_it_can_be_asked_to_call(worker: dict) -> None:
    assert re.search(rf"[?&]CCBID={re.escape(HEAD)}:9618(%3f[^&#]*)?#\d+", worker["MyAddress"])


def test_it_joins_as_a_machine_of_its_voc_under_a_name_of_its_own(worker: dict) -> None:
    assert re.fullmatch(r"voc-[0-9a-f]{12}", worker["Machine"].partition(".")[0])
    assert worker["VOCName"] == "STAR"
    assert worker["AuthenticatedIdentity"] == f"voc-star@{DOMAIN}"


def test_a_job_of_the_voc_runs_in_it(pool: Pool, analysis: Jobs, worker: dict, figures: list[str]) -> None:
    analysis.wait()
    (ad,) = analysis.ended()
    assert ad["LastRemoteHost"].partition("@")[2] == worker["Machine"]
    output = analysis.output()
    assert output == f"{VERSION} on {worker['Machine']}, event 0, UNAVAILABLE\n"
    assert pool.head.file("/export/data/event.0").content_string == "event 0\n"
    figures.append(f"job 0: {output.strip()}")
    figures += times({"outside": worker["DaemonStartTime"]}, [ad["CompletionDate"]])


def test_the_pool_reached_it_by_asking_it_to_call(pool: Pool, analysis: Jobs, worker: dict) -> None:
    """Only so could it be told of the job."""
    analysis.wait()

    def was_asked() -> bool:
        (ad,) = pool.ads("condor_status -collector -json")
        return ad.get("CCBRequestsSucceeded", 0) > 0

    wait_for(was_asked, 60, "a call that the collector asked for")
