"""The head node, and what a run took."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from .cluster import head_node
from .htcondor import Pool

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def head() -> Iterator[Host]:
    with head_node() as host:
        yield host


@pytest.fixture(scope="session")
def pool(head: Host) -> Pool:
    return Pool(head)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
