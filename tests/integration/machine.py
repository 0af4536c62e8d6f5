"""What stands on this machine: programs, loop devices, mounts, processes, network namespaces."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_DEADLINE = 10  # seconds; the kernel frees a loop device a moment after its last user is gone


def environment() -> dict[str, str]:
    """Return that of programs of the system's, of which some have no place in an ordinary user's path."""
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}


def tool(*argv: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run a program outside the library and return what it printed."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, env=environment())
    assert done.returncode in accept, f"{argv}: {(done.stdout + done.stderr).decode(errors='replace')}"
    return done.stdout.decode("utf-8", "surrogateescape")


def loop_devices(folders: tuple[Path, ...]) -> set[str]:
    """Return the loop devices on files in `folders`; others are other people's."""
    lines = tool("losetup", "-l", "-n", "-O", "NAME,BACK-FILE").splitlines()
    held = [line.split(maxsplit=1) for line in lines]
    return {f"loop device {name} on {file}" for name, file in held if file.startswith(tuple(map(str, folders)))}


def mounts(folders: tuple[Path, ...]) -> set[str]:
    """Return the mounts of this process's namespace on or below `folders`; others are other people's."""
    places = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {f"mount on {place}" for place in places if any(place.is_relative_to(folder) for folder in folders)}


def network_namespaces() -> set[str]:
    """Return the named ones."""
    folder = Path("/run/netns")
    return {f"network namespace {path.name}" for path in folder.iterdir()} if folder.is_dir() else set()


def processes() -> set[str]:
    """Return the living descendants of this process."""
    return {f"process {number} ({name})" for number, name in descendants(os.getpid()).items()}


def descendants(ancestor: int) -> dict[int, str]:
    """Return the living descendants of a process, with their names; who came first stands first."""
    below: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            head, _parenthesis, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it ended meanwhile
            continue
        state, above = rest.split()[:2]
        if state != "Z":
            below.setdefault(int(above), []).append((int(folder.name), head.partition("(")[2]))
    found: dict[int, str] = {}
    ahead = [ancestor]
    while ahead:
        for number, name in below.get(ahead.pop(0), []):
            ahead.append(number)
            found[number] = name
    return found


def left_behind(look: Callable[[], set[str]], before: set[str]) -> set[str]:
    """Return what is still new at the end of the deadline."""
    end = time.monotonic() + _DEADLINE
    while (new := look() - before) and time.monotonic() < end:
        time.sleep(0.05)
    return new
