"""Let tests import the collection from a plain clone, by its full name."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

COLLECTIONS = Path(__file__).resolve().parent.parent / ".collections"

# ansible-test installs the finder itself; a second one would shadow it.
if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    # A relative path is refused there.
    init_plugin_loader([str(COLLECTIONS)])
