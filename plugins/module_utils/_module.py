# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What every module of the collection shares: its runner and its one error boundary."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from ansible.module_utils.common.text.formatters import human_to_bytes

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError, printable

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class ModuleRunner(Runner):
    """Starts programs through the module, as Ansible's sanity rules want it."""

    def __init__(self, module: AnsibleModule) -> None:
        self._run_command: Callable[..., tuple[int, bytes, bytes]] = module.run_command

    def execute(self, argv: Sequence[str], data: bytes | None) -> Completed:
        status, output, errors = self._run_command(
            list(argv),
            data=data,
            binary_data=True,
            encoding=None,
            expand_user_and_vars=False,
            environ_update={"LC_ALL": "C", "LANG": "C"},
        )
        return Completed(status, output, errors)


def parse_size(text: str, option: str) -> int:
    """Return a size such as 8G in bytes.

    Raises:
        InputError: it is none; the option is named.
    """
    to_bytes: Callable[[str], int] = human_to_bytes
    try:
        return to_bytes(text)
    except ValueError:
        raise InputError(f"{text!r} is not a size", where=option, hint="write it like 8G or 512M") from None


def run(module: AnsibleModule, work: Callable[[AnsibleModule, Runner], dict[str, t.Any]]) -> None:
    """Do a module's work and end the module with its result, or with one clear sentence."""
    try:
        result = work(module, ModuleRunner(module))
    except ImageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        where = f"{printable(str(error.filename))}: " if error.filename else ""
        module.fail_json(msg=f"{where}{error.strerror or error}.")
    module.exit_json(**result)


__all__ = ["ModuleRunner", "parse_size", "run"]
