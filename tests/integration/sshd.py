"""An sshd of the tests' own on loopback: a builder that is reached over SSH."""

from __future__ import annotations

import getpass
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .machine import tool

SECONDS = 30


@contextmanager
def ssh_server(folder: Path) -> Iterator[dict[str, object]]:
    """Start it, with its keys in `folder`; give the variables of a host that is reached through it."""
    for name in ("host", "user"):
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "PidFile": "none",
    }
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks up the part that talks to strangers
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", "/dev/null", *words]) as server:
        try:
            _wait_for_port(port)
            yield {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_user": getpass.getuser(),
                "ansible_ssh_private_key_file": str(folder / "user"),
                # No master connection, which would outlive the test.
                "ansible_ssh_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            }
        finally:
            server.terminate()


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + SECONDS
    with socket.socket() as client:
        while client.connect_ex(("127.0.0.1", port)) != 0:
            assert time.monotonic() < end, "sshd does not answer"
            time.sleep(0.05)
