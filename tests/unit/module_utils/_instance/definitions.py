"""An instance for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition, DirectBoot

PLAIN = Definition(
    name="node042-vm1",
    uuid="ce201fc2-5db3-5cb5-ad4e-fe8bdfdbd590",
    mac="02:56:4f:00:02:a1",
    hypervisor="node042",
    release="/srv/voc/releases/starworker/1/disk.qcow2",
    folder="/var/lib/voc-cluster/instances",
    voc="star",
    bridge="br0",
)
KERNEL = DirectBoot("/srv/voc/vmlinuz", "/srv/voc/initramfs", "root=/dev/xvda1 ro console=hvc0")


def defined(folder: Path | None = None, **changes: Any) -> Definition:
    """Return an instance with some settings changed."""
    return replace(PLAIN, **({"folder": str(folder)} if folder else {}), **changes)
