# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Domains of a hypervisor, through libvirt's own binding."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

try:
    import libvirt
    import libvirt_qemu
except ImportError as error:
    LIBVIRT_ERROR: ImportError | None = error
else:
    LIBVIRT_ERROR = None

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._instance import domain_xml
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import Mark

_AGENT_SECONDS = 5


@dataclass(frozen=True)
class Running:
    """A domain of ours that is there.

    Attributes:
        active: whether it lives; else it has crashed, or is paused because its disk failed.
        type: ``kvm`` or ``qemu``.
        paused: whether it lives and does not run, because an administrator or libvirt paused it.
    """

    name: str
    uuid: str
    mark: Mark
    active: bool
    type: str
    paused: bool = False


class Domains:
    """The domains of one hypervisor."""

    def __init__(self, connection: t.Any) -> None:
        """Take an open connection of libvirt's."""
        self._connection = connection

    @property
    def qemu_version(self) -> tuple[int, int]:
        """QEMU's version: its major and its minor number."""
        version = self._connection.getVersion()
        return version // 1_000_000, version // 1_000 % 1_000

    def find(self, name: str) -> Running | None:
        """Return an instance's domain, or None.

        Raises:
            InputError: a domain has its name that is none of ours.
        """
        domain = self._lookup(name)
        told = domain and _told(domain)
        if told is None:
            return None
        found = _running(*told)
        if found is None:
            raise InputError(
                f"the domain {name} is there and was not made by this collection", hint="rename one of the two"
            )
        return found

    def all(self) -> list[Running]:
        """Return all domains of ours."""
        told = filter(None, map(_told, self._connection.listAllDomains()))
        return [found for found in (_running(*each) for each in told) if found is not None]

    def start(self, xml: str) -> None:
        """Start a transient domain: when it ends, nothing of it stays.

        Raises:
            ToolError: libvirt cannot.
        """
        with translated("libvirt could not start the instance"):
            self._connection.createXML(xml, libvirt.VIR_DOMAIN_START_VALIDATE)

    def press_power_button(self, name: str) -> None:
        """Ask the guest to power off; nothing where it is gone."""
        domain = self._lookup(name)
        if domain is not None:
            with _gone_is_fine():
                domain.shutdown()

    def destroy(self, name: str) -> None:
        """End a domain at once; nothing where it is gone."""
        domain = self._lookup(name)
        if domain is not None:
            with _gone_is_fine():
                domain.destroy()

    def agent_answers(self, name: str) -> bool:
        """Say whether the guest's agent is there."""
        domain = self._lookup(name)
        if domain is None:
            return False
        try:
            answer = libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": "guest-ping"}), _AGENT_SECONDS, 0)
        except libvirt.libvirtError:
            return False
        return bool(answer)

    def _lookup(self, name: str) -> t.Any:
        return look_up(self._connection.lookupByName, name, libvirt.VIR_ERR_NO_DOMAIN)


def _told(domain: t.Any) -> tuple[t.Any, str, int, int] | None:
    """Return a domain with its XML, its state and the reason for it; None where it has ended meanwhile."""
    try:
        state, reason = domain.state()
        return domain, domain.XMLDesc(0), state, reason
    except libvirt.libvirtError:
        return None


def _running(domain: t.Any, xml: str, state: int, reason: int) -> Running | None:
    """Return a domain of ours; None for one of somebody else's."""
    mark = domain_xml.read_mark(xml)
    if mark is None:
        return None
    active = _lives(state, reason)
    paused = active and state in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED)
    return Running(domain.name(), domain.UUIDString(), mark, active, domain_xml.read_type(xml), paused)


def _lives(state: int, reason: int) -> bool:
    """Say whether a guest can go on: libvirt also pauses for dumps, snapshots and migrations."""
    if state == libvirt.VIR_DOMAIN_PAUSED:
        return reason not in (libvirt.VIR_DOMAIN_PAUSED_CRASHED, libvirt.VIR_DOMAIN_PAUSED_IOERROR)
    return state not in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED)


def look_up(by_name: Callable[[str], t.Any], name: str, missing: int) -> t.Any:
    """Return what libvirt has of a name; None where it says, by its error number, that there is none.

    Raises:
        ToolError: libvirt failed.
    """
    try:
        return by_name(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == missing:
            return None
        raise ToolError(f"libvirt failed: {error}") from None


@contextmanager
def connect(uri: str) -> Iterator[Domains]:
    """Give the domains of a hypervisor.

    Raises:
        ToolError: libvirt cannot be reached, or its binding is not installed.
    """
    with opened(uri) as connection:
        yield Domains(connection)


@contextmanager
def opened(uri: str) -> Iterator[t.Any]:
    """Give a connection of libvirt's.

    Raises:
        ToolError: it cannot be reached, or its binding is not installed.
    """
    if LIBVIRT_ERROR:
        raise ToolError(
            "libvirt's Python binding is not installed", hint="install python3-libvirt for the hypervisor's Python"
        )
    # It would also print what is raised.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    with translated("libvirt cannot be reached", where=uri):
        connection = libvirt.open(uri)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def translated(what: str, where: str | None = None) -> Iterator[None]:
    """Tell what libvirt could not do, and its reason.

    Raises:
        ToolError: it could not.
    """
    try:
        yield
    except libvirt.libvirtError as error:
        raise ToolError(f"{what} ({error})", where=where) from None


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        with translated("libvirt could not stop the instance"):
            yield
    except ToolError as error:
        if "no domain" not in error.found and "not running" not in error.found:
            raise


__all__ = ["LIBVIRT_ERROR", "Domains", "Running", "connect", "look_up", "opened", "translated"]
