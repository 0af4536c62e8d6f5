"""The image that is measured with."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sample() -> Path:
    """Return the sample partition image; it is made once and kept."""
    image = ROOT / "build" / "sample" / "starworker_part.img"
    subprocess.run([ROOT / "tools" / "make-sample-image", image], check=True)
    return image
