# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The guest's fstab: one entry changed, every other line left as it is (format: man 5 fstab)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError

PATH = "/etc/fstab"
NO_PATH = ("none", "swap")  # what stands for the path of a swap area


@dataclass(frozen=True)
class FstabEntry:
    """One mount; `options` as fstab joins them with commas."""

    source: str
    path: str
    type: str
    options: tuple[str, ...] = ("defaults",)
    dump: int = 0
    check: int = 0

    @property
    def line(self) -> str:
        """The entry as a line of the file, without its end."""
        words = (self.source, self.path, self.type, ",".join(self.options))
        return " ".join([*(_escape(word) for word in words), str(self.dump), str(self.check)])


def parse(text: str) -> list[FstabEntry]:
    """Return the entries of an fstab; lines that are none are passed over."""
    return [entry for entry in map(_parse_line, _lines(text)) if entry]


def with_entry(text: str, entry: FstabEntry) -> str:
    """Return the text with `entry` in the place of the one for the same path, else at the end.

    Swap areas have no path of their own; they are told apart by their source.
    """
    return _replace(text, entry.path, entry.source, entry.line)


def without_entry(text: str, path: str, source: str = "") -> str:
    """Return the text without the entry for a path, or without the swap area that has a source."""
    return _replace(text, path, source, None)


def adapt(
    text: str, root: FstabEntry, there: Collection[str] = (), renamed: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """Fit the fstab of an image to its disk.

    An entry for a device that is not there holds up the boot for a minute and
    a half and ends in the emergency shell, so such entries become comments.
    The root entry keeps its options, unless they are of another filesystem type.

    Args:
        there: what is on the disk beside the root, as ``UUID=`` and so on.
        renamed: what entries name by another machine's device names, and its lasting name.

    Returns:
        The new text, and the paths (for swap: the sources) that were switched off.
    """
    switched_off: list[str] = []
    lines: list[str] = []
    named = {normal_source(entry.source) for entry in parse(text)}
    for line in _lines(text):
        seen = _parse_line(line)
        source = (renamed or {}).get(seen.source) if seen else None
        if seen and source and source not in named:
            named.add(source)
            seen = replace(seen, source=source)
            line = seen.line
        if seen and seen.path != "/" and not _is_there(seen, root, there):
            switched_off.append(seen.source if seen.type == "swap" else seen.path)
            lines.append(f"# voc.cluster: no such device in this image: {line}")
        else:
            lines.append(line)
        if seen and seen.path == "/" and (seen.type in (root.type, "auto") or _are_ext(seen.type, root.type)):
            root = replace(root, options=seen.options)
    return with_entry("".join(f"{line}\n" for line in lines), root), switched_off


def normal_source(source: str) -> str:
    """Return a source as ``UUID=``, ``LABEL=``, ``PARTUUID=`` or ``PARTLABEL=`` where it is one (man 8 mount)."""
    match = re.fullmatch(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", source)
    tag, equals, value = source.replace('"', "").partition("=")
    if match:
        tag, equals, value = match.group(1).upper(), "=", match.group(2)
    return f"{tag}{equals}{value.lower() if tag == 'PARTUUID' else value}"


def _are_ext(*kinds: str) -> bool:
    return all(kind.startswith("ext") for kind in kinds)


def _is_there(entry: FstabEntry, root: FstabEntry, there: Collection[str]) -> bool:
    source = normal_source(entry.source)
    return source == root.source or source in there or not _needs_device(entry)


def _needs_device(entry: FstabEntry) -> bool:
    on_device = entry.source.startswith(("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="))
    return on_device and not {"noauto", "nofail"} & set(entry.options)


def _replace(text: str, path: str, source: str, line: str | None) -> str:
    kept: list[str] = []
    placed = line is None
    for old in _lines(text):
        seen = _parse_line(old)
        same = seen and (seen.source == source and path in NO_PATH if seen.path in NO_PATH else seen.path == path)
        if not same:
            kept.append(old)
        elif not placed and line is not None:
            kept.append(line)
            placed = True
    if not placed and line is not None:
        kept.append(line)
    return "".join(f"{old}\n" for old in kept)


def _lines(text: str) -> list[str]:
    # Not splitlines(): only a newline ends a line for libmount.
    return text.removesuffix("\n").split("\n") if text else []


def _parse_line(line: str) -> FstabEntry | None:
    words = re.findall(r"[^ \t]+", line)
    if len(words) < 3 or words[0].startswith("#"):
        return None
    source, path, kind = (_unescape(word) for word in words[:3])
    options = tuple(_unescape(words[3]).split(",")) if len(words) > 3 else ("defaults",)
    numbers = [int(word) if re.fullmatch("[0-9]{1,9}", word) else 0 for word in words[4:6]]
    dump, check = (*numbers, 0, 0)[:2]
    return FstabEntry(source, path.rstrip("/") or "/", kind, options, dump, check)


def _escape(word: str) -> str:
    if not word or "\n" in word or "\0" in word:
        raise InputError(f"{word!r} cannot be written to fstab", hint="give a word on one line")
    return re.sub(r"[ \t\\#]", lambda match: f"\\{ord(match.group()):03o}", word)


def _unescape(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), word)


__all__ = ["NO_PATH", "PATH", "FstabEntry", "adapt", "normal_source", "parse", "with_entry", "without_entry"]
