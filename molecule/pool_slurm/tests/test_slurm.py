"""An instance becomes a node of Slurm's, and jobs of its VOC run there."""

from __future__ import annotations

import json
import re
import time

import pytest
from testinfra.host import Host

from ...pool.tests.cluster import BOOT_SECONDS, JOB_SECONDS, press_power_button, runs, times, wait_for

NODE = "acorn-vm0"
USER = "starsim"
EVENT = """\
#!/bin/sh
set -e
sleep ${2:-0}
read -r version <"$OSG_APP/star/version"
echo "event $1" >"$OSG_DATA/event.$1"
echo "$version on $(hostname) by $(id -un), event $1, $OSG_SQUID_LOCATION"
"""


def line(event: int) -> str:
    return f"STAR library SL10a on {NODE} by {USER}, event {event}, squid.bnl.example:3128\n"


def as_user(user: str, command: str) -> str:
    return f"cd /tmp && setpriv --reuid={user} --regid={user} --init-groups {command} 2>&1"


def node(head: Host) -> dict:
    """Return what Slurm says of the node, nothing while it knows none."""
    nodes = json.loads(head.check_output("scontrol --json show nodes"))["nodes"]
    return next((one for one in nodes if one["name"] == NODE), {})


@pytest.fixture(scope="module")
def worker(head: Host) -> dict:
    """The node of the instance, once it takes jobs, with a program in the shared area."""
    head.check_output("printf %%s %s >/export/data/event.sh; chmod 755 /export/data/event.sh", EVENT)
    wait_for(lambda: node(head).get("state") == ["IDLE", "DYNAMIC_NORM"], BOOT_SECONDS, "the joining of the instance")
    return node(head)


def test_it_joins_under_its_name_for_its_voc(worker: dict) -> None:
    assert worker["hostname"] == NODE
    assert worker["features"] == ["voc-star"]
    assert worker["partitions"] == ["voc-star"]


def test_its_address_is_a_lease(head: Host, worker: dict) -> None:
    (reserved,) = re.findall(
        rf"^dhcp-host=02:42:4e:4c:\S+,(10\.32\.\d+\.\d+),{NODE}$",
        head.file("/etc/dnsmasq.d/voc-cluster.conf").content_string,
        re.MULTILINE,
    )
    assert worker["address"] == reserved


def test_a_job_runs_in_it_and_returns_its_output(head: Host, worker: dict, figures: list[str]) -> None:
    output = head.run(as_user(USER, "srun -Q -p voc-star /star/data/event.sh 0")).stdout
    end = time.time()
    assert output == line(0)
    assert head.file("/export/data/event.0").content_string == "event 0\n"
    figures.append(f"job 0: {output.strip()}")
    figures += times({NODE: worker["slurmd_start_time"]["number"]}, [end])


def test_jobs_of_others_are_refused(head: Host, worker: dict) -> None:
    assert "not permitted to use this partition" in head.run(as_user("other", "srun -p voc-star hostname")).stdout


def test_a_job_outlives_the_power_button(head: Host, worker: dict) -> None:
    head.check_output(as_user(USER, "sbatch -p voc-star -D /star/data -o /star/data/output /export/data/event.sh 1 20"))
    wait_for(lambda: head.check_output("squeue -h -t R"), JOB_SECONDS, "the start of a job")
    press_power_button(NODE)
    wait_for(lambda: not runs(NODE), JOB_SECONDS, "the end of the instance")
    assert head.file("/export/data/output").content_string == line(1)
    assert node(head)["reason"] == "switched off"
