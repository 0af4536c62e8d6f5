# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which programs are started, within which limits, and what their end means."""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import FileSizeError, ToolError, printable
from ansible_collections.voc.cluster.plugins.module_utils._progress import SILENT, Progress, Watch

# Which package brings a program, by Debian's names: the hint when it is missing.
_PACKAGES = {
    "btrfs": "btrfs-progs",
    "btrfstune": "btrfs-progs",
    "bwrap": "bubblewrap",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "e2undo": "e2fsprogs",
    "fallocate": "util-linux",
    "flock": "util-linux",
    "fstrim": "util-linux",
    "grub-mkimage": "grub-common",
    "ldd": "libc-bin",
    "mcopy": "mtools",
    "mdir": "mtools",
    "mmd": "mtools",
    "mkfs.vfat": "dosfstools",
    "mount": "mount",
    "nsenter": "util-linux",
    "qemu-img": "qemu-utils",
    "resize2fs": "e2fsprogs",
    "setpriv": "util-linux",
    "sh": "dash",
    "tune2fs": "e2fsprogs",
    "umount": "mount",
    "unshare": "util-linux",
    "xfs_admin": "xfsprogs",
    "xfs_growfs": "xfsprogs",
    "xfs_repair": "xfsprogs",
    "xz": "xz-utils",
}

# An ordinary user's PATH often lacks the folders where the disk tools live.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")

_LAST_LINES = 3  # of what a program wrote, in a message
_TOO_LARGE = (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)
_OUT_OF_TIME = (-signal.SIGXCPU, 128 + signal.SIGXCPU)
HOSTILE = "the image may be damaged or hostile; if it is only large, raise this in limits"


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: wall clock time, after which it is ended.
        cpu: time on a processor, in seconds, over all its threads.
        memory: address space in bytes.
        output: what it may write to standard output and error together, in bytes.
        file_size: the size of any file it writes, in bytes; None for no limit.
    """

    seconds: int
    memory: int
    cpu: int = 24 * 3600
    output: int = 64 << 20
    file_size: int | None = None

    def raised(self, by: Mapping[str, int]) -> Limits:
        """Return these limits, or those by name that a user gave where they are higher."""
        return replace(self, **{name: max(value, getattr(self, name)) for name, value in by.items()})


# Tools that parse an image work on files that a stranger made.
INSPECT = Limits(seconds=60, cpu=60, memory=1 << 30)
TRANSFORM = Limits(seconds=4 * 3600, memory=4 << 30)

RESERVE = 64 << 20  # bytes


@dataclass(frozen=True)
class Completed:
    """A program that has ended: its exit status and what it wrote."""

    status: int
    output: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """Standard output, with bytes that are not UTF-8 replaced."""
        return self.output.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last lines of standard error (else of standard output), printable, as one."""
        return last_words(self.errors) or last_words(self.output) or "it said nothing"


def last_words(output: bytes) -> str:
    """Return the last lines of what a program wrote, printable, as one; empty when there are none."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return printable("; ".join(lines[-_LAST_LINES:]))[:400]


class OverrunError(Exception):
    """A program had to be ended because it exceeded one of its limits; the text says which."""


class Conversation(ABC):
    """A program that waits for requests and answers them, one after the other."""

    @abstractmethod
    def ask(self, request: bytes, end: bytes) -> tuple[bytes, bytes]:
        """Return what it writes to standard output before `end`, and meanwhile to standard error.

        Raises:
            ToolError: it exceeded a limit, or has ended.
        """


class Runner(ABC):
    """Starts programs. Subclasses know how; the rules are the same for all."""

    def __init__(
        self, raised: Mapping[str, int] | None = None, *, reserve: int = RESERVE, progress: Progress = SILENT
    ) -> None:
        """Take what a user has said about the work.

        Args:
            raised: higher limits, by their names in `Limits`.
            reserve: what must stay free on filesystems that are written to, in bytes.
            progress: is told how far long work is.
        """
        self.raised = dict(raised or {})
        self.reserve = reserve
        self.progress = progress

    @abstractmethod
    def execute(self, argv: Sequence[str], limits: Limits, data: bytes | None, watch: Watch | None) -> Completed:
        """Run `argv` to its end in the C locale, with `data` on standard input.

        Raises:
            OverrunError: it exceeded a limit and was ended.
        """

    @abstractmethod
    def converse(self, argv: Sequence[str], limits: Limits = INSPECT) -> AbstractContextManager[Conversation]:
        """Start a program that answers requests on its standard input; it is killed in the end.

        Args:
            limits: those on time and output are for each request, the others for all of them.

        Raises:
            ToolError: it is not installed.
        """

    def run(
        self,
        argv: Sequence[str],
        *,
        limits: Limits = INSPECT,
        data: bytes | None = None,
        accept: Collection[int] = (0,),
        bare: bool = False,
        settings: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        name: str | None = None,
    ) -> Completed:
        """Run a program within `limits`, or higher ones of the user's, and return what it wrote.

        Args:
            bare: give it no environment, but for `settings`.
            settings: variables of its environment, beside the usual ones.
            name: what messages call it, where the user does not know the program that is started.
            watch: is called while it runs.

        Raises:
            ToolError: it is not installed, exceeded a limit, or ended with a
                status that is not in `accept`.
        """
        tool = name or argv[0]
        limits = limits.raised(self.raised)
        changes = [*(["-i"] if bare else []), *(f"{key}={value}" for key, value in (settings or {}).items())]
        command = [*((find("env"), *changes) if changes else ()), find(argv[0]), *argv[1:]]
        try:
            done = self.execute(command, limits, data, watch)
        except OverrunError as error:
            raise ToolError(f"{tool} was ended: {error}", hint=HOSTILE) from None
        # Before `accept`: whoever accepts every status does not mean these.
        if done.status in _OUT_OF_TIME:
            raise ToolError(f"{tool} was ended: it used a processor for {limits.cpu} s", hint=HOSTILE)
        if done.status == -signal.SIGKILL:
            raise ToolError(f"{tool} was killed", hint="see whether the builder ran out of memory, and run this again")
        if done.status in _TOO_LARGE or (limits.file_size is not None and b"File too large" in done.errors):
            raise FileSizeError(f"{tool} tried to write more than {limits.file_size} bytes")
        if done.status in accept:
            return done
        raise ToolError(f"{tool} failed with status {done.status}: {done.complaint}")


def first_of(*tools: str) -> str:
    """Return the first of several programs that is installed, or the last one."""
    return next((tool for tool in tools if _which(tool)), tools[-1])


def find(tool: str) -> str:
    """Return the path of a program.

    Raises:
        ToolError: it is not installed; the hint names the package.
    """
    path = _which(tool)
    if path:
        return path
    package = _PACKAGES.get(tool, tool)
    raise ToolError(f"the program {tool} is not installed", hint=f"install the package {package} on the builder")


def _which(tool: str) -> str | None:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return shutil.which(tool, path=os.pathsep.join([*folders, *_SYSTEM_FOLDERS]))


__all__ = [
    "HOSTILE",
    "INSPECT",
    "RESERVE",
    "TRANSFORM",
    "Completed",
    "Conversation",
    "Limits",
    "OverrunError",
    "Runner",
    "find",
    "first_of",
    "last_words",
]
