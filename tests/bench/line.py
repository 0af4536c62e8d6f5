"""Group line: ansible-playbook contextualize.yml as a whole, for the quickstart site."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from measure import Row, benchmark, repeated
from sample import sample

from ansible_collections.voc.cluster.tests.integration.playbooks import contextualize

CALLBACKS = Path(__file__).resolve().parent / "callbacks"
MAX_SECONDS = 6
MAX_TASKS = 16


@functools.cache
def first_run(folder: Path) -> list[str]:
    """Make a release below `folder`; return the module that each module run was of."""
    record = folder / "modules"
    os.environ |= {
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "module_runs",
        "VOC_BENCH_MODULE_RUNS": str(record),
    }
    try:
        run(folder)
    finally:
        for name in ("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_CALLBACKS_ENABLED", "VOC_BENCH_MODULE_RUNS"):
            del os.environ[name]
    modules = record.read_text().split()
    if "voc.cluster.image_release" not in modules:
        raise RuntimeError("the first run made no release")
    return modules


def run(folder: Path) -> int:
    """Run the playbook; return the number of changed tasks."""
    play = contextualize(folder, sample())
    if play.status:
        raise RuntimeError(play.output)
    return play.changed


@benchmark("line", "second run")
def second_run(folder: Path) -> Row:
    """A run whose inputs are those of the current release."""
    first_run(folder)

    def again() -> None:
        if run(folder):
            raise RuntimeError("the second run changed something")

    return Row("second run", repeated(again), MAX_SECONDS)


@benchmark("line", "module tasks")
def module_tasks(folder: Path) -> Row:
    """How often a first run starts a module: each costs half a second and more, whatever it does."""
    return Row("module tasks", len(first_run(folder)), MAX_TASKS, unit="runs")
