from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._pool import htcondor

WORKER = 'use ROLE: Execute\nVOCName = "STAR"\nSTART = ($(START)) && (TARGET.VOCName =?= MY.VOCName)\n'


def test_a_good_configuration_gives_its_values(runner: Runner) -> None:
    values = htcondor.check(runner, sys.executable, WORKER, ["START", "VOCName", "NO_SUCH_SETTING"])
    assert values == {
        "START": "(True) && (TARGET.VOCName =?= MY.VOCName)",
        "VOCName": '"STAR"',
        "NO_SUCH_SETTING": None,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("use ROLE: Exe", "HTCondor refuses line 4, 'use ROLE: Exe': use ROLE: Exe: does not recognise Exe"),
        ("FOO bar", "HTCondor refuses line 4, 'FOO bar': it is not a setting"),
    ],
)
def test_a_line_that_is_refused_is_named(line: str, message: str, runner: Runner) -> None:
    with pytest.raises(InputError) as caught:
        htcondor.check(runner, sys.executable, f"{WORKER}{line}\n", [])
    assert str(caught.value) == f"{message}; correct the HTCondor setting."


def test_text_that_is_no_expression_is_refused(runner: Runner) -> None:
    with pytest.raises(InputError, match=r"^START is not a ClassAd expression: \(A =\?= B; "):
        htcondor.check(runner, sys.executable, "START = (A =?= B\n", ["START"])


def test_a_missing_package_is_named(runner: Runner, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(ToolError, match="the Python package htcondor"):
        htcondor.check(runner, str(bare), WORKER, [])


@given(st.text(), st.text())
def test_any_complaint_becomes_one_sentence(text: str, complaint: str) -> None:
    assert "\n" not in str(htcondor.refusal(text, complaint))
