# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The script by which a command enters a session: all that a connection has to start on the builder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._commands import find
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import (
    GUEST_PROGRAMS,
    PROCESSES,
    SEARCH_PATH,
    Sandbox,
)
from ansible_collections.voc.cluster.plugins.module_utils._session import records, tools

# What the script says, and its status, when there is nothing to enter. ssh has 255 for itself.
ENDED = "voc-cluster: the session of this image has ended"
STATUS = 254

# The lock of `used` tells the holder that somebody is inside; opening it renews the session's time.
# Between the two looks at the record nothing can go wrong: what is entered exists only in there.
_SCRIPT = """\
#!/bin/sh
# Runs a command inside the image: enter COMMAND
if [ ! -e {used} ] || {flock} --nonblock --shared {record} true; then
    echo {ended} >&2
    exit {status}
fi
ulimit -c 0
# Where the builder's own limit is lower it stays.
{{ ulimit -v {memory}; ulimit -S -t {cpu}; ulimit -H -t {last_cpu}; }} 2>/dev/null
exec 9>{used}
{flock} --shared 9
cd /
{env} -i {nsenter} --mount=/proc/{holder}/ns/mnt -- {command} "exec {leaked}<&-; $1" 9>&-
"""


@contextmanager
def script(box: Sandbox, folder: Path) -> Iterator[str]:
    """Give the text of the script for a sandbox of this process's; it works as long as this lasts."""
    environment = {"PATH": f"{tools.PROGRAMS}:{SEARCH_PATH}"}
    limits = GUEST_PROGRAMS.raised(box.runner.raised)
    with box.command(["/bin/sh", "-c"], environment) as command:
        yield _SCRIPT.format(
            used=shlex.quote(str(folder / records.USED)),
            record=shlex.quote(str(folder / records.RECORD)),
            ended=shlex.quote(ENDED),
            status=STATUS,
            memory=limits.memory // 1024,
            cpu=limits.cpu,
            last_cpu=limits.cpu + 1,
            holder=os.getpid(),
            command=shlex.join(command),
            leaked=PROCESSES,
            **{name: shlex.quote(find(name)) for name in ("flock", "env", "nsenter")},
        )


__all__ = ["ENDED", "STATUS", "script"]
