"""Programs that a filesystem keeps busy for ever, or lets print for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import TRANSFORM
from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import make_endless_ext, whole


class Hurried(PopenRunner):
    """Gives each program less than the limits, so that a test need not wait for those."""

    def __init__(self, **less: int) -> None:
        super().__init__()
        self.less = less

    def execute(self, argv, limits, data, watch):
        assert limits == TRANSFORM
        return super().execute(argv, type(limits)(**{**vars(limits), **self.less}), data, watch)


@pytest.mark.parametrize(
    ("less", "complaint"),
    [
        ({"output": 1 << 16}, "e2fsck was ended: it wrote more than 65536 bytes"),
        ({"seconds": 1}, "e2fsck was ended: it took longer than 1 s"),
        ({"cpu": 1}, "e2fsck was ended: it used a processor for [0-9]+ s"),
    ],
)
def test_a_check_that_never_ends_is_ended(tmp_path: Path, less: dict[str, int], complaint: str) -> None:
    image = make_endless_ext(tmp_path / "image")
    begin = time.monotonic()
    with pytest.raises(ToolError, match=f"^{image}: {complaint}; the image may be damaged or hostile"):
        filesystems.verify(Hurried(**less), whole(image))
    assert time.monotonic() - begin < 30
