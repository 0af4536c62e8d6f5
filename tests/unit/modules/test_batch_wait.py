"""The module batch_wait without a batch system; real ones are asked where there are heads."""

from __future__ import annotations

import pytest

from .run_module import run_module


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ({"vm": "yesterday"}, "instances: vm: 'yesterday' is no time in seconds since the epoch"),
        ({"vm": 0}, "the program scontrol is not installed"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    instances: dict[str, object], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = run_module("batch_wait", capsys, scheduler="slurm", instances=instances)
    assert said in result["msg"]
