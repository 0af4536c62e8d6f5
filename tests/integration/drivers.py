"""The two ways into a filesystem, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume


def whole(image: Path) -> Volume:
    """Return the one filesystem that an image is."""
    return Volume(str(image), 0, image.stat().st_size)


@contextmanager
def opened(runner: Runner, image: Path, driver: str) -> Iterator[GuestTree]:
    """Give the files of an ext4 image through a driver."""
    if driver == "ext":
        with ExtTree(runner, whole(image)) as files:
            yield files
    else:
        with mounted(runner, whole(image), "ext4") as root:
            yield MountedTree(root)
