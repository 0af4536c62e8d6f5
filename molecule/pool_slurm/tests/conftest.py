"""What the scenarios with a head node have in common."""

from __future__ import annotations

from ...pool.tests.conftest import figures, head, pytest_terminal_summary

__all__ = ["figures", "head", "pytest_terminal_summary"]
