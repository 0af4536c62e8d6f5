# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This plugin util is PRIVATE to the collection: it may change without notice.

"""Runs a module and shows meanwhile how far it is.

The module writes that to a file (see `module_utils/_progress.py`); a thread
reads it over a second channel of the same connection. Nothing outlives the
task: no background job, nothing to clean up after a controller that died.
"""

from __future__ import annotations

import copy
import posixpath
import shlex
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.voc.cluster.plugins.module_utils._progress import parse

# Together with the time that a look takes, less than ten seconds.
INTERVAL = 8.0
INTERVAL_VARIABLE = "voc_progress_interval"

_PATIENCE = 5.0  # seconds, for the last look to come back


class ProgressAction(ActionBase):
    """The action of every module that has the option `progress`."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module of the task's own name."""
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, variables)
        if self._task.async_val or self._task.args.get("progress"):
            result.update(self._execute_module(task_vars=variables, wrap_async=bool(self._task.async_val)))
            return result
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        path = posixpath.join(folder, "progress")
        with self._shown(path, variables):
            arguments = {**self._task.args, "progress": path}
            result.update(self._execute_module(module_args=arguments, task_vars=variables))
        self._remove_tmp_path(folder)
        return result

    @contextmanager
    def _shown(self, path: str, variables: dict[str, t.Any]) -> Iterator[None]:
        """Print what is in a file on the builder, every few seconds."""
        stop = threading.Event()
        name = f"{variables.get('inventory_hostname')}: {self._task.action.rpartition('.')[2]}"
        arguments = (path, name, _interval(variables), stop)
        thread = threading.Thread(target=self._show, args=arguments, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_PATIENCE)

    def _show(self, path: str, name: str, interval: float, stop: threading.Event) -> None:
        # The main thread is using the other one.
        connection = copy.copy(self._connection)
        while not stop.wait(interval):
            try:
                status, output, _errors = connection.exec_command(f"cat {shlex.quote(path)}", sudoable=False)
            except AnsibleError:
                return  # the task goes on, and says itself what is wrong with the connection
            found = parse(output.decode("utf-8", "replace")) if status == 0 else None
            if found and not stop.is_set():
                step, percent = found
                Display().display(f"{name}: {step}, {percent} %")


def _interval(variables: dict[str, t.Any]) -> float:
    value = variables.get(INTERVAL_VARIABLE, INTERVAL)
    try:
        return max(0.1, float(value))
    except (TypeError, ValueError):
        raise AnsibleError(f"{INTERVAL_VARIABLE} is {value!r}; give a number of seconds") from None


__all__ = ["INTERVAL", "INTERVAL_VARIABLE", "ProgressAction"]
