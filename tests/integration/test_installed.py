"""The collection as ansible-galaxy builds and installs it, far from any clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .playbooks import PROGRAMS, ROOT, environment

NEEDED = {"LICENSE", "MANIFEST.json", "README.md", "docs", "meta", "playbooks", "plugins", "roles"}
CLONE_ONLY = {"Makefile", "ansible.cfg", "build", "contextualize.yml", "molecule", "tests", "tools"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder below which ansible_collections is."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy = [PROGRAMS / "ansible-galaxy", "collection"]
    subprocess.run([*galaxy, "build", "--output-path", folder, ROOT], check=True, cwd=folder)
    (archive,) = folder.glob("voc-cluster-*.tar.gz")
    subprocess.run([*galaxy, "install", "--offline", "-p", folder, archive], check=True, cwd=folder)
    return folder


def test_it_has_what_it_needs_and_nothing_of_the_clone_alone(installed: Path) -> None:
    names = {path.name for path in (installed / "ansible_collections/voc/cluster").iterdir()}
    assert names >= NEEDED
    assert not names & CLONE_ONLY


def test_its_playbook_runs_by_its_full_name(installed: Path, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.json"
    starworker = {"image_source": "/nowhere/part.img", "ansible_python_interpreter": sys.executable}
    hosts.write_text(json.dumps({"images": {"hosts": {"starworker": starworker}}}))
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", "-i", hosts, "voc.cluster.contextualize", "--check"],
        cwd=tmp_path,
        env={**environment(), "ANSIBLE_COLLECTIONS_PATH": str(installed), "PWD": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "/nowhere/part.img: there is no such file" in done.stdout + done.stderr
