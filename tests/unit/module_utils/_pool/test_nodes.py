"""Which machines a batch system has: its answers as they were recorded, and what is made of them."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._pool import nodes
from ansible_collections.voc.cluster.plugins.module_utils._pool.nodes import Answer, Node, compare
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

HTCONDOR = [
    {"Machine": "node001-vm0.clemson.example", "LastHeardFrom": 1764028800},
    {"Machine": "head1.clemson.example", "LastHeardFrom": 1764028700},
    {"Machine": "node001-vm0.clemson.example", "LastHeardFrom": 1764028900},
]
SLURM = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=2  CPUAlloc=0 CPUEfctv=2 CPUTot=2 CPULoad=2.18"
    " AvailableFeatures=voc-star ActiveFeatures=voc-star Gres=(null) NodeAddr=10.16.0.100 NodeHostName={name}"
    " Version=24.11.5 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=24105 AllocMem=0 FreeMem=19350 Sockets=1"
    " Boards=1 State={state} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=voc-star "
    " BootTime=2026-11-25T03:00:00 SlurmdStartTime={began} LastBusyTime=2026-11-25T03:10:00 ResumeAfterTime=None"
    " CfgTRES=cpu=2,mem=24105M,billing=2 AllocTRES= CurrentWatts=0 AveWatts=0 Reason=State=IDLE says root \n"
)
BEGAN = "2026-11-25T03:05:00"


def slurm(name: str, state: str, began: str = BEGAN) -> str:
    return SLURM.format(name=name, state=state, began=began)


def test_a_machine_was_seen_when_its_last_slot_was() -> None:
    answer = compare({"node001-vm0": 1764028850, "Head1": 0}, nodes.read_htcondor(json.dumps(HTCONDOR)))
    assert answer == Answer(("node001-vm0", "Head1"), {})


@pytest.mark.parametrize("text", ["", "\n", "[]"])
def test_an_empty_pool_has_nothing(text: str) -> None:
    assert compare({"vm": 0}, nodes.read_htcondor(text)).missing == {"vm": "the batch system does not have it"}


def test_what_was_seen_before_the_start_is_an_earlier_machine() -> None:
    found = [Node("vm", 99.0)]
    assert compare({"vm": 99}, found).present == ("vm",)
    assert "an earlier machine" in compare({"vm": 100}, found).missing["vm"]


@pytest.mark.parametrize(
    ("state", "is_there"),
    [
        ("IDLE", True),
        ("IDLE+DYNAMIC_NORM", True),
        ("MIXED+CLOUD", True),
        ("ALLOCATED+DRAIN", True),
        ("UNKNOWN", False),
        ("IDLE*", False),
        ("DOWN*+CLOUD", False),
        ("IDLE+CLOUD+NOT_RESPONDING", False),
        ("IDLE+CLOUD+POWERED_DOWN", False),
        ("IDLE+CLOUD+POWERING_UP", False),
        ("IDLE+INVALID_REG", False),
    ],
)
def test_slurm_has_a_node_that_has_registered(state: str, is_there: bool) -> None:
    answer = compare({"vm": 0}, nodes.read_slurm(slurm("vm", state) + slurm("other", "DOWN")))
    assert answer == (Answer(("vm",), {}) if is_there else Answer((), {"vm": f"Slurm has it as {state}"}))


def test_slurm_tells_since_when_in_the_time_of_who_asks() -> None:
    began = time.mktime(time.strptime(BEGAN, "%Y-%m-%dT%H:%M:%S"))
    assert nodes.read_slurm(slurm("VM.example.org", "IDLE")) == [Node("vm", began)]
    assert nodes.read_slurm(slurm("vm", "IDLE", "None")) == [Node("vm", 0)]


def test_slurm_without_nodes_has_nothing() -> None:
    assert nodes.read_slurm("No nodes in the system\n") == []


@pytest.fixture
def condor(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name; what it answers is scripted."""
    program = tmp_path / "condor_status"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_it_asks_until_all_have_come_and_takes_no_failure_for_an_answer(condor: None) -> None:
    away = ("condor_status", completed(status=1, errors=b"Error: communication error\n"))
    runner = ScriptedRunner(
        away,
        ("condor_status", completed()),
        ("condor_status", completed(output=json.dumps(HTCONDOR).encode())),
    )
    pauses: list[float] = []
    assert nodes.wait(runner, "htcondor", {"node001-vm0": 0}, 60, pauses.append).present == ("node001-vm0",)
    assert len(pauses) == 2
    unknown = nodes.wait(ScriptedRunner(away), "htcondor", {"vm": 0}, 0).missing["vm"]
    assert unknown.startswith("it is unknown whether the batch system has it (condor_status failed with status 1")
    damaged = nodes.wait(ScriptedRunner(("condor_status", completed(output=b"[{"))), "htcondor", {"vm": 0}, 0)
    assert "unknown" in damaged.missing["vm"]


def test_a_batch_system_that_is_not_here_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match="scontrol"):
        nodes.wait(ScriptedRunner(), "slurm", {"vm": 0}, 60)
