# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Whether pygrub, Xen's reader of boot loader configurations, would find a kernel in an image.

It reads the first configuration there is, line by line, and takes names as
they stand: no quotes, no variables, no included files (Xen,
tools/pygrub/src/pygrub and GrubConf.py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, printable
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

# In pygrub's order.
_CONFIGURATIONS = (
    *("/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"),
    *("/boot/isolinux/isolinux.cfg", "/boot/extlinux/extlinux.conf", "/boot/extlinux.conf"),
    *("/extlinux/extlinux.conf", "/extlinux.conf"),
    *("/boot/grub/menu.lst", "/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"),
)
_ENTRY = re.compile(r"menuentry [\"'].*?[\"'] .*\{|title\s|label\s", re.IGNORECASE)
_KERNEL = re.compile(r"(?:linux(?:16)?|kernel|module)\s+(\S+)", re.IGNORECASE)
_INITRAMFS = re.compile(r"(?:(?:initrd(?:16)?|module)\s+|append\s.*\binitrd=)(\S+)", re.IGNORECASE)
_DEVICE = re.compile(r"\([^)]*\)")
_PARAVIRTUAL = re.compile(r"^CONFIG_(?:XEN_PV|XEN_PVH|PVH)=y$", re.MULTILINE)


def obstacle(view: View, guest: Guest, boot: str = "/") -> str | None:
    """Return why pygrub could not boot a guest, or None when it could.

    Only the first entry is looked at.

    Args:
        boot: where the filesystem with the configuration is mounted: pygrub sees that one alone.
    """
    try:
        return _find_obstacle(view if boot == "/" else tree.Below(view, boot)) or _kernel_obstacle(view, guest)
    except GuestError as error:
        return error.found


def _find_obstacle(view: View) -> str | None:
    path = next((name for name in _CONFIGURATIONS if tree.exists(view, name)), None)
    if path is None:
        return "there is no configuration of GRUB or extlinux"
    text = tree.read_text(view, path) or ""
    entry = next(_entries(text), None)
    if entry is None:
        return f"{path} has no entry that pygrub knows"
    for kind, pattern in (("kernel", _KERNEL), ("initramfs", _INITRAMFS)):
        named = [match.group(1) for match in map(pattern.match, entry) if match]
        if not named:
            return f"the first entry of {path} names no {kind}"
        # Older configurations name Xen itself first, and the kernel as its first module.
        if not any(_is_file(view, name, path) for name in named):
            return f"the {kind} that {path} names first is not there: {printable(named[0][:200])}"
    return None


def _entries(text: str) -> Iterator[list[str]]:
    """Yield the lines of each entry."""
    entry: list[str] | None = None
    for line in map(str.strip, text.split("\n")):
        if _ENTRY.match(line):
            if entry:
                yield entry
            entry = []
        elif entry is not None:
            entry.append(line)
    if entry:
        yield entry


def _is_file(view: View, name: str, configuration: str) -> bool:
    path = _DEVICE.sub("", name, count=1)
    # extlinux takes other names from its own folder.
    path = posixpath.join(posixpath.dirname(configuration), path)
    _real, entry = tree.lookup(view, path)
    return entry is not None and entry.kind == "file"


def _kernel_obstacle(view: View, guest: Guest) -> str | None:
    """Say what a kernel's own configuration, where it is there, tells about Xen."""
    kernel = guest.newest_kernel
    if kernel is None:
        return None  # the names were others than Linux distributions have
    config = tree.read_text(view, f"/boot/config-{kernel.version}")
    # Before Linux 4.12 there was one setting for all that concerns Xen.
    older = config and "\nCONFIG_XEN=y\n" in config and "CONFIG_XEN_PV" not in config
    if config and not older and not _PARAVIRTUAL.search(config):
        return f"the kernel {kernel.version} is not made for Xen's paravirtual machines"
    return None


__all__ = ["obstacle"]
