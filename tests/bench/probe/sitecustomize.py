"""Notes how long each module works: from its options being read to its result, without Python's own start.

Python imports a module of this name when it starts and finds it on its path.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
import time


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps AnsibleModule when it is imported."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "ansible.module_utils.basic":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a module as another loader does, which may serve other modules too, and wraps its class."""

    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        _wrap(module.AnsibleModule)


def _wrap(kind):
    begin, end = kind.__init__, kind.exit_json

    def init(self, *arguments, **options):
        self.voc_begin = time.perf_counter()
        begin(self, *arguments, **options)

    def exit_json(self, **result):
        with open(os.environ["VOC_BENCH_MODULE_TIMES"], "a", encoding="utf-8") as file:
            file.write(f"{self._name} {time.perf_counter() - self.voc_begin:.6f}\n")
        end(self, **result)

    kind.__init__, kind.exit_json = init, exit_json


if "VOC_BENCH_MODULE_TIMES" in os.environ:
    sys.meta_path.insert(0, _Finder())
