# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This plugin util is PRIVATE to the collection: it may change without notice.

"""Starts programs where there is no AnsibleModule: controller plugins and tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner


class PopenRunner(Runner):
    """Starts programs with the standard library."""

    def execute(self, argv: Sequence[str], data: bytes | None) -> Completed:
        done = subprocess.run(
            argv,
            input=data if data is not None else b"",
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C", "LANG": "C"},
        )
        return Completed(done.returncode, done.stdout, done.stderr)


__all__ = ["PopenRunner"]
