# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a guest's own files give the kernel on its command line, for when its tools write a boot configuration anew.

They are kept in step with what starts the guest here. Without that, the next
kernel package would bring back the root device and the consoles of another
machine, or on EL those of the machine that the image was made on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.kernels import ENTRIES
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

KERNEL_INSTALL = "/etc/kernel/cmdline"  # man 8 kernel-install
GRUB = "/etc/default/grub"
ALPINE = "/etc/update-extlinux.conf"
_MENUS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_OLDER_MENUS = ("/boot/grub/menu.lst", "/boot/grub/grub.conf")
_EXTLINUX = ("/boot/extlinux.conf", "/boot/extlinux/extlinux.conf")

_OPTIONS = re.compile(r"^(options[ \t]+)(.*)$", re.MULTILINE)
_LINUX = re.compile(r"^([ \t]*linux(?:16|efi)?[ \t]+\S+[ \t]*)(.*)$", re.MULTILINE)
_KERNEL = re.compile(r"^([ \t]*kernel[ \t]+\S*vmlinuz\S*[ \t]*)(.*)$", re.MULTILINE)
_APPEND = re.compile(r"^([ \t]*append[ \t]+)(.*)$", re.MULTILINE | re.IGNORECASE)
_WHOLE = re.compile(r"\A()(.*)$", re.MULTILINE)
# A value of the shell, in one piece; what follows it is a comment at most.
_SHELL = re.compile(
    r"^((?:GRUB_CMDLINE_LINUX|default_kernel_opts)=)"
    r"(\"(?:\\[\s\S]|[^\"\\\n])*\"|'[^'\n]*'|[^\s\"'\\;#&|<>()$`]*)(?=[ \t\r]*(?:#.*)?$)",
    re.MULTILINE,
)
_ALPINE_ROOT = re.compile(r"^(root=)(.*)$", re.MULTILINE)
_WORD = re.compile(r'(?:"[^"]*"|[^ "])+')  # Linux, lib/cmdline.c: only double quotes hold a value together
_PLAIN = re.compile(r"[A-Za-z0-9/._+~=,:@%-]+")
_UNSAYABLE = re.compile(r"[\0-\x1f\x7f'\\]")


def add(plan: Plan, options: Sequence[str]) -> None:
    """Give options to every kernel that a boot loader of the guest would start, and to later ones."""
    for path, pattern in _lines(plan):
        _edit(plan, path, pattern, lambda before: " ".join([*before.split(), *_missing(before, options)]))
    for path in (GRUB, ALPINE):
        _edit(plan, path, _SHELL, lambda before: _with_options(before, options))


def settle(plan: Plan, root: str, options: Sequence[str]) -> None:
    """Let what the guest's own tools write say the same as the boot loader that is on the disk.

    Args:
        root: the root filesystem, as the kernel takes it.
        options: what follows it.

    Raises:
        InputError: see `for_grub`.
    """
    rest = " ".join(options)
    line = f"root={root} ro {rest}".rstrip()
    for path in _entries(plan):
        _edit(plan, path, _OPTIONS, lambda _before: line)
    if tree.exists(plan, KERNEL_INSTALL) or next(_entries(plan), None):
        plan.write_text(KERNEL_INSTALL, f"{line}\n")
    for path in _EXTLINUX:
        _edit(plan, path, _APPEND, lambda before: " ".join([line, *_initramfs(before)]))
    # What grub-mkconfig finds there it puts into GRUB's script as it is.
    _edit(plan, GRUB, _SHELL, lambda before: _with_value(before, for_grub(options)))
    _edit(plan, ALPINE, _SHELL, lambda before: _with_value(before, rest))
    _edit(plan, ALPINE, _ALPINE_ROOT, lambda _before: root)


def for_grub(options: Iterable[str]) -> str:
    """Return options of the kernel as words of GRUB's script.

    GRUB itself puts quotes around a word with spaces when it hands it to the kernel, and a backslash before
    quotes and backslashes inside (grub-core/lib/cmdline.c).

    Raises:
        InputError: an option has such characters, or a quotation that does not end.
    """
    words = []
    for option in options:
        if _UNSAYABLE.search(option) or option.count('"') % 2:
            raise InputError(
                f"GRUB cannot hand {option!r} on to a kernel",
                where="kernel_options",
                hint="put a value with spaces in double quotes, and leave out other quotes and backslashes",
            )
        words += [grub_word(word.replace('"', "")) for word in _WORD.findall(option)]
    return " ".join(words)


def grub_word(text: str) -> str:
    """Return a text as one word of GRUB's script; plain ones as they are, for pygrub knows no quotes."""
    if _PLAIN.fullmatch(text):
        return text
    quoted = text.replace("'", "'\\''")
    return f"'{quoted}'"


def _value(word: str) -> str | None:
    """Return what a word that `_SHELL` found is to the shell; None where that depends on other things."""
    inner = word[1:-1]
    if not word.startswith('"'):
        return inner if word.startswith("'") else word
    if re.search(r"(?<!\\)(?:\\\\)*[$`]", inner):
        return None
    return re.sub(r'\\([$`"\\\n])', lambda match: match.group(1).strip("\n"), inner)


def _with_value(word: str, text: str) -> str:
    """Return a word of the shell that is this text: the one that `_SHELL` found, or another."""
    return word if _value(word) == text else '"' + re.sub(r'[$`"\\]', r"\\\g<0>", text) + '"'


def _with_options(word: str, options: Sequence[str]) -> str:
    """Return a word that `_SHELL` found with the options that it lacks, and all else as it is."""
    quote = word[:1] if word[:1] in ("'", '"') else ""
    inner = word[1:-1] if quote else word
    missing = _missing(inner, options)
    if not missing:
        return word
    quote = quote or '"'
    return quote + " ".join([*([inner.rstrip()] if inner.strip() else []), *missing]) + quote


def _lines(view: View) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield each file with a command line as the kernel gets it, and how to find it there."""
    yield from ((path, _LINUX) for path in _MENUS)
    yield from ((path, _KERNEL) for path in _OLDER_MENUS)
    yield from ((path, _APPEND) for path in _EXTLINUX)
    yield from ((path, _OPTIONS) for path in _entries(view))
    yield KERNEL_INSTALL, _WHOLE


def _entries(view: View) -> Iterator[str]:
    yield from (f"{ENTRIES}/{name}" for name in tree.names_in(view, ENTRIES) if name.endswith(".conf"))


def _edit(plan: Plan, path: str, pattern: re.Pattern[str], change: Callable[[str], str]) -> None:
    text = tree.read_text(plan, path)
    if text is None:
        return
    changed = pattern.sub(lambda match: f"{match.group(1)}{change(match.group(2))}", text)
    if changed != text:
        plan.write_text(path, changed)


def _missing(before: str, options: Iterable[str]) -> list[str]:
    """Return which options a line lacks; one that it sets otherwise stays so."""
    names = {name(word) for word in before.split()}
    return [option for option in options if name(option) not in names]


def name(option: str) -> str:
    """Return which setting of the kernel an option is for."""
    return option.partition("=")[0]


def _initramfs(before: str) -> list[str]:
    return [word for word in before.split() if word.startswith("initrd=")]


__all__ = ["ALPINE", "GRUB", "KERNEL_INSTALL", "add", "for_grub", "grub_word", "name", "settle"]
