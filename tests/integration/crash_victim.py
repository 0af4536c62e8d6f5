"""A process for test_crash.py to kill: does one piece of the collection's work, and says when it begins.

python crash_victim.py module NAME OPTIONS(JSON)
python crash_victim.py sandbox IMAGE COMMAND...
python crash_victim.py publish IMAGE RELEASES
"""

from __future__ import annotations

import importlib
import json
import os
import sys

from ansible.module_utils.testing import patch_module_args

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import sandbox
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

RUNNER = PopenRunner()
MODULES = "ansible_collections.voc.cluster.plugins.modules"


def run_module(name: str, options: str) -> None:
    module = importlib.import_module(f"{MODULES}.{name}")
    with patch_module_args(json.loads(options)):
        print("begun", flush=True)
        module.main()


def run_in_sandbox(image: str, *command: str) -> None:
    print("begun", flush=True)
    volume = Volume(image, 0, os.stat(image).st_size)
    with mounted(RUNNER, volume, "ext4") as root, sandbox(RUNNER, root, network=False) as box:
        box.run(command)


def publish(image: str, releases: str) -> None:
    print("begun", flush=True)
    source = _release.SourceId(image, "0" * 64, 0, 0, 0, 0)
    # Other inputs each time, or two releases of one second would have one name.
    order = _release.Order("worker", Output("qcow2"), source, {"process": str(os.getpid())})
    _release.publish(RUNNER, image, releases, order)


if __name__ == "__main__":
    {"module": run_module, "sandbox": run_in_sandbox, "publish": publish}[sys.argv[1]](*sys.argv[2:])
