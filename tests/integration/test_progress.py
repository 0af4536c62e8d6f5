"""Long work prints how far it is while it lasts, on this machine and on a builder reached over SSH."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .playbooks import PROGRAMS, ROOT
from .sshd import ssh_server

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
    with ssh_server(tmp_path) as variables:
        yield variables


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
    # On a busy machine, asking over SSH takes longer than the interval.
    assert len(set(percents)) >= 2
    assert percents == sorted(percents)
    assert output.index("packing") < output.index("changed: [builder]")
    assert list((folder / "remote").iterdir()) == []


def test_a_task_on_this_machine_says_how_far_it_is(tmp_path: Path, source: Path) -> None:
    assert_progress(play(tmp_path, source, {"ansible_connection": "local"}), tmp_path)


@pytest.mark.root
def test_a_task_over_ssh_says_how_far_it_is(tmp_path: Path, source: Path, ssh_builder: dict[str, object]) -> None:
    assert_progress(play(tmp_path, source, ssh_builder), tmp_path)
