# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Downloaded packages that several images share, on the builder.

A guest may be hostile, and must not be able to give another guest a package. So the guests'
programs never see the cache: its files are named by their sha256, which is computed here, and
a guest gets what its own signed indexes ask for by that.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import HostFile

_LARGEST = 4 << 30  # bytes, of a package
_NEW = ".new-"  # a package that is still being copied
_ABANDONED = 24 * 3600  # seconds, after which nobody is copying it any more
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Cache:
    """A folder of packages, by their digests."""

    folder: str

    def give(self, files: MountedTree, folder: str, wanted: Mapping[str, str]) -> list[str]:
        """Put those of the wanted packages that are here into a folder of the guest's, and return their names.

        Args:
            wanted: sha256 by file name.
        """
        plan = Plan(files)
        given = []
        for name, digest in wanted.items():
            path = self._path(digest)
            found = _digest(path)
            if found == digest:
                plan.copy_in(f"{folder}/{name}", HostFile(path, os.stat(path).st_size, digest))
                given.append(name)
            elif found is not None:  # half of it, of a machine that crashed
                os.unlink(path)
        plan.apply()
        return given

    def take(self, files: MountedTree, folder: str, wanted: Mapping[str, str]) -> list[str]:
        """Keep those of the wanted packages that are in a folder of the guest's, and return their names."""
        os.makedirs(self.folder, mode=0o755, exist_ok=True)
        self._sweep()
        taken = []
        for name, digest in wanted.items():
            real, entry = tree.lookup(files, f"{folder}/{name}")
            if (
                entry
                and entry.kind == "file"
                and not os.path.exists(self._path(digest))
                and self._keep(files, real, digest)
            ):
                taken.append(name)
        return taken

    def _keep(self, files: MountedTree, real: str, digest: str) -> bool:
        descriptor, beside = tempfile.mkstemp(prefix=_NEW, dir=self.folder)
        os.close(descriptor)
        try:
            files.copy_out(real, beside, _LARGEST)
            if _digest(beside) != digest:
                return False
            os.chmod(beside, 0o644)
            os.rename(beside, self._path(digest))
        except GuestError:
            return False
        finally:
            if os.path.exists(beside):
                os.unlink(beside)
        return True

    def _sweep(self) -> None:
        """Remove what runs that were killed have left half."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it was finished meanwhile
                    if entry.name.startswith(_NEW) and time.time() - entry.stat().st_mtime > _ABANDONED:
                        os.unlink(entry.path)

    def _path(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(digest)
        return os.path.join(self.folder, digest)


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return tree.sha256(file)
    except FileNotFoundError:
        return None


__all__ = ["Cache"]
