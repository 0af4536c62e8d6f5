"""Settings and fixtures that all unit tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

# A slow machine is no failure; a hang is one. A gate must not judge two runs of one state differently, so it takes
# the same examples each time; everybody else's runs look further.
settings.register_profile(
    "voc",
    deadline=timedelta(seconds=20),
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("voc")


@pytest.fixture(scope="session")
def runner() -> PopenRunner:
    """Start the real programs."""
    return PopenRunner()


@pytest.fixture
def open_ext(runner: PopenRunner) -> Iterator[Callable[[Volume], ExtTree]]:
    """Return a function that opens an ext filesystem, which is closed when the test ends."""
    with ExitStack() as stack:
        yield lambda volume: stack.enter_context(ExtTree(runner, volume))
