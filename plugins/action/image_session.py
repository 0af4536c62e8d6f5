# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner


class ActionModule(ActionBase):
    """Runs image_session, and tells it with which process the session is to end."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module on the builder."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        # A task has a process of its own, which the run of the playbook has started.
        owner = Owner.of(os.getppid())
        arguments = {"controller": owner.as_data() if owner else None, **self._task.args}
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
