"""A head of Slurm, set up by its role in a container, and a worker with what batch_worker writes: they run a job.

The worker is on the head's own machine, because two containers on one network would be one host to Slurm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant, tool

from .fitting import write_play
from .head_node import NAME, Head, play, started
from .playbooks import ROOT, run
from .test_batch_worker import GUEST

pytestmark = pytest.mark.root

WRITTEN = (
    "/etc/slurm/voc-cluster-slurmd",
    "/etc/slurm/voc-cluster-environment",
    "/etc/systemd/system/slurmd.service.d/50-voc-cluster.conf",
)
# A node is named as its machine is, in short, which batch_worker sees to in an instance.
PREPARE = "hostname head1; useradd -m star; useradd -m other; echo 10.16.0.7 fixed-1 fixed-2 >>/etc/hosts"
KEY = "sha256sum </etc/munge/munge.key"
WAIT = """\
- name: Wait
  hosts: instances
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: voc.cluster.instance, tasks_from: batch}
    - ansible.builtin.command: {argv: [hostname]}
      delegate_to: localhost
"""
JOB = '#!/bin/sh\nsleep ${1:-0}\necho "$OSG_APP on $(hostname)"\n'


@dataclass(frozen=True)
class Slurm:
    """The head as its role has set it up.

    Attributes:
        made: the keys that were on the controller after a check of the new head.
        recaps: what Ansible said of the two runs after that.
    """

    head: Head
    inventory: Path
    made: list[Path]
    recaps: tuple[str, str]

    def run(self, script: str) -> str:
        return self.head.run(script)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    folder = tmp_path_factory.mktemp("head")
    with started(folder) as machine:
        machine.run(PREPARE)
        inventory = write_inventory(machine)
        play(inventory, ROOT / "playbooks/head.yml", "--check")
        made = list(folder.glob("secrets/*"))
        first, second = (play(inventory, ROOT / "playbooks/head.yml") for _time in range(2))
        install_worker(machine, inventory)
        yield Slurm(machine, inventory, made, (first, second))


def write_inventory(head: Head) -> Path:
    image = make_ext(head.folder / "image", plant(head.folder / "tree", GUEST), options=("-E", "root_owner=0:0"))
    site = {
        "site_grid": {"OSG_APP": "/grid/app"},
        # What only images need is not there when a head is set up.
        "site_users": "{{ undef('for images') if inventory_hostname in groups.batch_heads else [] }}",
        "site_batch": {
            "scheduler": "slurm",
            "head": NAME,
            "secrets": str(head.folder / "secrets"),
            "vocs": [
                {"name": "STAR", "users": ["star"]},
                {"name": "FIXED", "users": ["star"], "nodes": "fixed-[1-2]", "cpus": 8, "memory": 15000},
            ],
        },
    }
    worker = {"image_source": str(image), "image_work": str(image), "voc_name": "STAR"}
    return head.write_inventory(site, {"worker": worker})


def install_worker(head: Head, inventory: Path) -> None:
    """Let batch_worker fit an image, and start a worker with the files that it wrote."""
    play(inventory, write_play(head.folder, ["filesystems", "batch_worker"]))
    for path in WRITTEN:
        content = tool("debugfs", "-R", f'cat "{path}"', head.folder / "image")
        head.run(f"mkdir -p {Path(path).parent}; cat >{path} <<'END'\n{content}END\nchmod 755 {path}\n")
    head.run("systemctl daemon-reload; systemctl start slurmd")


def wait_play(folder: Path, slurm: Slurm, timeout: int) -> str:
    """Let the role wait for two instances, of which one never comes, and return what Ansible says."""
    inventory = json.loads(slurm.inventory.read_text())
    running = {"instance_result": {"unseen": True, "started": 0}, "instance_hypervisor": "localhost"}
    inventory["instances"] = {
        "hosts": {"head1": {}, "ghost": {}},
        "vars": {**running, "instance_state": "present", "site_instances": {"timeout": timeout}},
    }
    (folder / "waiting.json").write_text(json.dumps(inventory))
    (folder / "waiting.yml").write_text(WAIT)
    return run("-i", folder / "waiting.json", folder / "waiting.yml").output


def submit(head: Slurm, user: str, words: str) -> str:
    """Submit a job as a user, wait for its end where it is taken, and return all that is said."""
    return head.run(
        f"cd /home/{user} && cat >job.sh <<'END'\n{JOB}END\n"
        f"setpriv --reuid={user} --regid={user} --init-groups sbatch -p voc-star -o out {words}; cat out"
    )


def test_a_second_run_changes_nothing(head: Slurm) -> None:
    first, second = head.recaps
    assert not re.search(r"changed=0 ", first), first
    assert re.search(r"changed=0 ", second), second


def test_a_check_makes_nothing(head: Slurm) -> None:
    assert not head.made


def test_a_lost_key_is_taken_back_from_the_head(head: Slurm) -> None:
    kept = head.head.folder / "secrets/munge.key"
    key = kept.read_text()
    kept.unlink()
    assert re.search(r"changed=1 ", play(head.inventory, ROOT / "playbooks/head.yml", "--check"))
    assert not kept.exists()
    on_head = head.run(KEY)
    assert re.search(r"changed=1 ", play(head.inventory, ROOT / "playbooks/head.yml"))
    assert head.run(KEY) == on_head
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (key, 0o600)


def test_fixed_nodes_are_as_large_as_they_are(head: Slurm) -> None:
    said = head.run("scontrol show node fixed-2")
    assert "CPUTot=8 " in said
    assert "RealMemory=15000 " in said


def test_keys_are_readable_for_their_users_alone(head: Slurm) -> None:
    assert head.run("stat -c '%a %U' /etc/munge/munge.key").split() == ["400", "munge"]


def test_a_job_of_the_voc_runs_on_its_node(head: Slurm) -> None:
    said = submit(head, "star", "--wait job.sh")
    assert said.endswith("/grid/app on head1\n"), said


def test_jobs_of_others_do_not(head: Slurm) -> None:
    assert "not permitted to use this partition" in submit(head, "other", "job.sh")


def test_instances_are_waited_for_and_each_is_told_of_its_own(head: Slurm, tmp_path: Path) -> None:
    said = wait_play(tmp_path, head, 3)
    assert "ghost runs, but did not join: the batch system does not have it." in said
    assert re.search(r"head1 +: ok=3 .*failed=0", said), said
    assert re.search(r"ghost +: .*failed=1", said), said


def test_a_node_that_is_switched_off_waits_for_its_job_and_comes_back(head: Slurm) -> None:
    submit(head, "star", "job.sh 8")
    head.run('for i in $(seq 60); do [ -n "$(squeue -h -t R)" ] && break; sleep 1; done')
    said = head.run("systemctl stop slurmd; squeue -h; cat /home/star/out; sinfo -h -n head1 -o %T")
    assert said == "/grid/app on head1\ndrained\n"
    again = head.run(
        'systemctl start slurmd; for i in $(seq 60); do [ "$(sinfo -h -n head1 -o %T)" = idle ] && break; sleep 1; '
        "done; sinfo -h -n head1 -o %T"
    )
    assert again == "idle\n"
