"""A batch system's head in a container, set up by its role as a site's would be."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.voc.cluster.tests.unit.images import tool

from .playbooks import ROOT, SECONDS, run

NAME = "head1.example.org"
TREE = ROOT / "build/head/trixie"


@dataclass(frozen=True)
class Head:
    """The container.

    Attributes:
        folder: where all that belongs to it lies.
        proxy: the command that connects to its ssh server.
        key: the private key that logs in.
    """

    folder: Path
    proxy: str
    key: Path

    def run(self, script: str) -> str:
        """Run a script as root and return all that it prints."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        command = ["ssh", "-i", str(self.key), *(f"-o{option}" for option in options), f"-oProxyCommand={self.proxy}"]
        done = subprocess.run(
            [*command, "root@head1", "sh"], input=script, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.stdout + done.stderr

    def write_inventory(self, site: Mapping[str, object], images: Mapping[str, Mapping[str, object]]) -> Path:
        """Write an inventory of this head and some images, and return its file."""
        machine = {
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.key),
            # Ansible shares connections by the name of the host, and another test's head may have the same.
            "ansible_control_path_dir": str(self.folder / "ssh"),
            "ansible_ssh_common_args": "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR "
            f"-oProxyCommand='{self.proxy}'",
        }
        groups = {
            "batch_heads": {"hosts": {"head1": machine}},
            "images": {"hosts": images},
            "all": {"vars": site},
        }
        inventory = self.folder / "hosts.json"
        inventory.write_text(json.dumps(groups))
        return inventory


@contextmanager
def started(folder: Path) -> Iterator[Head]:
    """Start a head on which nothing is set up, and end it."""
    tool(ROOT / "tools/make-head-tree", TREE)
    key = folder / "key"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    pool = [sys.executable, str(ROOT / "tools/pool.py"), str(folder / "cluster")]
    try:
        tool(*pool, "up", f"--tree={TREE}", f"--name={NAME}", "--address=10.16.0.100/24", f"--key={key}.pub")
        head = Head(folder, " ".join([*pool, "proxy"]), key)
        head.run(f"echo 10.16.0.100 {NAME} head1 >>/etc/hosts")
        yield head
    finally:
        tool(*pool, "down")
        reap()


def play(inventory: Path, playbook: Path, *arguments: str) -> str:
    """Run a playbook that must not fail, and return its recap."""
    done = run("-i", inventory, playbook, *arguments)
    assert done.status == 0, done.output
    return done.output.partition("PLAY RECAP")[2]


def reap() -> None:
    """Take note of the end of what ssh left: this process has adopted it, and the container's init waits for that."""
    end = time.monotonic() + 10
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
