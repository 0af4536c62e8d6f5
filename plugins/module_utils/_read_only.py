# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Files of the builder that guests' programs could get hold of, and may not change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner


@contextmanager
def read_only(runner: Runner, paths: Iterable[str]) -> Iterator[None]:
    """Make files read-only in the mount namespace of this process; what is mounted from there is so, too.

    A device can still be written to: only its owner, permissions and times stay.
    """
    with ExitStack() as stack:
        for path in paths:
            runner.run(["mount", "--bind", "-o", "ro", "--", path, path])
            # Lazily: umount itself has /dev/null open, for its input.
            stack.callback(runner.run, ["umount", "--lazy", "--", path])
        yield


__all__ = ["read_only"]
