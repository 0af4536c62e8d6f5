# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This plugin util is PRIVATE to the collection: it may change without notice.

"""Starts programs where there is no AnsibleModule: controller plugins and tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence

from ansible_collections.voc.cluster.plugins.module_utils._dialogue import Process
from ansible_collections.voc.cluster.plugins.module_utils._processes import ENVIRONMENT, ProcessRunner


class PopenRunner(ProcessRunner):
    """Starts programs with the standard library."""

    def start(self, argv: Sequence[str], descriptors: Sequence[int], attend: Callable[[Process], None]) -> int:
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=descriptors,
            env={**os.environ, **ENVIRONMENT},
        ) as process:
            attend(process)
            return process.returncode


__all__ = ["PopenRunner"]
