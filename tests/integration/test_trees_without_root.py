"""What needs no mount needs no root either: the tests of guest trees, run by a user to whom nothing is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .ordinary_user import run_as_ordinary_user

SUITES = ("test_guest_trees.py", "test_guest_alike.py")


@pytest.mark.root  # to become somebody else, and for nothing after that
def test_guest_trees_need_no_root(tmp_path: Path) -> None:
    folder = tmp_path / "ordinary"
    words = ["pytest", "-q", "-p", "no:cacheprovider", "-k", "not mounted", "--basetemp", folder / "tests"]
    done = run_as_ordinary_user([*words, *(f"tests/integration/{name}" for name in SUITES)], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed.group(1)) >= 50
