"""A head of Slurm, set up by its role in a container, and a worker with what batch_worker writes: they run a job.

The worker is on the head's own machine, because two containers on one network would be one host to Slurm.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant, tool

from .fitting import write_play
from .playbooks import ROOT, SECONDS, run
from .test_batch_worker import GUEST

pytestmark = pytest.mark.root

TREE = ROOT / "build/head/trixie"
NAME = "head1.example.org"
WRITTEN = (
    "/etc/slurm/voc-cluster-slurmd",
    "/etc/slurm/voc-cluster-environment",
    "/etc/systemd/system/slurmd.service.d/50-voc-cluster.conf",
)
# A node is named as its machine is, in short, which batch_worker sees to in an instance.
PREPARE = f"hostname head1; useradd -m star; useradd -m other; echo 10.16.0.100 {NAME} head1 >>/etc/hosts"
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
class Head:
    """The container, and what Ansible says of two runs of its role."""

    proxy: str
    key: Path
    recaps: tuple[str, str]

    def run(self, script: str) -> str:
        """Run a script as root and return all that it prints."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        command = ["ssh", "-i", str(self.key), *(f"-o{option}" for option in options), f"-oProxyCommand={self.proxy}"]
        done = subprocess.run(
            [*command, "root@head1", "sh"], input=script, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    tool(ROOT / "tools/make-head-tree", TREE)
    folder = tmp_path_factory.mktemp("head")
    key = folder / "key"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    pool = [sys.executable, str(ROOT / "tools/pool.py"), str(folder / "cluster")]
    try:
        tool(*pool, "up", f"--tree={TREE}", f"--name={NAME}", "--address=10.16.0.100/24", f"--key={key}.pub")
        head = Head(" ".join([*pool, "proxy"]), key, ("", ""))
        head.run(PREPARE)
        inventory = write_inventory(folder, head)
        first, second = (play(inventory, ROOT / "playbooks/head.yml") for _time in range(2))
        install_worker(folder, head, inventory)
        yield Head(head.proxy, key, (first, second))
    finally:
        tool(*pool, "down")
        reap()


def reap() -> None:
    """Take note of the end of what ssh left: this process has adopted it, and the container's init waits for that."""
    end = time.monotonic() + 10
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)


def write_inventory(folder: Path, head: Head) -> Path:
    image = make_ext(folder / "image", plant(folder / "tree", GUEST), options=("-E", "root_owner=0:0"))
    site = {
        "site_grid": {"OSG_APP": "/grid/app"},
        "site_batch": {
            "scheduler": "slurm",
            "head": NAME,
            "secrets": str(folder / "secrets"),
            "vocs": [{"name": "STAR", "users": ["star"]}],
        },
    }
    machine = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(head.key),
        # Ansible shares connections by the name of the host, and another test's head may have the same.
        "ansible_control_path_dir": str(folder / "ssh"),
        "ansible_ssh_common_args": "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR "
        f"-oProxyCommand='{head.proxy}'",
    }
    worker = {"image_source": str(image), "image_work": str(image), "voc_name": "STAR"}
    groups = {
        "batch_heads": {"hosts": {"head1": machine}},
        "images": {"hosts": {"worker": worker}},
        "all": {"vars": site},
    }
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps(groups))
    return inventory


def install_worker(folder: Path, head: Head, inventory: Path) -> None:
    """Let batch_worker fit an image, and start a worker with the files that it wrote."""
    play(inventory, write_play(folder, ["filesystems", "batch_worker"]))
    for path in WRITTEN:
        content = tool("debugfs", "-R", f'cat "{path}"', folder / "image")
        head.run(f"mkdir -p {Path(path).parent}; cat >{path} <<'END'\n{content}END\nchmod 755 {path}\n")
    head.run("systemctl daemon-reload; systemctl start slurmd")


def play(inventory: Path, playbook: Path) -> str:
    done = run("-i", inventory, playbook)
    assert done.status == 0, done.output
    return done.output.partition("PLAY RECAP")[2]


def wait_play(folder: Path, head: Head, timeout: int) -> str:
    """Let the role wait for two instances, of which one never comes, and return what Ansible says."""
    inventory = json.loads(write_inventory(folder, head).read_text())
    started = {"instance_result": {"unseen": True, "started": 0}, "instance_hypervisor": "localhost"}
    inventory["instances"] = {
        "hosts": {"head1": {}, "ghost": {}},
        "vars": {**started, "instance_state": "present", "site_instances": {"timeout": timeout}},
    }
    (folder / "waiting.json").write_text(json.dumps(inventory))
    (folder / "waiting.yml").write_text(WAIT)
    return run("-i", folder / "waiting.json", folder / "waiting.yml").output


def submit(head: Head, user: str, words: str) -> str:
    """Submit a job as a user, wait for its end where it is taken, and return all that is said."""
    return head.run(
        f"cd /home/{user} && cat >job.sh <<'END'\n{JOB}END\n"
        f"setpriv --reuid={user} --regid={user} --init-groups sbatch -p voc-star -o out {words}; cat out"
    )


def test_a_second_run_changes_nothing(head: Head) -> None:
    first, second = head.recaps
    assert not re.search(r"changed=0 ", first), first
    assert re.search(r"changed=0 ", second), second


def test_keys_are_readable_for_their_users_alone(head: Head) -> None:
    assert head.run("stat -c '%a %U' /etc/munge/munge.key").split() == ["400", "munge"]


def test_a_job_of_the_voc_runs_on_its_node(head: Head) -> None:
    said = submit(head, "star", "--wait job.sh")
    assert said.endswith("/grid/app on head1\n"), said


def test_jobs_of_others_do_not(head: Head) -> None:
    assert "not permitted to use this partition" in submit(head, "other", "job.sh")


def test_instances_are_waited_for_and_each_is_told_of_its_own(head: Head, tmp_path: Path) -> None:
    said = wait_play(tmp_path, head, 3)
    assert "ghost runs, but did not join: the batch system does not have it." in said
    assert re.search(r"head1 +: ok=3 .*failed=0", said), said
    assert re.search(r"ghost +: .*failed=1", said), said


def test_a_node_that_is_switched_off_waits_for_its_job_and_comes_back(head: Head) -> None:
    submit(head, "star", "job.sh 8")
    head.run('for i in $(seq 60); do [ -n "$(squeue -h -t R)" ] && break; sleep 1; done')
    said = head.run("systemctl stop slurmd; squeue -h; cat /home/star/out; sinfo -h -o %T")
    assert said == "/grid/app on head1\ndrained\n"
    again = head.run(
        'systemctl start slurmd; for i in $(seq 60); do [ "$(sinfo -h -o %T)" = idle ] && break; sleep 1; done; '
        "sinfo -h -o %T"
    )
    assert again == "idle\n"
