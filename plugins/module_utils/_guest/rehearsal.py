# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Folders that end with this process, and a guest's tree on which its programs can be tried out.

Both are mounts in the namespace that `mounted.private_mounts` has made, so that even SIGKILL
leaves nothing of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner

# It exists everywhere (FHS 3.5), and nothing that this process needs is in there.
_COVERED = "/boot"


@contextmanager
def private_folder(runner: Runner) -> Iterator[str]:
    """Give an empty folder in memory that no other process sees."""
    runner.run(["mount", "-t", "tmpfs", "-o", "mode=0700,nodev,nosuid", "voc-cluster", _COVERED])
    try:
        yield _COVERED
    finally:
        runner.run(["umount", "--", _COVERED])


@contextmanager
def rehearsed(runner: Runner, root: str, points: Sequence[str], folder: str) -> Iterator[str]:
    """Give a tree that is the guest's, and can be written to; what is written stays in memory and is thrown away.

    Args:
        root: where the guest is mounted.
        points: the guest's mount points, real paths, ``/`` among them.
        folder: one of `private_folder`.
    """
    tree = f"{folder}/tree"
    os.mkdir(tree)
    with ExitStack() as stack:
        for number, point in enumerate(sorted(points)):
            upper, work = f"{folder}/upper{number}", f"{folder}/work{number}"
            os.mkdir(upper)
            os.mkdir(work)
            lower, place = (base + point.rstrip("/") for base in (root, tree))
            options = f"lowerdir={lower},upperdir={upper},workdir={work}"
            runner.run(["mount", "-t", "overlay", "-o", f"nodev,nosuid,{options}", "voc-cluster", "--", place])
            stack.callback(runner.run, ["umount", "--", place])
        yield tree


__all__ = ["private_folder", "rehearsed"]
