"""Runs the collection's playbook as a user would, from the clone, in a folder of the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(sys.executable).parent
SECONDS = 900


@dataclass(frozen=True)
class Play:
    """A finished run of ansible-playbook."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """The number of changed tasks, over all hosts."""
        return sum(int(number) for number in re.findall(r"changed=(\d+)", self.output))


def environment() -> dict[str, str]:
    """Return what Ansible is started with."""
    return {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}


def run(*arguments: Path | str, env: Mapping[str, str] | None = None) -> Play:
    """Run ansible-playbook in the clone, to its end.

    Args:
        env: what it is started with, if not `environment`.
    """
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", *arguments],
        cwd=ROOT,
        env=environment() if env is None else env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Play(done.returncode, done.stdout + done.stderr)


def contextualize(build: Path, source: Path | str, *arguments: str, **variables: object) -> Play:
    """Run contextualize.yml for the quickstart site; everything it makes goes below `build`.

    Args:
        arguments: more of ansible-playbook's own.
        variables: extra variables.
    """
    extra = {"quickstart_build": str(build), "image_source": str(source), **variables}
    return run("contextualize.yml", "--extra-vars", json.dumps(extra), *arguments)


def releases(build: Path, name: str = "starworker") -> list[dict[str, object]]:
    """Return the manifests of an image's releases, oldest first."""
    found = sorted((build / "releases" / name).glob("*Z-*/manifest.json"))
    return [json.loads(path.read_text()) for path in found]


def listing(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
