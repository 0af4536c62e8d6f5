# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""How the guest numbers its users and groups: login.defs (man 5 login.defs), and what is free."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.databases import ID_LIMIT
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

PATH = "/etc/login.defs"
USERADD = "/etc/default/useradd"


@dataclass(frozen=True)
class LoginDefs:
    """The values of login.defs by their names, as text."""

    values: dict[str, str]

    @classmethod
    def of(cls, view: View) -> LoginDefs:
        """Read those of a guest; it may have none."""
        return cls(parse(tree.read_text(view, PATH) or ""))

    def number(self, name: str, default: int) -> int:
        """Return a value as a number, octal and hexadecimal ones as C writes them."""
        word = self.values.get(name, "")
        if re.fullmatch("0[0-7]{1,10}", word):
            return int(word, 8)
        if re.fullmatch("(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10})", word):
            return int(word, 0)
        return default

    def says_yes(self, name: str) -> bool:
        """Return whether a value is ``yes``."""
        return self.values.get(name, "").lower() == "yes"

    def free_id(self, kind: str, used: Collection[int], *, system: bool) -> int:
        """Return the number for a new user (``UID``) or group (``GID``).

        As useradd does it: above the highest that is used, and for the system below the lowest; where there is none,
        the next that is free.

        Raises:
            GuestError: none is free.
        """
        first = self.number(f"{kind}_MIN", 1000)
        last = self.number(f"{kind}_MAX", 60000)
        if system:
            first, last = self.number(f"SYS_{kind}_MIN", 101), self.number(f"SYS_{kind}_MAX", first - 1)
        last = min(last, ID_LIMIT - 1)  # a guest can say what no user can have
        # Not the whole range: a guest can claim that it has four thousand million numbers.
        inside = sorted(number for number in set(used) if first <= number <= last)
        if not inside and first <= last:
            return last if system else first
        if system:
            candidates = [*(number - 1 for number in inside), last]
        else:
            candidates = [*(number + 1 for number in reversed(inside)), first]
        for number in candidates:
            if first <= number <= last and number not in used:
                return number
        raise GuestError(f"no {kind} between {first} and {last} is free", where=PATH, hint="give a number")

    def home_mode(self) -> int:
        """Return the permission bits of a new home."""
        return self.number("HOME_MODE", 0o777 & ~self.number("UMASK", 0o022)) & 0o777

    def subordinate(self, kind: str) -> tuple[int, int, int]:
        """Return the first, the last and the count of subordinate numbers (``UID`` or ``GID``) of a user."""
        names = (f"SUB_{kind}_MIN", f"SUB_{kind}_MAX", f"SUB_{kind}_COUNT")
        first, last, count = map(self.number, names, (100_000, 600_100_000, 65_536))
        return first, last, count


def parse(text: str) -> dict[str, str]:
    """Return the values of login.defs, or of another file of names and values, by name."""
    values = {}
    for line in text.split("\n"):
        words = line.split("#", 1)[0].replace("=", " ", 1).split(None, 1)
        if len(words) == 2:
            values[words[0]] = words[1].strip().strip('"')
    return values


__all__ = ["PATH", "USERADD", "LoginDefs", "parse"]
