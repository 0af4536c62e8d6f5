"""Writes down the name of each module that was run, one a line; each item of a loop is a run."""

from __future__ import annotations

import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_runs
type: aggregate
short_description: Write down each run of a module
description: Appends the module's name to the file that VOC_BENCH_MODULE_RUNS names.
"""

# These end on the controller: no module is sent anywhere.
_CONTROLLER = {
    f"ansible.builtin.{name}"
    for name in (
        *("add_host", "assert", "debug", "fail", "group_by", "include_role", "include_tasks", "include_vars"),
        *("import_role", "import_tasks", "meta", "pause", "set_fact", "set_stats", "validate_argument_spec"),
    )
}


class CallbackModule(CallbackBase):
    """See the documentation above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "module_runs"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result):
        """Write down a task that was done, unless it is a loop."""
        if not result.task.loop:
            self._write(result)

    def v2_runner_item_on_ok(self, result):
        """Write down an item of a loop."""
        self._write(result)

    def _write(self, result):
        module = result.task.resolved_action or result.task.action
        if module not in _CONTROLLER:
            with open(os.environ["VOC_BENCH_MODULE_RUNS"], "a", encoding="utf-8") as file:
                file.write(f"{module}\n")
