# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Names of interfaces: the kernel's own, or one that is tied to a MAC.

Predictable names say where a card is plugged in, so another machine type gives
another name. What can only be told about an interface by its name gets it by
the kernel's: eth0 is the first one everywhere.
"""

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import command_line, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

# An initramfs has rules of its own, which only the kernel's command line reaches.
KERNEL_OPTIONS = ("net.ifnames=0", "biosdevname=0")
PINNED = "voc0"
PIN_PATH = "/etc/udev/rules.d/70-voc-cluster-net.rules"

_RULES = "/etc/udev/rules.d"
_OWN_RULES = ("/usr/lib/udev/rules.d", "/lib/udev/rules.d")
# Of systemd since 197, since 209, and of EL's biosdevname.
_NAMING = ("80-net-name-slot.rules", "80-net-setup-link.rules", "71-biosdevname.rules")


def keep_kernels_own(plan: Plan) -> None:
    """Let nothing rename interfaces: neither udev nor, by the kernel's command line, that of the initramfs."""
    renaming = [name for name in _NAMING if any(tree.exists(plan, f"{folder}/{name}") for folder in _OWN_RULES)]
    for name in renaming:
        plan.symlink(f"{_RULES}/{name}", "/dev/null")
    if renaming:
        command_line.add(plan, KERNEL_OPTIONS)


def are_kernels_own(view: View) -> bool:
    """Say whether a guest has rules that would rename interfaces, and they are switched off.

    Whoever writes its boot configuration then gives the kernel `KERNEL_OPTIONS`.
    """
    for name in _NAMING:
        real = tree.resolve(view, f"{_RULES}/{name}", follow=False)
        entry = view.lstat(real)
        if entry and entry.kind == "symlink" and view.readlink(real) == "/dev/null":
            return True
    return False


def pin(plan: Plan, mac: str) -> str:
    """Tie a name to a MAC, and return the name.

    Raises:
        GuestError: the guest has no udev, which does it.
    """
    if not any(tree.exists(plan, folder) for folder in _OWN_RULES):
        raise GuestError(
            "the guest has no udev that could name an interface by its MAC",
            hint="choose the interface by its name, or leave out mac for the first one",
        )
    rule = f'SUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="{mac}", ATTR{{type}}=="1", NAME="{PINNED}"\n'
    plan.write(PIN_PATH, f"# Written by voc.cluster.\n{rule}".encode())
    return PINNED


__all__ = ["KERNEL_OPTIONS", "PINNED", "PIN_PATH", "are_kernels_own", "keep_kernels_own", "pin"]
