# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Where a builder's sessions are written down, and which of them are alive.

A session's folder has the name of its image's path. Its holder keeps the record locked, so a
folder that a killed one left is known for what it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import posixpath
import shutil
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner

_SESSIONS = "/run/voc-cluster/sessions"
ENTER, RECORD, USED = "enter", "record", "used"
_FAILURE = "failure"


def folder_of(image: str) -> str:
    """Return the folder of the session of an image, which has an absolute path on the builder."""
    name = hashlib.sha256(os.fsencode(posixpath.normpath(image))).hexdigest()[:16]
    return f"{_SESSIONS}/{name}"


@dataclass(frozen=True)
class Record:
    """A session that is open.

    Attributes:
        pid: its holder.
        owner: the process with which it ends; None for one that only ends when it is not used.
        python: whose Python runs modules: ``guest`` or ``builder``.
    """

    image: str
    pid: int
    network: bool
    owner: Owner | None
    python: str

    def write(self, descriptor: int) -> None:
        """Write it to the file that its holder has locked."""
        data = {**self.__dict__, "owner": self.owner.as_data() if self.owner else None}
        os.pwrite(descriptor, json.dumps(data).encode(), 0)


def find(image: str) -> Record | None:
    """Return the session of an image, if one is open."""
    path = Path(folder_of(image)) / RECORD
    try:
        with path.open("rb") as file:
            if not _is_locked(file, fcntl.LOCK_SH):
                return None
            data: dict[str, t.Any] = json.loads(file.read())
    except (FileNotFoundError, ValueError):  # a session that is just being opened has written nothing yet
        return None
    owner = data.pop("owner")
    return Record(**data, owner=Owner.read(owner) if owner else None)


def is_opening(image: str) -> bool:
    """Whether somebody is about to hold a session of an image, and has not written its record yet."""
    try:
        with (Path(folder_of(image)) / RECORD).open("rb") as file:
            return _is_locked(file, fcntl.LOCK_SH) and not file.read(1)
    except FileNotFoundError:
        return False


@contextmanager
def own_folder(image: str) -> Iterator[tuple[Path, int]]:
    """Make the folder of a session, and give it with a descriptor of its record; it is removed in the end.

    Raises:
        InputError: a session of this image is open.
    """
    folder = Path(folder_of(image))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / RECORD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                "a session of this image is open", where=image, hint="close it first, with state: absent"
            ) from None
        yield folder, descriptor
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)


def write_failure(image: str, problem: str) -> None:
    """Leave word for whoever closes a session that it could not end well."""
    (Path(folder_of(image)) / _FAILURE).write_text(problem, encoding="utf-8")


def remove_left(image: str) -> str:
    """Remove the folder of a session that has ended; return why it could not end well, if so."""
    folder = Path(folder_of(image))
    try:
        with (folder / RECORD).open("rb") as file:
            if _is_locked(file, fcntl.LOCK_EX):
                return ""  # it is somebody else's, who has just begun
        problem = (folder / _FAILURE).read_text(encoding="utf-8") if (folder / _FAILURE).exists() else ""
    except FileNotFoundError:
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    return problem


def in_use(folder: Path) -> bool:
    """Whether a command runs in a session just now; its `enter` holds a lock meanwhile."""
    with (folder / USED).open("rb") as file:
        return _is_locked(file, fcntl.LOCK_EX)


def _is_locked(file: t.IO[bytes], against: int) -> bool:
    """Whether somebody holds a lock that excludes one of this kind."""
    try:
        fcntl.flock(file, against | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


__all__ = [
    "ENTER",
    "RECORD",
    "USED",
    "Record",
    "find",
    "folder_of",
    "in_use",
    "is_opening",
    "own_folder",
    "remove_left",
    "write_failure",
]
