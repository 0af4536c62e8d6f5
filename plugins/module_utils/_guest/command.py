# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""One program of a guest's, as a module runs it: whether it is needed, and as whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.accounts import Account, find_account
from ansible_collections.voc.cluster.plugins.module_utils._guest.databases import PASSWD
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

_SETPRIV = "/usr/bin/setpriv"
_BUSYBOX = "busybox"

# A shell that becomes the program: no word of it is read by the shell.
_BECOME = 'exec "$@"'


def unneeded(view: View, creates: str | None, removes: str | None) -> str | None:
    """Return why a command need not run, as Ansible's own command module says it; None if it must."""
    if creates is not None and tree.exists(view, creates):
        return f"skipped, since {creates} exists"
    if removes is not None and not tree.exists(view, removes):
        return f"skipped, since {removes} does not exist"
    return None


def account(view: View, name: str) -> Account:
    """Return a guest's account by its name.

    Raises:
        GuestError: it has none.
    """
    try:
        return find_account(view, name)
    except GuestError:
        raise GuestError(f"there is no user {name!r}", where=PASSWD, hint="add it to the image first") from None


def as_user(view: View, who: Account, argv: Sequence[str]) -> list[str]:
    """Return what runs a command as a user of the guest's: by setpriv, which asks nobody, or by su."""
    real, entry = tree.lookup(view, _SETPRIV)
    if entry and not real.endswith(_BUSYBOX):
        return ["setpriv", f"--reuid={who.uid}", f"--regid={who.gid}", "--init-groups", "--", *argv]
    return ["su", "-s", "/bin/sh", who.name, "-c", _BECOME, "sh", *argv]


def variables(who: Account | None, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: the user's own, and what is given."""
    own = {} if who is None else {"HOME": who.home, "USER": who.name, "LOGNAME": who.name}
    return {**own, **given}


__all__ = ["account", "as_user", "unneeded", "variables"]
