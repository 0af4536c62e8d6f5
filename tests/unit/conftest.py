"""Settings and fixtures that all unit tests share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

# A slow machine is no failure; a hang is one.
settings.register_profile("voc", deadline=timedelta(seconds=3), suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("voc")


@pytest.fixture(scope="session")
def runner() -> PopenRunner:
    """Start the real programs."""
    return PopenRunner()
