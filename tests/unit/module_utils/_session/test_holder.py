"""When a session ends by itself."""

from __future__ import annotations

import itertools
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import holder, records


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_that_is_set_neither_ends_a_session_nor_keeps_it(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / records.USED).touch()
    clock = itertools.count(time.time(), step)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    request = holder.Request("/srv/disk.raw", None, False, None, 1, (3, 9))
    # It is killed where nothing else ends the session.
    first = subprocess.Popen(["sleep", "20"])
    begin = time.monotonic()
    try:
        holder._stay(request, tmp_path, first.pid)
    finally:
        first.kill()
        first.wait()
    assert 1 <= time.monotonic() - begin < 15
