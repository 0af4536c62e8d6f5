"""The pool as its users see it, from its head node, and what a run took."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

BUILD = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = BUILD / "cluster"
INSTANCES = ("node001-vm0", "node002-vm0")
DOMAIN = "clemson.example"
BOOT_SECONDS = 420
JOB_SECONDS = 120

FIGURES = pytest.StashKey[list[str]]()

SUBMIT = """\
executable = job.sh
arguments = $(Process) {arguments}
output = out.$(Process)
error = err.$(Process)
log = log
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
request_memory = 64M
request_disk = 1M
{lines}
queue {number}
"""


@dataclass(frozen=True)
class Jobs:
    """Jobs of one user's, submitted together from a folder of their own."""

    pool: Pool
    user: str
    folder: str
    cluster: int

    def wait(self) -> None:
        """Wait until all of them have ended."""
        self.pool.head.check_output(f"cd {self.folder} && condor_wait -wait {JOB_SECONDS} log")

    def states(self) -> list[int]:
        """Return the JobStatus of those in the queue: 1 is idle, 2 running."""
        return [ad["JobStatus"] for ad in self.pool.ads(f"condor_q -json -allusers {self.cluster}")]

    def ended(self) -> list[dict]:
        """Return the ads of those that have ended, by number."""
        ads = self.pool.ads(f"condor_history -json {self.cluster}")
        return sorted(ads, key=lambda ad: ad["ProcId"])

    def output(self, number: int = 0) -> str:
        errors = self.pool.head.file(f"{self.folder}/err.{number}").content_string
        assert errors == ""
        return self.pool.head.file(f"{self.folder}/out.{number}").content_string


@dataclass
class Pool:
    """The pool, reached as root on its head."""

    head: Host
    folders: int = field(default=0)

    def ads(self, command: str) -> list[dict]:
        return json.loads(self.head.check_output(command) or "[]")

    def slots(self) -> dict[str, dict]:
        """Return the ads of all slots, by the machine's name."""
        return {ad["Machine"]: ad for ad in self.ads("condor_status -json")}

    def workers(self) -> dict[str, dict]:
        """Return those of instances."""
        return {name: ad for name, ad in self.slots().items() if name.partition(".")[0] in INSTANCES}

    def submit(self, user: str, script: str, number: int = 1, lines: str = "", arguments: str = "") -> Jobs:
        """Submit jobs of a user's: a script, and more lines for the submit file."""
        folder, output = self.try_submit(user, script, number, lines, arguments)
        assert "submitted to cluster" in output, output
        return Jobs(self, user, folder, int(output.rpartition("cluster ")[2].split(".")[0]))

    def try_submit(self, user: str, script: str, number: int = 1, lines: str = "", arguments: str = "") -> tuple:
        self.folders += 1
        folder = f"/home/{user}/run{self.folders}"
        description = SUBMIT.format(number=number, lines=lines, arguments=arguments)
        self.head.check_output("mkdir %s", folder)
        for name, content in (("job.sh", script), ("run.sub", description)):
            self.head.check_output("printf %%s %s >%s/%s", content, folder, name)
        self.head.check_output("chmod 755 %s/job.sh; chown -R %s %s", folder, user, folder)
        done = self.head.run("cd %s && setpriv --reuid=%s --clear-groups condor_submit run.sub 2>&1", folder, user)
        return folder, done.stdout

    def wait_for(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                consoles = (f"{name}:\n{console(name)}" for name in INSTANCES)
                raise AssertionError("\n".join([f"{what} did not happen in {seconds} s; the consoles say", *consoles]))
            time.sleep(1)

    def negotiate(self) -> None:
        """Wait until two negotiations have begun and ended, so that each job was considered."""
        (before,) = self.ads("condor_status -negotiator -json")
        start = before["LastNegotiationCycleTime0"]

        def is_over() -> bool:
            (ad,) = self.ads("condor_status -negotiator -json")
            return ad.get("LastNegotiationCycleTime1", 0) > start and ad["LastNegotiationCycleTime0"] > start

        self.wait_for(is_over, 60, "the second negotiation")

    def press_power_button(self, name: str) -> None:
        os.spawnl(os.P_WAIT, sys.executable, sys.executable, str(PROJECT / "tools/pool.py"), str(CLUSTER), "off", name)


def console(name: str) -> str:
    """Return the end of what an instance wrote to its console."""
    return (CLUSTER / name / "serial.log").read_text(errors="replace")[-1500:]


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    proxy = f"{sys.executable} {PROJECT}/tools/pool.py {CLUSTER} proxy"
    control = BUILD / "head.control"
    head = testinfra.get_host(
        "ssh://root@head1",
        ssh_identity_file=str(BUILD / "ssh/id_ed25519"),
        ssh_extra_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
        f"-o ProxyCommand='{proxy}'",
        controlpath=str(control),
    )
    try:
        yield Pool(head)
    finally:
        if control.exists():
            os.spawnlp(os.P_WAIT, "ssh", "ssh", "-q", "-O", "exit", "-o", f"ControlPath={control}", "head1")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
