"""A process for test_crash.py to kill: does one kind of the library's work, and says when it begins.

python crash_victim.py layout SOURCE TARGET
python crash_victim.py sandbox IMAGE COMMAND...
python crash_victim.py publish IMAGE RELEASES
"""

from __future__ import annotations

import os
import sys

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

RUNNER = PopenRunner()
DISK_SIZE = 2 << 30


def lay_out(source: str, target: str) -> None:
    layout.build(RUNNER, layout.plan(RUNNER, source, DISK_SIZE), target)


def run_in_sandbox(image: str, *command: str) -> None:
    volume = Volume(image, 0, os.stat(image).st_size)
    with mounted(RUNNER, volume, "ext4") as root, sandbox(RUNNER, root, network=False) as box:
        box.run(command)


def publish(image: str, releases: str) -> None:
    source = _release.SourceId(image, "0" * 64, 0, 0, 0, 0)
    # Other inputs each time, or two releases of one second would have one name.
    order = _release.Order("worker", Output("qcow2"), source, {"process": str(os.getpid())})
    _release.publish(RUNNER, image, releases, order)


if __name__ == "__main__":
    print("begun", flush=True)
    {"layout": lay_out, "sandbox": run_in_sandbox, "publish": publish}[sys.argv[1]](*sys.argv[2:])
