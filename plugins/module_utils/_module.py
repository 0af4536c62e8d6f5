# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What every module of the collection shares: its runner and its one error boundary."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.module_utils.common.text.formatters import human_to_bytes

from ansible_collections.voc.cluster.plugins.module_utils._commands import RESERVE, Runner
from ansible_collections.voc.cluster.plugins.module_utils._dialogue import Process
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError, printable
from ansible_collections.voc.cluster.plugins.module_utils._processes import ENVIRONMENT, ProcessRunner
from ansible_collections.voc.cluster.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# What every module that starts programs can be told about them.
LIMITS: dict[str, t.Any] = {
    "type": "dict",
    "default": {},
    "options": {
        "seconds": {"type": "int"},
        "cpu": {"type": "int"},
        "memory": {"type": "str"},
        "output": {"type": "str"},
        "reserve": {"type": "str"},
    },
}
_SIZES = ("memory", "output", "reserve")
_LARGEST = (1 << 63) - 1  # of a file (man 7 feature_test_macros, off_t)


class ModuleRunner(ProcessRunner):
    """Starts programs through the module, as Ansible's sanity rules want it."""

    def __init__(self, module: AnsibleModule) -> None:
        raised = parse_limits(module.params.get("limits", {}))
        reserve = raised.pop("reserve", RESERVE)
        super().__init__(raised, reserve=reserve, progress=Progress(module.params.get("progress")))
        self._run_command: Callable[..., tuple[int, bytes, bytes]] = module.run_command

    def start(self, argv: Sequence[str], descriptors: Sequence[int], attend: Callable[[Process], None]) -> int:
        # It would read the output itself, without a limit; after `attend` nothing is left to read.
        status, _output, _errors = self._run_command(
            list(argv),
            before_communicate_callback=attend,
            pass_fds=descriptors,
            encoding=None,
            expand_user_and_vars=False,
            handle_exceptions=False,
            environ_update=ENVIRONMENT,
        )
        return status


def parse_limits(options: Mapping[str, t.Any]) -> dict[str, int]:
    """Return the limits that a module's option gives, by name; sizes in bytes.

    Raises:
        InputError: a size is none.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return {
        name: parse_size(value, f"limits: {name}") if name in _SIZES else int(value) for name, value in given.items()
    }


def parse_size(text: str, option: str, least: int = 0) -> int:
    """Return a size such as 8G in bytes.

    Raises:
        InputError: it is none, less than `least`, or more than a file can have; the option is named.
    """
    to_bytes: Callable[[str], int] = human_to_bytes
    try:
        size = to_bytes(text)
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is not a size", where=option, hint="write it like 8G or 512M") from None
    if not least <= size <= _LARGEST:
        raise InputError(
            f"{text!r} is too {'small' if size < least else 'large'}",
            where=option,
            hint=f"give {least} bytes at least" if size < least else f"give {_LARGEST} bytes at most",
        )
    return size


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


__all__ = ["LIMITS", "ModuleRunner", "parse_limits", "parse_size", "run"]
