from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("vmdk", "vmdk has no subformat nonsense; choose from monolithicSparse, streamOptimized."),
        ("raw", "raw has no subformat nonsense; leave it out."),
    ],
)
def test_a_subformat_that_there_is_not_is_refused_in_check_mode_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool, form: str, message: str
) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(b"disk" * 1000)
    options = {"src": str(source), "dest": str(dest), "format": form, "subformat": "nonsense"}
    result = run_module("image_convert", capsys, check=check, **options)
    assert (result.get("failed"), result["msg"]) == (True, message)
    assert not dest.exists()
