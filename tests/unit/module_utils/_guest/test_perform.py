from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest import perform
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, HostFile, PutHostFile
from ansible_collections.voc.cluster.plugins.module_utils._image import blocks

CONTENT = b"content\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "guest").mkdir()
    descriptor = os.open(tmp_path / "guest", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def change(tmp_path: Path) -> PutHostFile:
    (tmp_path / "source").write_bytes(CONTENT)
    source = HostFile(str(tmp_path / "source"), len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    return PutHostFile("/file", source, Attributes(0o640, os.getuid(), os.getgid()), replaces=False)


def test_a_run_that_is_killed_while_it_writes_leaves_nothing(
    folder: int, change: PutHostFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = os.fork()
    if victim == 0:
        try:
            monkeypatch.setattr(blocks, "copy_out", lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL))
            perform.perform(folder, "file", change)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(victim, 0)[1]) == signal.SIGKILL
    assert os.listdir(folder) == []


@pytest.mark.parametrize("needs_name", [False, True])
def test_a_file_is_put_whatever_a_run_has_left(
    needs_name: bool, folder: int, change: PutHostFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "not supported")
        return opened(path, flags, *more, **options)

    if needs_name:
        monkeypatch.setattr(os, "open", refuse)
    (tmp_path / "guest" / perform._BESIDE).write_bytes(b"half of a fi")
    perform.perform(folder, "file", change)
    assert os.listdir(folder) == ["file"]
    assert (tmp_path / "guest" / "file").read_bytes() == CONTENT
    assert (tmp_path / "guest" / "file").stat().st_mode & 0o7777 == 0o640
