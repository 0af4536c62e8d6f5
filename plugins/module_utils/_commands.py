# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The one place that starts programs: argument lists, C locale, limits, clear failures."""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import FileSizeError, ToolError, printable

# Which package brings a program, by Debian's names: the hint when it is missing.
_PACKAGES = {
    "btrfs": "btrfs-progs",
    "bwrap": "bubblewrap",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fallocate": "util-linux",
    "grub-mkimage": "grub-common",
    "mcopy": "mtools",
    "mdir": "mtools",
    "mmd": "mtools",
    "mkfs.vfat": "dosfstools",
    "mount": "mount",
    "prlimit": "util-linux",
    "qemu-img": "qemu-utils",
    "resize2fs": "e2fsprogs",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "timeout": "coreutils",
    "tune2fs": "e2fsprogs",
    "umount": "mount",
    "xfs_growfs": "xfsprogs",
    "xfs_repair": "xfsprogs",
    "xz": "xz-utils",
}

# An ordinary user's PATH often lacks the folders where the disk tools live.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")

_LAST_LINES = 3  # of what a program wrote, in a message

# A program must not outlive a killed module: the kernel kills both timeout(1) and what it
# started when the process above them dies. Whichever died before that was asked for is
# found out by the number of the process above, which is another one by then.
_GUARD = '[ "$PPID" = "$1" ] || exit 125; shift; VOC_PARENT=$$; export VOC_PARENT; exec "$@"'
_INNER_GUARD = '[ "$PPID" = "$VOC_PARENT" ] || exit 125; unset VOC_PARENT; exec "$@"'

_TIMED_OUT = 124  # coreutils' timeout(1), and 137 when it had to send SIGKILL
_KILLED = 137
_TOO_LARGE = (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: wall clock time, after which it is ended.
        memory: address space in bytes.
        file_size: the size of any file it writes, in bytes; None for no limit.
    """

    seconds: int
    memory: int
    file_size: int | None = None


# Tools that parse an image work on files that a stranger made.
INSPECT = Limits(seconds=60, memory=1 << 30)
TRANSFORM = Limits(seconds=4 * 3600, memory=4 << 30)


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
        for stream in (self.errors, self.output):
            lines = [line.strip() for line in stream.decode("utf-8", "replace").splitlines() if line.strip()]
            if lines:
                return printable("; ".join(lines[-_LAST_LINES:]))[:400]
        return "it said nothing"


class Runner(ABC):
    """Starts programs. Subclasses know how; the rules are the same for all."""

    @abstractmethod
    def execute(self, argv: Sequence[str], data: bytes | None) -> Completed:
        """Run `argv` to its end in the C locale, with `data` on standard input."""

    def run(
        self,
        argv: Sequence[str],
        *,
        limits: Limits = INSPECT,
        data: bytes | None = None,
        accept: Collection[int] = (0,),
        bare: bool = False,
    ) -> Completed:
        """Run a program within `limits` and return what it wrote.

        Args:
            bare: give it no environment at all.

        Raises:
            ToolError: it is not installed, took too long, or ended with a status
                that is not in `accept`.
        """
        tool = argv[0]
        with_parent = (find("setpriv"), "--pdeathsig", "KILL", find("sh"), "-c")
        bounded = [
            *(*with_parent, _GUARD, "guard", str(os.getpid())),
            *(find("prlimit"), f"--as={limits.memory}", "--core=0"),
            *(() if limits.file_size is None else (f"--fsize={limits.file_size}",)),
            "--",
            *(find("timeout"), "--kill-after=5", str(limits.seconds)),
            *(*with_parent, _INNER_GUARD, "guarded"),
            *((find("env"), "-i") if bare else ()),
            *(find(tool), *argv[1:]),
        ]
        done = self.execute(bounded, data)
        # Before `accept`: whoever accepts every status does not mean this one.
        if done.status in (_TIMED_OUT, _KILLED):
            raise ToolError(f"{tool} was ended after {limits.seconds} s", hint="the image may be damaged or hostile")
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


__all__ = ["INSPECT", "TRANSFORM", "Completed", "Limits", "Runner", "find", "first_of"]
