# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The one family of errors that a user sees: what was found, where, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ImageError(Exception):
    """Something about an image, a guest or the builder that stops the work.

    Its text is one sentence for the user. Modules turn it into a failure in
    one place (``_module.run``); elsewhere it is caught only to name a better place.

    Args:
        found: what was found, as a clause without a full stop.
        where: the file, partition or tool it was found in.
        hint: what the user can do about it.
    """

    def __init__(self, found: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.found = found
        self.where = where
        self.hint = hint
        super().__init__(found)

    def __str__(self) -> str:
        place = f"{printable(self.where)}: " if self.where else ""
        # What was found often quotes the image, too.
        advice = f"; {printable(self.hint)}" if self.hint else ""
        return f"{place}{printable(self.found)}{advice}."


class InputError(ImageError):
    """An option, or what it names, cannot be used."""


class UnsafeImageError(ImageError):
    """An image that could read or harm more than itself."""


class DamagedImageError(ImageError):
    """An image that is cut short or inconsistent."""


class GuestError(ImageError):
    """The system inside the image lacks what the work needs, or cannot express it."""


class SpaceError(ImageError):
    """There is not enough room, on the builder or inside the image."""


class ToolError(ImageError):
    """A program on the builder is missing, failed, or exceeded its limits."""


class FileSizeError(ToolError):
    """A program tried to write a larger file than it was allowed to."""


@contextmanager
def called(path: str, name: str) -> Iterator[None]:
    """Let errors about `path`, a copy that users do not know, speak of the `name` they do know."""
    try:
        yield
    except ImageError as error:
        if error.where == path:
            error.where = name
        raise


@contextmanager
def located(place: str, *, above: bool = False) -> Iterator[None]:
    """Let errors that do not know where something was found name `place`.

    Args:
        above: whether those that do know it name `place` before it.
    """
    try:
        yield
    except ImageError as error:
        error.where = f"{place}: {error.where}" if above and error.where else error.where or place
        raise


def printable(text: str) -> str:
    """Return `text` with everything that is not plain printable text escaped.

    Names, labels and messages from an image are untrusted: a terminal must not
    obey them and a log line must stay one line.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


__all__ = [
    "DamagedImageError",
    "FileSizeError",
    "GuestError",
    "ImageError",
    "InputError",
    "SpaceError",
    "ToolError",
    "UnsafeImageError",
    "called",
    "located",
    "printable",
]
