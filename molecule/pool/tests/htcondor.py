"""A pool of HTCondor as its users see it, from its head node."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.host import Host

from .cluster import JOB_SECONDS, wait_for

DOMAIN = "clemson.example"
VERSION = "STAR library SL10a"

# What the grid promises: software of the VO to read, an area to write to, both by their variables.
ANALYSIS = """\
#!/bin/sh
set -e
sleep ${2:-5}
read -r version <"$OSG_APP/star/version"
echo "event $1" >"$OSG_DATA/event.$1"
echo "$version on $(hostname), event $1, $OSG_SITE_READ"
"""

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
    number: int

    def wait(self) -> None:
        """Wait until all of them have ended."""
        self.pool.head.check_output(f"cd {self.folder} && condor_wait -wait {JOB_SECONDS} log")

    def states(self) -> list[int]:
        """Return the JobStatus of those in the queue: 1 is idle, 2 running."""
        return [ad["JobStatus"] for ad in self.pool.ads(f"condor_q -json -allusers {self.cluster}")]

    def ended(self) -> list[dict]:
        """Return their ads by number, once all have ended: the log says so before the history does."""

        def ads() -> list[dict]:
            return self.pool.ads(f"condor_history -json {self.cluster}")

        wait_for(lambda: len(ads()) == self.number, JOB_SECONDS, "the history of all jobs")
        return sorted(ads(), key=lambda ad: ad["ProcId"])

    def output(self, number: int = 0) -> str:
        errors = self.pool.head.file(f"{self.folder}/err.{number}").content_string
        assert errors == ""
        return self.pool.head.file(f"{self.folder}/out.{number}").content_string


@dataclass(frozen=True)
class Pool:
    """The pool, reached as root on its head."""

    head: Host

    def ads(self, command: str) -> list[dict]:
        return json.loads(self.head.check_output(command) or "[]")

    def slots(self) -> dict[str, dict]:
        """Return the ads of all slots, by the machine's name."""
        return {ad["Machine"]: ad for ad in self.ads("condor_status -json")}

    def workers(self) -> dict[str, dict]:
        """Return those of instances: all but the head's own."""
        return {name: ad for name, ad in self.slots().items() if not name.startswith("head1.")}

    def submit(self, user: str, script: str, number: int = 1, lines: str = "", arguments: str = "") -> Jobs:
        """Submit jobs of a user's: a script, and more lines for the submit file."""
        folder, output = self.try_submit(user, script, number, lines, arguments)
        assert "submitted to cluster" in output, output
        return Jobs(self, user, folder, int(output.rpartition("cluster ")[2].split(".")[0]), number)

    def try_submit(self, user: str, script: str, number: int = 1, lines: str = "", arguments: str = "") -> tuple:
        folder = self.head.check_output("mktemp -d %s", f"/home/{user}/run.XXXXXX")
        description = SUBMIT.format(number=number, lines=lines, arguments=arguments)
        for name, content in (("job.sh", script), ("run.sub", description)):
            self.head.check_output("printf %%s %s >%s/%s", content, folder, name)
        self.head.check_output("chmod 755 %s/job.sh; chown -R %s %s", folder, user, folder)
        done = self.head.run("cd %s && setpriv --reuid=%s --clear-groups condor_submit run.sub 2>&1", folder, user)
        return folder, done.stdout

    def negotiate(self) -> None:
        """Wait until two negotiations have begun and ended, so that each job was considered."""
        (before,) = self.ads("condor_status -negotiator -json")
        start = before["LastNegotiationCycleTime0"]

        def is_over() -> bool:
            (ad,) = self.ads("condor_status -negotiator -json")
            return ad.get("LastNegotiationCycleTime1", 0) > start and ad["LastNegotiationCycleTime0"] > start

        wait_for(is_over, JOB_SECONDS, "the second negotiation")
