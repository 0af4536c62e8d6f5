"""A session is closed, whatever becomes of its holder meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import lifetime, records
from ansible_collections.voc.cluster.plugins.module_utils._session.records import Record


def test_a_holder_that_ends_while_it_is_closed_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "_SESSIONS", str(tmp_path))
    holder = os.fork()
    if holder == 0:
        os._exit(0)
    os.waitpid(holder, 0)
    lifetime.close("/srv/disk.raw", Record("/srv/disk.raw", holder, False, None, "guest"))
