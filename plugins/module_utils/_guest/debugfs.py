# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Asks debugfs what an ext filesystem holds: words as it reads them, and what it prints, parsed.

debugfs reads its commands as lines and reports failure only as text on standard error,
so any unexpected word there is a failure.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Conversation, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume, identify

# ls -p prints /inode/mode/uid/gid/name/size/, and no size for directories.
_LISTED = re.compile(rb"/(\d+)/(\d+)/(-?\d+)/(-?\d+)/([^/]*)/(\d*)/\n")

# What it prints of an inode.
_LINKS = re.compile(rb"^Links: (\d+)", re.MULTILINE)
_FLAGS = re.compile(rb"Flags: 0x([0-9a-f]+)$", re.MULTILINE)
_ATTRIBUTE_BLOCK = re.compile(rb"^File ACL: (\d+)", re.MULTILINE)
_ATTRIBUTES = re.compile(rb"^Extended attributes:\n((?:  .*\n)*)", re.MULTILINE)
_ATTRIBUTE = re.compile(rb"  (.+?) \(\d+\)(?: = .*)?")
_INLINE = "system.data"  # where the content of small files and directories lies (ext4, inline_data)

# Linux, fs/ext4/ext4.h: features by which names in a directory are not what its bytes say.
_NAMES_DIFFER = {0x10000: "encrypt", 0x20000: "casefold"}

_AT_ONCE = 1000  # requests, so that the answers stay below the limit on output
_LINE = 8191  # bytes of a line of commands, with its end (BUFSIZ of the C library)

MOUNT_INSTEAD = "use access: mounted as root, or choose another name"


@dataclass(frozen=True)
class Inode:
    """What a directory does not tell of a file.

    Attributes:
        flags: as chattr sets them (linux/fs.h).
        attributes: the names of its extended attributes.
        attribute_block: whether they need a block outside the inode, which other inodes may share.
    """

    links: int
    flags: int = 0
    attributes: tuple[str, ...] = ()
    attribute_block: bool = False


class Debugfs:
    """A debugfs that answers requests which change nothing; it is started when it is needed first."""

    def __init__(self, runner: Runner, volume: Volume) -> None:
        self._runner = runner
        self._volume = volume
        self._open = ExitStack()
        self._talking: Conversation | None = None
        self._token = b""

    def ask(self, request: str) -> bytes:
        """Return the answer to one request.

        Raises:
            DamagedImageError: it complained.
        """
        (answer,) = self.ask_all([request])
        return answer

    def ask_all(self, requests: Sequence[str]) -> list[bytes]:
        """Return the answer to each of several requests; see `ask`."""
        answers: list[bytes] = []
        for start in range(0, len(requests), _AT_ONCE):
            answers += self._ask_some(requests[start : start + _AT_ONCE])
        return answers

    def _ask_some(self, requests: Sequence[str]) -> list[bytes]:
        """Ask what one answer can hold.

        debugfs repeats each request, and lines that begin with ``#``. No file of
        the guest can foresee the ones that are made here.
        """
        talking = self._conversation()
        marks = [b"#%s %d\n" % (self._token, number) for number in range(len(requests))]
        lines = [os.fsencode(f"{request}\n") + mark for request, mark in zip(requests, marks)]
        output, errors = talking.ask(b"".join(lines), marks[-1])
        self._require_silence(errors)
        answers = []
        start = 0
        for request, mark in zip(requests, marks):
            repeated = os.fsencode(f"debugfs: {request}\n")
            # Before the first it may say what it thinks of the superblock.
            start = output.index(repeated, start) + len(repeated)
            end = output.find(mark, start)
            answers.append(output[start : end if end >= 0 else len(output)])
            start = end + len(mark)
        return answers

    def _conversation(self) -> Conversation:
        if self._talking is None:
            _require_plain_names(self._volume)
            self._token = secrets.token_hex(16).encode()
            self._talking = self._open.enter_context(
                self._runner.converse(["debugfs", "-f", "-", self._volume.e2fs_name])
            )
        return self._talking

    def close(self) -> None:
        """End it; what it holds of the image in memory is forgotten."""
        self._talking = None
        self._open.close()

    def _require_silence(self, errors: bytes) -> None:
        trouble = batch.complaints(errors)
        if trouble:
            raise DamagedImageError(
                f"the filesystem cannot be read (debugfs: {trouble})",
                where=self._volume.path,
                hint="repair a copy of the image with e2fsck -f, or fetch it again",
            )


def _require_plain_names(volume: Volume) -> None:
    found = identify(volume)
    for feature, name in _NAMES_DIFFER.items():
        if found and found.is_ext and found.incompatible & feature:
            raise InputError(
                f"its filesystem has the feature {name}, which debugfs does not follow",
                where=volume.path,
                hint="use access: mounted as root",
            )


def parse_listing(output: bytes) -> dict[str, tuple[int, Entry]]:
    """Read what ``ls -p`` printed: name -> (inode, entry). No name has a slash, but some have a newline.

    Raises:
        DamagedImageError: it is not what debugfs prints.
    """
    names: dict[str, tuple[int, Entry]] = {}
    end = 0
    for match in _LISTED.finditer(output):
        if match.start() != end:
            break
        end = match.end()
        inode, mode, uid, gid, name, size = match.groups()
        # debugfs prints owners as signed numbers.
        owner, group = int(uid) & 0xFFFFFFFF, int(gid) & 0xFFFFFFFF
        names[os.fsdecode(name)] = (int(inode), Entry.from_mode(int(mode, 8), owner, group, int(size or 0)))
    if output[end:].strip():
        raise DamagedImageError("a directory in the guest cannot be read", hint="check the filesystem with e2fsck")
    return names


def parse_stat(number: int, shown: bytes) -> Inode:
    """Read what ``stat`` printed of an inode.

    Raises:
        DamagedImageError: it is not what debugfs prints.
    """
    links, flags, block = (pattern.search(shown) for pattern in (_LINKS, _FLAGS, _ATTRIBUTE_BLOCK))
    if links is None or flags is None or block is None:
        raise DamagedImageError(f"the inode {number} cannot be read", hint="check the filesystem with e2fsck")
    names = _attribute_names(number, shown)
    return Inode(int(links.group(1)), int(flags.group(1), 16), names, int(block.group(1)) != 0)


def _attribute_names(number: int, shown: bytes) -> tuple[str, ...]:
    section = _ATTRIBUTES.search(shown)
    matches = [_ATTRIBUTE.fullmatch(line) for line in section.group(1).split(b"\n")[:-1]] if section else []
    names = [os.fsdecode(match.group(1)) for match in matches if match]
    if len(names) != len(matches):  # it would be lost when the file is replaced
        raise GuestError(
            f"debugfs cannot express the name of an extended attribute of inode {number}", hint=MOUNT_INSTEAD
        )
    return tuple(name for name in names if name != _INLINE)


def quote(word: str, path: str) -> str:
    """Return a word as debugfs reads it: in double quotes, inner ones doubled.

    Raises:
        GuestError: no line of commands can hold it.
    """
    if re.search(r"[\0\n\r]", word):
        raise GuestError("debugfs cannot express this name", where=path, hint=MOUNT_INSTEAD)
    escaped = word.replace('"', '""')
    return f'"{escaped}"'


def line(path: str, *words: str) -> str:
    """Return a line of commands; `path` is for the error.

    Raises:
        GuestError: it is too long.
    """
    text = " ".join(words)
    if len(os.fsencode(text)) >= _LINE:
        raise GuestError("debugfs cannot express names that long", where=path, hint=MOUNT_INSTEAD)
    return text


__all__ = ["MOUNT_INSTEAD", "Debugfs", "Inode", "line", "parse_listing", "parse_stat", "quote"]
