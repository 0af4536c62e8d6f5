# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The process that keeps an image open for commands, one after another, until the session ends.

It mounts the guest in a mount namespace of its own and keeps a PID namespace for the guest's
programs, so that background jobs go on between commands. Each command is a new sandbox that
joins both; the program that starts it is outside, because in there it would be the guest's prey.
All of it ends with this process: mounts, loop devices, and the guest's programs.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate, mounted_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Lasting, give, given_folder, sandbox
from ansible_collections.voc.cluster.plugins.module_utils._session import entry, records, tools
from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner
from ansible_collections.voc.cluster.plugins.module_utils._session.records import Record

_CLONE_NEWPID = 0x20000000
# Each of these shows something of the builder to whoever looks at the process in /proc.
_CLONE_NEW_OTHERS = 0x40000000 | 0x08000000 | 0x04000000  # network, IPC, UTS
_PR_SET_NAME, _PR_SET_DUMPABLE = 15, 4

# man 7 hostname, and what Linux takes
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")

_TICK = 0.5  # seconds
_RELEASE = 10.0  # seconds, in which the kernel frees a loop device after its last user is gone


@dataclass(frozen=True)
class Request:
    """What a session is asked to be.

    Attributes:
        root: the partition of the root, from somebody who knows it.
        owner: the process with which it ends.
        idle: seconds without a command after which it ends.
        oldest_python: the oldest Python that runs the modules.
    """

    image: str
    root: int | None
    network: bool
    owner: Owner | None
    idle: int
    oldest_python: tuple[int, int]


def hold(runner: Runner, request: Request, ready: t.TextIO) -> None:
    """Open a session, say so by closing `ready`, and stay until the session is to end.

    Raises:
        ImageError: the image cannot be opened, or not be closed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    image = request.image
    with records.own_folder(image) as (folder, record), locked(image):
        with _opened(runner, request, folder) as (init, python):
            Record(image, os.getpid(), request.network, request.owner, python).write(record)
            ready.close()
            _stay(request, folder, init)
        _await_release(image)


@contextmanager
def _opened(runner: Runner, request: Request, folder: Path) -> Iterator[tuple[int, str]]:
    """Give the process number of the session's process 1, and whose Python is used."""
    spread = locate(runner, request.image, number=request.root)
    for place in spread.places:
        batch.repair(runner, place.region.volume)
    inside = folder / "inside"
    inside.mkdir(exist_ok=True)
    with ExitStack() as stack:
        root = stack.enter_context(mounted_guest(runner, spread))
        stack.enter_context(_mount(runner, inside, ["-t", "tmpfs", "-o", "mode=0755,nosuid,nodev", "voc-session"]))
        if given_folder(root) != tools.PLACE:
            raise GuestError("it is not a directory of the guest, so there is no place for the session", where="/run")
        box = stack.enter_context(sandbox(runner, root, network=request.network))
        _make_work_folder(root)
        python = tools.prepare(runner, box, inside / "tools", request.oldest_python)
        give(root, str(inside / "tools"), tools.PLACE)
        init = stack.enter_context(_process_one(inside))
        processes = os.open(f"/proc/{init}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, processes)
        lasting = Lasting(processes, _hostname(root))
        script = stack.enter_context(entry.script(replace(box, lasting=lasting), folder))
        (folder / records.ENTER).write_text(script, encoding="utf-8")
        (folder / records.USED).touch()
        yield init, python


def _make_work_folder(root: str) -> None:
    plan = Plan(MountedTree(root))
    plan.make_directory(tools.WORK, Attributes(0o1777))
    plan.apply()


def _hostname(root: str) -> str:
    """Return the guest's own host name, as far as it is one."""
    name = (tree.read_text(MountedTree(root), "/etc/hostname") or "").strip()
    return name if _HOSTNAME.fullmatch(name) else "localhost"


@contextmanager
def _mount(runner: Runner, place: Path, words: list[str]) -> Iterator[None]:
    runner.run(["mount", *words, str(place)])
    try:
        yield
    finally:
        runner.run(["umount", "--recursive", "--", str(place)])


@contextmanager
def _process_one(inside: Path) -> Iterator[int]:
    """Start process 1 of a new PID namespace, and give its number here; all in there ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    root = inside / "nothing"
    root.mkdir()
    reader, writer = os.pipe()
    before = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(libc.unshare(_CLONE_NEWPID))
        init = os.fork()
        if init == 0:
            _be_process_one(libc, reader, root)
        _check(libc.setns(before, _CLONE_NEWPID))
    finally:
        os.close(before)
        os.close(reader)
    try:
        yield init
    finally:
        os.close(writer)
        os.waitpid(init, 0)


def _be_process_one(libc: ctypes.CDLL, alive: int, root: Path) -> None:
    """Wait for the end of whoever started this, and let nobody in here learn anything meanwhile."""
    try:
        for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, alive}:
            with suppress(OSError):  # the one that read the list
                os.close(descriptor)
        libc.unshare(_CLONE_NEW_OTHERS)
        # By this name setup looks further for the guest's service manager.
        libc.prctl(_PR_SET_NAME, b"init", 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries orphans then
        os.chroot(root)  # so /proc/1/mounts is empty
        os.chdir("/")
        os.read(alive, 1)
    finally:
        os._exit(0)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _stay(request: Request, folder: Path, init: int) -> None:
    """Wait for the first reason to end the session."""
    idleness = _Idleness(folder)
    while signal.sigtimedwait([signal.SIGTERM], _TICK) is None:
        if os.waitid(os.P_PID, init, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        if request.owner and request.owner.is_gone:
            return
        if idleness.seconds() > request.idle:
            return


class _Idleness:
    """How long a session has not been used, by a clock that nobody sets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = self._used()
        self._last = time.monotonic()

    def seconds(self) -> float:
        """Return it, as far as has been seen by looking again and again."""
        stamp = self._used()
        if stamp != self._stamp or records.in_use(self._folder):
            self._stamp, self._last = stamp, time.monotonic()
        return time.monotonic() - self._last

    def _used(self) -> int:
        return (self._folder / records.USED).stat().st_mtime_ns


def _await_release(image: str) -> None:
    """Wait until the kernel has written all to an image that was unmounted, and let go of it."""
    end = time.monotonic() + _RELEASE
    while _loops(image):
        if time.monotonic() > end:
            raise GuestError("a loop device still holds it", where=image, hint="see losetup and what uses it")
        time.sleep(0.02)


def _loops(image: str) -> list[Path]:
    path = os.path.abspath(image)
    return [file for file in Path("/sys/block").glob("loop*/loop/backing_file") if _read_line(file) == path]


def _read_line(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except OSError:  # the device was freed meanwhile
        return None


__all__ = ["Request", "hold"]
