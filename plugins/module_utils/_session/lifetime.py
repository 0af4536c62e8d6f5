# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Opening and closing a session from outside its holder."""

from __future__ import annotations

import os
import signal
import time
import typing as t
from contextlib import suppress

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._session import records
from ansible_collections.voc.cluster.plugins.module_utils._session.holder import Request, hold
from ansible_collections.voc.cluster.plugins.module_utils._session.records import Record

_PATIENCE = 120  # seconds, for a holder to write what the guest's programs wrote
_DIED = "the process that was to hold the session has died"


def settled(image: str) -> Record | None:
    """Return the session of an image, if one is open; wait where one is being opened, or ends with its run.

    A module that is still on its way when its run is killed opens a session for nobody.

    Raises:
        GuestError: it is neither open nor ended after a long time.
    """
    end = time.monotonic() + _PATIENCE
    while _is_passing(image, found := records.find(image)):
        if time.monotonic() > end:
            raise GuestError("its session is neither open nor does it end", where=image, hint="look at its process")
        time.sleep(0.02)
    return found


def _is_passing(image: str, found: Record | None) -> bool:
    """Whether a session's state is one that soon ends by itself."""
    if found is None:
        return records.is_opening(image)
    return found.owner is not None and found.owner.is_gone


def require_usable(found: Record, request: Request) -> None:
    """Make sure that a session that is open is the one that is asked for.

    Raises:
        InputError: it is another one.
    """
    if found.owner and found.owner != request.owner:
        raise InputError("another run has a session of this image open", where=request.image, hint="wait for it to end")
    if found.network != request.network:
        raise InputError(
            f"the session that is open has {'a' if found.network else 'no'} network",
            where=request.image,
            hint="close it first, with state: absent",
        )


def open_session(runner: Runner, request: Request) -> Record:
    """Start a holder, and wait until the session can be entered.

    Raises:
        ImageError: the image cannot be opened; it is as it was.
    """
    reader, writer = os.pipe()
    # Nobody waits for a grandchild: it is not the module's, and goes on after it.
    between = os.fork()
    if between == 0:
        os.close(reader)
        _become_holder(runner, request, os.fdopen(writer, "w", encoding="utf-8", errors="replace"))
    os.close(writer)
    os.waitpid(between, 0)
    with os.fdopen(reader, encoding="utf-8", errors="replace") as news:
        problem = news.read()
    found = records.find(request.image)
    if problem or found is None:
        records.remove_left(request.image)
        raise ImageError((problem or _DIED).rstrip("."))
    return found


def _become_holder(runner: Runner, request: Request, ready: t.TextIO) -> None:
    """Part with everything of the module's process, hold the session, and end."""
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            _hold(runner, request, ready)
        status = 0
    finally:
        os._exit(status)


def _hold(runner: Runner, request: Request, ready: t.TextIO) -> None:
    """Hold a session; say what goes wrong to whoever waits, and write it down for whoever closes it."""
    try:
        hold(runner, request, ready)
    except (ImageError, OSError) as error:
        if ready.closed:
            records.write_failure(request.image, str(error))
        else:
            ready.write(str(error))
            ready.close()


def close(image: str, found: Record | None) -> None:
    """End a session, and what still runs in it; then the image holds all that was written.

    Raises:
        GuestError: it did not end, or not well.
    """
    if found:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(found.pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while records.find(image):
            if time.monotonic() > end:
                raise GuestError(f"its session does not end, process {found.pid}", where=image, hint="look at it")
            time.sleep(0.02)
    failure = records.remove_left(image)
    if failure:
        raise GuestError(f"its session did not end well ({failure.rstrip('.')})", where=image, hint="make it again")


__all__ = ["close", "open_session", "require_usable", "settled"]
