from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.voc.cluster.plugins.module_utils._version import VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_the_librarys_version_is_the_collections() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == VERSION
