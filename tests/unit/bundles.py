"""Small kernel bundles, whole and spoilt."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

KERNEL = "6.12.1+test-amd64"
MODULES = f"usr/lib/modules/{KERNEL}"
FILES: dict[str, bytes] = {
    f"boot/vmlinuz-{KERNEL}": b"kernel",
    f"boot/initrd.img-{KERNEL}": b"initramfs" * 1000,
    f"{MODULES}/modules.dep": b"kernel/a.ko.xz:\n",
    f"{MODULES}/kernel/a.ko.xz": b"module",
}


def member(name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """Return the header of an archive's member."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, target, size
    return found


def make_bundle(
    path: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    more: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    manifest: Mapping[str, object] | None = None,
    mode: str = "w",
    form: int = tarfile.USTAR_FORMAT,
) -> Path:
    """Write a bundle of `files`, with `more` members that its manifest does not count; `manifest` overrides parts."""
    content = FILES if files is None else files
    said = {
        "bundle": 1,
        "distribution": "debian",
        "version": "13",
        "architecture": "x86_64",
        "kernel": KERNEL,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
        **(manifest or {}),
    }
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in {"manifest.json": json.dumps(said).encode(), **content}.items():
            archive.addfile(member(name, size=len(data)), io.BytesIO(data))
        for header, data in more:
            archive.addfile(header, io.BytesIO(data))
    return path
