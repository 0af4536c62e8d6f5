# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""HTCondor's configuration, read by HTCondor's own parser before a machine depends on it.

The parser is the Python package ``htcondor``. It ends the interpreter that
imports it when it meets a line that it cannot read, so it works in a child.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError

_ABSENT = 3
_REFUSED = 4

# The package reads CONDOR_CONFIG while it is imported, and takes any text for an expression's value.
_CHILD = f"""
import json, sys
try:
    import classad2, htcondor2
except ImportError:
    sys.exit({_ABSENT})
values = {{}}
for name in sys.argv[1:]:
    values[name] = htcondor2.param.get(name)
    try:
        classad2.ExprTree(values[name] or "undefined")
    except Exception:
        print(json.dumps([name, values[name]]))
        sys.exit({_REFUSED})
print(json.dumps(values))
"""


def check(runner: Runner, python: str, text: str, expressions: Sequence[str]) -> dict[str, str | None]:
    """Let HTCondor read a configuration, and return the values of some of its settings, macros expanded.

    Args:
        python: the interpreter that has the package.
        expressions: names of settings that must be ClassAd expressions.

    Raises:
        InputError: a line, or one of the expressions, is refused.
        ToolError: the package is not installed.
    """
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        command = ["env", f"CONDOR_CONFIG={file.name}", python, "-c", _CHILD, *expressions]
        done = runner.run(command, accept=(0, 1, _ABSENT, _REFUSED))
    if done.status == _ABSENT:
        raise ToolError(
            "the Python package htcondor, which reads HTCondor's configuration, is not installed",
            where=python,
            hint="install it there, or leave out the check",
        )
    if done.status == 1:
        raise refusal(text, done.errors.decode("utf-8", "replace"))
    answer = json.loads(done.output)
    if done.status == _REFUSED:
        name, value = answer
        raise InputError(f"{name} is not a ClassAd expression: {value}", hint="correct the HTCondor setting")
    values: dict[str, str | None] = answer
    return values


def refusal(text: str, complaint: str) -> InputError:
    """Return what the parser's complaint means for somebody who has the configuration's text."""
    seen = re.search(r"\bLine (\d+)", complaint)
    number = int(seen.group(1)) if seen else 0
    lines = text.splitlines()
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    reason = re.search(r"^Error: (.+)$", complaint, re.MULTILINE)
    said = reason.group(1) if reason else "it is not a setting"
    found = (
        f"HTCondor refuses line {number}, {line!r}: {said}" if line else f"HTCondor refuses the configuration: {said}"
    )
    return InputError(found, hint="correct the HTCondor setting")


__all__ = ["check", "refusal"]
