"""What every attack is measured by: a sentence or the truth, in time, and no word of the builder's secret."""

from __future__ import annotations

import json
import signal
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import SENTINEL, Attack, leaks
from ansible_collections.voc.cluster.tests.unit.images import MIB
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module

_SECONDS = 60  # after which a test hangs


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise TimeoutError(f"it hangs (signal {number})")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """Make a file of the builder; fail when its content has got into any other file."""
    path = tmp_path / "host" / "secret"
    path.parent.mkdir()
    content = (SENTINEL * (MIB // len(SENTINEL) + 1))[:MIB]
    path.write_bytes(content)
    yield path
    assert path.read_bytes() == content
    assert leaks(tmp_path) == [path]


@pytest.fixture
def attack(capsys: pytest.CaptureFixture[str]) -> Attack:
    """Run a module on something hostile: a failure must be one sentence, and a result tell no secret."""

    def run(module_name: str, **options: t.Any) -> t.Any:
        result = run_module(module_name, capsys, **options)
        text = json.dumps(result)
        assert SENTINEL.decode() not in text
        assert "Traceback" not in text
        if result.get("failed"):
            assert result["msg"].isprintable()
            assert result["msg"].endswith(".")
        return result

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Make an empty folder for what verbs write."""
    path = tmp_path / "written"
    path.mkdir()
    return path
