# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Whether instances run on the processor itself or are emulated: decided by trying.

/dev/kvm may exist and yet run no guest, inside other virtual machines for example. The first
instance of its architecture and processor on a hypervisor shows it; what it showed is remembered
until the next boot.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Domains

ACCELERATORS = ("auto", "kvm", "qemu")
_DEVICE = "/dev/kvm"
_REMEMBERED = "/run/voc-cluster-accelerator"
_TRIAL = 15  # seconds, in which a guest that KVM cannot run has shown it
_STARTED = b"Linux version"  # what a kernel says first, when its console is serial


def candidates(wanted: str, domains: Domains, definition: Definition) -> Sequence[str]:
    """Return what to start an instance with, in this order, until one works."""
    if wanted != "auto":
        return (wanted,)
    if not os.path.exists(_DEVICE):
        return ("qemu",)
    known = _recall().get(_key(domains, definition))
    return (known,) if known else ("kvm", "qemu")


def hidden(kind: str, qemu_version: tuple[int, int]) -> tuple[str, ...]:
    """Return features of the processor that guests must not see."""
    # cmpxchg16b as QEMU 7 emulates it kills Linux 6.12 with a double fault.
    return ("cx16",) if kind == "qemu" and qemu_version < (8, 0) else ()


def works(domains: Domains, definition: Definition, told: int) -> bool:
    """Say whether an instance that was just started with KVM goes on running; then it is remembered.

    Args:
        told: how much was in its log before, in bytes: earlier starts prove nothing.
    """
    end = time.monotonic() + _TRIAL
    while time.monotonic() < end:
        running = domains.find(definition.name)
        # Nobody else has paused it in so short a time.
        if running is None or not running.active or running.paused:
            return False
        if _says_started(definition.log, told):
            break
        time.sleep(0.2)
    remember(domains, definition, "kvm")
    return True


def _says_started(log: str, told: int) -> bool:
    try:
        with open(log, "rb") as file:
            # libvirt begins a new one when it has become too large.
            file.seek(told if told <= os.fstat(file.fileno()).st_size else 0)
            return _STARTED in file.read(1 << 20)
    except OSError:
        return False


def remember(domains: Domains, definition: Definition, kind: str) -> None:
    """Keep what works for instances like this one until the next boot."""
    known = {**_recall(), _key(domains, definition): kind}
    with open(_REMEMBERED + ".part", "w", encoding="ascii") as file:
        json.dump(known, file)
    os.replace(file.name, _REMEMBERED)


def _key(domains: Domains, definition: Definition) -> str:
    return "qemu {}.{} {} {}".format(*domains.qemu_version, definition.architecture, definition.cpu or "default")


def _recall() -> dict[str, str]:
    """Return what works, by key."""
    try:
        with open(_REMEMBERED, encoding="ascii") as file:
            known = json.load(file)
    except (OSError, ValueError):
        return {}
    return {key: kind for key, kind in known.items() if kind in ("kvm", "qemu")} if isinstance(known, dict) else {}


__all__ = ["ACCELERATORS", "candidates", "hidden", "remember", "works"]
