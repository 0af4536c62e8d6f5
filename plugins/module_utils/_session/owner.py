# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The process for which a session is opened, and whether it is still there.

A session is to end with the playbook that opened it, even when that was killed. Where both are
on one machine the kernel knows. Else the only sign of life is that commands are run.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = "/proc/self/ns/pid"


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other, also on other machines and at other times.

    Attributes:
        boot: the machine, since it was started.
        namespace: where process numbers mean what they mean to it.
        started: clock ticks after the boot.
    """

    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """Return a process of this machine, if there is such a one."""
        started = _start_time(pid)
        return None if started is None else cls(*_here(), pid, started)

    @classmethod
    def read(cls, data: Mapping[str, t.Any]) -> Owner:
        """Return what `as_data` gave."""
        return cls(str(data["boot"]), str(data["namespace"]), int(data["pid"]), int(data["started"]))

    def as_data(self) -> dict[str, t.Any]:
        """Return it as what JSON can hold."""
        return asdict(self)

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended; of another machine's processes nothing is known here."""
        return (self.boot, self.namespace) == _here() and _start_time(self.pid) != self.started


def _here() -> tuple[str, str]:
    return _BOOT.read_text(encoding="ascii").strip(), os.readlink(_NAMESPACE)


def _start_time(pid: int) -> int | None:
    """Return when a process was started (man 5 proc_pid_stat); None for one that has ended, or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


__all__ = ["Owner"]
