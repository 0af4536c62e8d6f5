"""What stands in the folder of a cluster that tools/pool.py made, and how long things may take."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import testinfra
from testinfra.host import Host

BUILD = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = BUILD / "cluster"
TOOL = (sys.executable, str(PROJECT / "tools/pool.py"), str(CLUSTER))
BOOT_SECONDS = 600
JOB_SECONDS = 240


@contextmanager
def head_node() -> Iterator[Host]:
    """Give the head, as root on it."""
    control = BUILD / "head.control"
    try:
        yield testinfra.get_host(
            "ssh://root@head",
            ssh_identity_file=str(BUILD / "ssh/id_ed25519"),
            ssh_extra_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
            f"-o ProxyCommand='{' '.join(TOOL)} proxy'",
            controlpath=str(control),
        )
    finally:
        if control.exists():
            os.spawnlp(os.P_WAIT, "ssh", "ssh", "-q", "-O", "exit", "-o", f"ControlPath={control}", "head")


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            consoles = (f"{path.parent.name}:\n{end_of(path)}" for path in sorted(CLUSTER.glob("*/serial.log")))
            raise AssertionError("\n".join([f"{what} did not happen in {seconds} s; the consoles say", *consoles]))
        time.sleep(1)


def end_of(console: Path) -> str:
    return console.read_text(errors="replace")[-1500:]


def press_power_button(name: str) -> None:
    os.spawnl(os.P_WAIT, TOOL[0], *TOOL, "off", name)


def powered_on(name: str) -> float:
    """Return when an instance was started, in seconds since the epoch."""
    return float((CLUSTER / name / "started").read_text())


def runs(name: str) -> bool:
    """Say whether an instance's machine is there."""
    pid = int((CLUSTER / f"{name}.pid").read_text().split()[0])
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def times(joined: Mapping[str, float], ends: Iterable[float]) -> list[str]:
    """Return what a run took, in sentences.

    Args:
        joined: when the batch system of each instance began, by the instance's name, in seconds since the epoch.
        ends: when the jobs ended.
    """
    ended = sorted(ends)
    contextualized = float((BUILD / "started").read_text())
    boots = {name: begin - powered_on(name) for name, begin in joined.items()}
    wall = sum(ended[-1] - powered_on(name) for name in joined)
    return [
        f"from contextualize to the first job's output: {ended[0] - contextualized:.0f} s",
        *(f"{name}: {boot:.0f} s from power on to its batch system" for name, boot in boots.items()),
        f"boot overhead: {sum(boots.values()) / wall:.0%} of the instances' wall time, {wall:.0f} s, "
        f"for {len(ended)} jobs",
    ]
