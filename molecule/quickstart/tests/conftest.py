"""Instances of the release, reached by ssh as an administrator would."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

BUILD = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
BOOT_SECONDS = 420


@pytest.fixture(scope="session")
def instances() -> Iterator[dict[str, Host]]:
    """Both instances, once they have finished booting; one ssh connection to each serves all tests."""
    names = ("first", "second")
    try:
        yield {name: wait_for(name) for name in names}
    finally:
        for name in names:
            control = BUILD / name / "ssh.control"
            if control.exists():
                subprocess.run(["ssh", "-q", "-O", "exit", "-o", f"ControlPath={control}", "instance"], check=False)


@pytest.fixture(scope="session", params=["first", "second"])
def instance(request: pytest.FixtureRequest, instances: dict[str, Host]) -> Host:
    return instances[request.param]


def wait_for(name: str) -> Host:
    folder = BUILD / name
    port = (folder / "ssh.port").read_text().strip()
    host = testinfra.get_host(
        f"ssh://root@127.0.0.1:{port}",
        ssh_identity_file=str(BUILD / "ssh/id_ed25519"),
        ssh_extra_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10",
        controlpath=str(folder / "ssh.control"),
    )
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        # The backend raises this, and nothing more precise, while nobody answers.
        with contextlib.suppress(RuntimeError):
            if host.run("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded"):
                return host
        time.sleep(1)
    console = (folder / "serial.log").read_text(errors="replace")[-3000:]
    raise AssertionError(f"instance {name} did not finish booting in {BOOT_SECONDS} s; its console says:\n{console}")
