"""Long work prints how far it is while it lasts, on this machine and on a builder reached over SSH."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import tool
from .playbooks import PROGRAMS, ROOT

SECONDS = 30

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Pack
      voc.cluster.image_convert:
        src: "{{ source }}"
        dest: "{{ source }}.bz2"
        compression: bzip2
        force: true
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "random.img"
    path.write_bytes(os.urandom(48 << 20))  # bzip2 needs some seconds for that
    return path


@pytest.fixture
def ssh_builder(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Start an sshd of our own on loopback; give the variables of a host that is reached through it."""
    for name in ("host", "user"):
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    (tmp_path / "authorized").write_bytes((tmp_path / "user.pub").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "authorized",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "PidFile": "none",
    }
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks up the part that talks to strangers
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", "/dev/null", *words]) as server:
        try:
            wait_for_port(port)
            yield {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_user": getpass.getuser(),
                "ansible_ssh_private_key_file": str(tmp_path / "user"),
                # No master connection, which would outlive the test.
                "ansible_ssh_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            }
        finally:
            server.terminate()


def wait_for_port(port: int) -> None:
    end = time.monotonic() + SECONDS
    with socket.socket() as client:
        while client.connect_ex(("127.0.0.1", port)) != 0:
            assert time.monotonic() < end, "sshd does not answer"
            time.sleep(0.05)


def play(folder: Path, source: Path, builder: dict[str, object]) -> str:
    playbook = folder / "play.yml"
    playbook.write_text(PLAYBOOK)
    inventory = folder / "hosts.json"
    variables = {"source": str(source), "voc_progress_interval": 0.5, "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"builder": {**variables, **builder}}}}))
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", playbook, "-i", inventory],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_REMOTE_TMP": str(folder / "remote")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_progress(output: str, folder: Path) -> None:
    percents = [
        int(number) for number in re.findall(r"^builder: image_convert: packing, (\d+) %$", output, re.MULTILINE)
    ]
    assert len(set(percents)) >= 3
    assert percents == sorted(percents)
    assert output.index("packing") < output.index("changed: [builder]")
    assert list((folder / "remote").iterdir()) == []


def test_a_task_on_this_machine_says_how_far_it_is(tmp_path: Path, source: Path) -> None:
    assert_progress(play(tmp_path, source, {"ansible_connection": "local"}), tmp_path)


@pytest.mark.root
def test_a_task_over_ssh_says_how_far_it_is(tmp_path: Path, source: Path, ssh_builder: dict[str, object]) -> None:
    assert_progress(play(tmp_path, source, ssh_builder), tmp_path)
