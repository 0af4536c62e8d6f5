"""Runs a module in this process and returns what it would print."""

from __future__ import annotations

import importlib
import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.voc.cluster.plugins.modules"


def run_module(module_name: str, capsys: pytest.CaptureFixture[str], *, check: bool = False, **options: t.Any) -> t.Any:
    """Return a module's result; a failure has its `failed`."""
    module = importlib.import_module(f"{MODULES}.{module_name}")
    with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        module.main()
    result = json.loads(capsys.readouterr().out)
    result.pop("invocation", None)  # gone since ansible-core 2.21
    assert "exception" not in result
    return result
