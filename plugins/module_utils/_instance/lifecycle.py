# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Starting and stopping instances: the order of it, and what is true in the end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import one_at_a_time
from ansible_collections.voc.cluster.plugins.module_utils._instance import accelerator, domain_xml, files
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import (
    Definition,
    require_name,
    require_sound,
)
from ansible_collections.voc.cluster.plugins.module_utils._instance.domains import Domains, Running

WAITS = ("agent", "ssh")  # what a hypervisor can see of an instance that is up
_PAUSE = 0.5  # seconds between two looks at something that takes many
_AGAIN = 30  # seconds after which a guest that does not power off is asked once more


@dataclass(frozen=True)
class Start:
    """How an instance is started.

    Attributes:
        accelerator: ``kvm``, ``qemu``, or ``auto`` for what works.
        overcommit: how much more than there is free space overlays may grow to.
        seed: the files of a NoCloud seed, by name.
    """

    accelerator: str = "auto"
    overcommit: float = 1.0
    seed: Mapping[str, str] = field(default_factory=dict)


def outdated(running: Running, definition: Definition) -> bool:
    """Say whether a running instance was started with another definition, such as another release."""
    return running.mark.digest != definition.digest()


def require_startable(definition: Definition, how: Start) -> None:
    """See to it that an instance can be started, as far as that shows before it is.

    Raises:
        ImageError: it cannot be.
    """
    require_sound(definition)
    boot = definition.direct_boot
    for path in (boot.kernel, boot.initramfs) if boot else ():
        if not os.path.exists(path):
            raise InputError("there is no such file", where=path, hint="check the path on the hypervisor")
    files.examine(definition, how.overcommit)


def require_address(definition: Definition, how: str, address: str | None) -> None:
    """See to it that an instance can be waited for.

    Args:
        how, address: as for `wait_until_up`.

    Raises:
        InputError: it cannot be.
    """
    if how == "ssh" and not address:
        raise InputError("waiting for ssh needs an address", where=definition.name)


def start(runner: Runner, domains: Domains, definition: Definition, how: Start) -> Running:
    """Start an instance from its release, with a new overlay.

    Raises:
        ImageError: it cannot be started. What `require_startable` finds changes nothing, else nothing of it is left.
    """
    require_startable(definition, how)
    with locked(definition.folder):
        running = domains.find(definition.name)
        if running and running.active:
            return running
        domains.destroy(definition.name)
        *trials, last = accelerator.candidates(how.accelerator, domains, definition)
        tried = [_try(runner, domains, definition, how, kind) for kind in trials]
        if True not in tried:
            _begin(runner, domains, definition, how, last)
        running = domains.find(definition.name)
        if running is None:
            raise ToolError("the instance ended at once", where=definition.name, hint=f"see {definition.log}")
        # What libvirt refused may be about this one alone, and shows nothing.
        if tried == [False]:
            accelerator.remember(domains, definition, last)
    return running


def stop(domains: Domains, definition: Definition, timeout: float) -> list[str]:
    """Let an instance power off, and remove its files.

    Args:
        timeout: in seconds, after which it is ended; 0 ends it at once.

    Returns:
        What was done, in words.

    Raises:
        InputError: its name would lead to other files.
    """
    require_name(definition.name)
    done = []
    running = domains.find(definition.name)
    if running:
        graceful = running.active and timeout > 0 and _power_off(domains, definition.name, timeout)
        domains.destroy(definition.name)
        done.append("powered off" if graceful else "ended")
    with locked(definition.folder):
        # Another run may have started it anew meanwhile.
        if domains.find(definition.name) is None and files.remove(definition):
            done.append("disks removed")
    return done


def wait_until_up(domains: Domains, definition: Definition, how: str, address: str | None, timeout: float) -> None:
    """Wait until an instance can be used.

    Args:
        how: one of `WAITS`: ``agent`` for the guest's agent, ``ssh`` for an ssh server at its address.
        timeout: in seconds.

    Raises:
        InputError: see `require_address`.
        ToolError: it is not up by then, or has ended.
    """
    require_address(definition, how, address)
    end = time.monotonic() + timeout

    def ready() -> bool:
        return domains.agent_answers(definition.name) if how == "agent" else _ssh_answers(str(address))

    while not ready():
        running = domains.find(definition.name)
        if running is None or not running.active:
            raise ToolError("the instance ended while it started", where=definition.name, hint=f"see {definition.log}")
        if time.monotonic() > end:
            state = "paused" if running.paused else "not up"
            raise ToolError(
                f"the instance is {state} after {timeout:.0f} s", where=definition.name, hint=f"see {definition.log}"
            )
        time.sleep(_PAUSE)


def _try(runner: Runner, domains: Domains, definition: Definition, how: Start, kind: str) -> bool | None:
    """Start an instance with an accelerator that may not work; say whether it does, or None where libvirt refuses."""
    try:
        told = _begin(runner, domains, definition, how, kind)
    except ToolError:
        return None
    if accelerator.works(domains, definition, told):
        return True
    domains.destroy(definition.name)
    return False


def _begin(runner: Runner, domains: Domains, definition: Definition, how: Start, kind: str) -> int:
    """Start an instance with an accelerator; return how much was in its log before, in bytes.

    Raises:
        ImageError: it cannot be started; nothing of it is left.
    """
    files.make(runner, definition, how.seed, how.overcommit)
    told = files.length(definition.log)
    hidden = accelerator.hidden(kind, domains.qemu_version)
    try:
        domains.start(domain_xml.domain(definition, kind, without=hidden, started=int(time.time())))
    except ToolError as error:
        files.remove(definition)
        error.hint = _closed(definition) if "Permission denied" in error.found else None
        raise
    return told


def _closed(definition: Definition) -> str | None:
    """Return what to do about a file that libvirt's QEMU, which runs as another user, cannot read."""
    path = files.closed_to_others(definition.release)
    return f"let other users enter or read {path}, for QEMU runs as one" if path else None


def _power_off(domains: Domains, name: str, timeout: float) -> bool:
    """Press the power button until the instance is gone; say whether it went in time."""
    end = time.monotonic() + timeout
    pressed = 0.0
    while domains.find(name) is not None:
        now = time.monotonic()
        if now > end:
            return False
        # A guest that is still starting hears nothing yet.
        if now - pressed > _AGAIN or not pressed:
            domains.press_power_button(name)
            pressed = now
        time.sleep(_PAUSE)
    return True


def _ssh_answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=_PAUSE) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Let one run at a time change the instances of a folder, which is made."""
    os.makedirs(folder, mode=0o711, exist_ok=True)
    with one_at_a_time(folder):
        yield


__all__ = [
    "WAITS",
    "Start",
    "locked",
    "outdated",
    "require_address",
    "require_startable",
    "start",
    "stop",
    "wait_until_up",
]
