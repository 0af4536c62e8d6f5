"""A guest tree in memory, which keeps to the drivers' contract."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Collection, Sequence
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Change,
    Delete,
    Entry,
    GuestTree,
    PutDirectory,
    PutFile,
    PutHostFile,
    PutSymlink,
    SetXattr,
)

ELF_X86_64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(100)


class MemoryTree(GuestTree):
    """Files are bytes or str, links are given as ``("->", target)``, directories as None."""

    def __init__(self, files: dict[str, bytes | str | tuple[str, str] | None] | None = None) -> None:
        self.nodes: dict[str, tuple[Entry, bytes, str]] = {"/": (Entry("directory", Attributes(0o755)), b"", "")}
        self.extended: dict[str, dict[str, bytes]] = {}
        self.applied: list[Change] = []
        for path, content in (files or {}).items():
            self.add(path, content)

    def add(
        self, path: str, content: bytes | str | tuple[str, str] | None = b"", attributes: Attributes | None = None
    ) -> None:
        """Put something at a path, with the directories above it."""
        above = posixpath.dirname(path)
        if above not in self.nodes:
            self.add(above, None)
        if content is None:
            self.nodes[path] = (Entry("directory", attributes or Attributes(0o755)), b"", "")
        elif isinstance(content, tuple):
            self.nodes[path] = (Entry("symlink", Attributes(0o777), len(os.fsencode(content[1]))), b"", content[1])
        else:
            data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
            self.nodes[path] = (Entry("file", attributes or Attributes(), len(data)), data, "")

    def lstat(self, path: str) -> Entry | None:
        assert path == posixpath.normpath(path)
        assert path.startswith("/")
        node = self.nodes.get(path) if self._is_reached(path) else None
        return node[0] if node else None

    def readlink(self, path: str) -> str:
        return self.nodes[path][2]

    def listdir(self, path: str) -> list[str]:
        assert self.nodes[path][0].kind == "directory"
        return [other.rpartition("/")[2] for other in self.nodes if other != "/" and posixpath.dirname(other) == path]

    def read(self, path: str) -> bytes:
        assert self.nodes[path][0].kind == "file"
        return self.nodes[path][1]

    def xattrs(self, path: str) -> dict[str, bytes]:
        assert path in self.nodes
        return dict(self.extended.get(path, {}))

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        return {path: hashlib.sha256(self.read(path)).hexdigest() for path in paths}

    def apply(self, changes: Sequence[Change]) -> None:
        self.applied.extend(changes)
        for change in changes:
            above = self.nodes[posixpath.dirname(change.path)][0]
            assert above.kind == "directory", f"{change.path} has no directory above it"
            if isinstance(change, Delete):
                assert self.nodes[change.path][0].kind == change.kind
                assert change.kind != "directory" or not self.listdir(change.path), f"{change.path} is not empty"
                del self.nodes[change.path]
                self.extended.pop(change.path, None)
            elif isinstance(change, PutFile):
                assert change.replaces == (change.path in self.nodes)
                self.add(change.path, change.content, change.attributes)
            elif isinstance(change, PutHostFile):
                assert change.replaces == (change.path in self.nodes)
                source = change.source
                content = Path(source.path).read_bytes()[source.offset : source.offset + source.size]
                self.add(change.path, content, change.attributes)
            elif isinstance(change, PutDirectory):
                assert change.path not in self.nodes
                self.add(change.path, None, change.attributes)
            elif isinstance(change, PutSymlink):
                assert change.path not in self.nodes
                self.add(change.path, ("->", change.target))
            elif isinstance(change, SetXattr):
                assert change.path in self.nodes
                assert change.value is not None
                self.extended.setdefault(change.path, {})[change.name] = change.value
            else:
                entry, content, target = self.nodes[change.path]
                self.nodes[change.path] = (Entry(entry.kind, change.attributes, entry.size), content, target)

    def text(self, path: str) -> str:
        """Return a file's content for a comparison."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def _is_reached(self, path: str) -> bool:
        """Say whether only directories lead there; like the drivers, no link is followed."""
        names = path.split("/")[1:-1]
        above = ["/" + "/".join(names[:count]) for count in range(1, len(names) + 1)]
        return all(place in self.nodes and self.nodes[place][0].kind == "directory" for place in above)
