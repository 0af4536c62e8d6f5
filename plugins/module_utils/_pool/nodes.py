# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which machines a batch system has, and waiting until it has those that were started.

Runs where the batch system answers, usually on its head. What could not be asked is unknown: it
is asked again until the time is over, and never taken for a machine that is not there.

Sources of the formats: man 1 condor_status, HTCondor's machine ClassAd attributes; man 1 scontrol.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner, find
from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError

_PAUSE = 2.0  # seconds between two questions
_DATE = "%Y-%m-%dT%H:%M:%S"  # Slurm's, in the time zone of who asks
# Slurm lists a node with these, and yet nothing on it has registered or answers.
_AWAY = re.compile(r"\*|DOWN|ERROR|FAIL|FUTURE|INVALID_REG|NOT_RESPONDING|POWERING_UP|REBOOT_ISSUED|UNKNOWN")


@dataclass(frozen=True)
class Node:
    """A machine as a batch system has it.

    Attributes:
        name: in short, without its domain, in small letters.
        seen: when it last showed that it is there, in seconds since the epoch.
        trouble: why it is of no use although it is listed; an empty text for one that is.
    """

    name: str
    seen: float
    trouble: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of the machines that were waited for.

    Attributes:
        present: those that the batch system has.
        missing: the others, each with a clause that says why.
    """

    present: tuple[str, ...]
    missing: Mapping[str, str]


def read_htcondor(text: str) -> list[Node]:
    """Return the machines of a pool from ``condor_status -json``; nothing at all is an empty pool."""
    ads = json.loads(text) if text.strip() else []
    return [Node(_short(ad["Machine"]), float(ad.get("LastHeardFrom", 0))) for ad in ads if "Machine" in ad]


def read_slurm(text: str) -> list[Node]:
    """Return the nodes of a cluster from ``scontrol --oneliner show nodes``."""
    return [_slurm_node(line) for line in text.splitlines() if line.startswith("NodeName=")]


def compare(wanted: Mapping[str, float], nodes: Iterable[Node]) -> Answer:
    """Say which machines a batch system has.

    Args:
        wanted: since when each has been running, in seconds since the epoch. What was seen before
            is an earlier machine of that name, which batch systems remember for a while.
    """
    known: dict[str, Node] = {}
    for node in nodes:  # HTCondor has an ad for each slot
        known[node.name] = max(node, known.get(node.name, node), key=lambda each: each.seen)
    missing = {name: _why(known.get(_short(name)), since) for name, since in wanted.items()}
    return Answer(
        tuple(name for name in wanted if not missing[name]), {name: why for name, why in missing.items() if why}
    )


def wait(
    runner: Runner,
    scheduler: str,
    wanted: Mapping[str, float],
    timeout: float,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Wait until a batch system has all of some machines.

    Args:
        scheduler: one of `SCHEDULERS`.
        timeout: in seconds, after which the rest is missing; it is asked once at least.

    Raises:
        ToolError: the batch system's program is not installed here.
    """
    command, read = SCHEDULERS[scheduler]
    find(command[0])
    end = time.monotonic() + timeout
    while True:
        try:
            answer = compare(wanted, read(runner.run(command).text))
        except (ToolError, ValueError, KeyError) as error:
            unknown = f"it is unknown whether the batch system has it ({str(error).rstrip('.')})"
            answer = Answer((), dict.fromkeys(wanted, unknown))
        if not answer.missing or time.monotonic() + _PAUSE > end:
            return answer
        pause(_PAUSE)


def _short(name: str) -> str:
    return name.partition(".")[0].lower()


def _slurm_node(line: str) -> Node:
    fields = dict(re.findall(r"(\w+)=(\S*)", line)[::-1])  # the first of a name counts: texts of users come last
    state = fields.get("State", "UNKNOWN")
    trouble = f"Slurm has it as {state}" if _AWAY.search(state) else ""
    return Node(_short(fields["NodeName"]), _moment(fields.get("SlurmdStartTime", "None")), trouble)


def _moment(text: str) -> float:
    try:
        return time.mktime(time.strptime(text, _DATE))
    except ValueError:  # None, or Unknown, before it has registered
        return 0.0


def _why(node: Node | None, since: float) -> str:
    """Return why a machine does not count; an empty text where it does."""
    if node is None:
        return "the batch system does not have it"
    if node.trouble:
        return node.trouble
    return "the batch system knows an earlier machine of this name alone" if node.seen < since else ""


SCHEDULERS: Mapping[str, tuple[list[str], Callable[[str], list[Node]]]] = {
    "htcondor": (["condor_status", "-json", "-attributes", "Machine,LastHeardFrom"], read_htcondor),
    "slurm": (["scontrol", "--oneliner", "show", "nodes"], read_slurm),
}

__all__ = ["SCHEDULERS", "Answer", "Node", "compare", "read_htcondor", "read_slurm", "wait"]
