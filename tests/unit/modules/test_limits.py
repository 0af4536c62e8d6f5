"""What every module that starts programs can be told about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import MIB, make_ext
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    return {"src": str(make_ext(tmp_path / "part")), "dest": str(tmp_path / "disk"), "size": f"{16 * MIB}"}


def test_lower_limits_than_the_defaults_have_no_effect(
    options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"seconds": 0, "cpu": 0, "memory": "1", "output": "1"}
    assert run_module("image_layout", capsys, limits=limits, **options)["changed"]


def test_what_must_stay_free_stays_free(options: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    failed = run_module("image_layout", capsys, limits={"reserve": "1000T"}, **options)
    assert "and 1099511627776000 more shall stay free" in failed["msg"]
    assert not Path(str(options["dest"])).exists()


def test_a_size_that_is_none_is_named(options: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    failed = run_module("image_layout", capsys, limits={"memory": "much"}, **options)
    assert failed["msg"] == "limits: memory: 'much' is not a size; write it like 8G or 512M."
