# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What an image is converted to, as users say it."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._image.compression import ENDINGS
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import FORMATS

_QCOW2_OPTIONS = ("cluster_size", "compat", "compression_type", "preallocation")

ARGUMENT_SPEC: dict[str, t.Any] = {
    "format": {"type": "str", "choices": list(FORMATS)},
    "subformat": {"type": "str"},
    "compress": {"type": "bool", "default": False},
    "compression": {"type": "str", "choices": list(ENDINGS)},
    "qcow2": {
        "type": "dict",
        "options": {
            "cluster_size": {"type": "str"},
            "compat": {"type": "str", "choices": ["0.10", "1.1"]},
            "compression_type": {"type": "str", "choices": ["zlib", "zstd"]},
            "preallocation": {"type": "str", "choices": ["off", "metadata", "falloc", "full"]},
        },
    },
}


@dataclass(frozen=True)
class Output:
    """What an image is converted to.

    Attributes:
        format: a name in `formats.FORMATS`.
        subformat: one of that format's; None for its first.
        compress: compress the clusters of a qcow2 image.
        compression: a name in `compression.ENDINGS` for the whole file; None for none.
        qcow2: options of qemu-img for qcow2, by name.
    """

    format: str = "raw"
    subformat: str | None = None
    compress: bool = False
    compression: str | None = None
    qcow2: tuple[tuple[str, str], ...] = ()

    @property
    def ending(self) -> str:
        """How the name of such a file ends, without the first dot."""
        return self.format + (ENDINGS[self.compression] if self.compression else "")

    @property
    def compresses(self) -> bool:
        """Whether qemu-img compresses what it writes."""
        return (self.compress and self.format == "qcow2") or self.subformat == "streamOptimized"

    def qemu_options(self) -> Iterator[tuple[str, str]]:
        """Yield the options that qemu-img is given for the target.

        Raises:
            InputError: the format has no such subformat.
        """
        subformats = FORMATS[self.format].subformats
        if self.subformat and self.subformat not in subformats:
            raise InputError(
                f"{self.format} has no subformat {self.subformat}",
                hint=f"choose from {', '.join(subformats)}" if subformats else "leave it out",
            )
        if subformats:
            yield "subformat", self.subformat or subformats[0]
        if self.format == "vhd":
            # Else the size is rounded up to what a geometry of cylinders can express.
            yield "force_size", "on"
        if self.format == "qcow2":
            yield from self.qcow2


def from_options(options: dict[str, t.Any]) -> Output:
    """Return what a module's options, by `ARGUMENT_SPEC`, ask for.

    Raises:
        InputError: the format has no such subformat.
    """
    qcow2 = options["qcow2"] or {}
    wanted = Output(
        format=options["format"],
        subformat=options["subformat"],
        compress=options["compress"],
        compression=options["compression"],
        qcow2=tuple((name, qcow2[name]) for name in _QCOW2_OPTIONS if qcow2.get(name)),
    )
    tuple(wanted.qemu_options())
    return wanted


__all__ = ["ARGUMENT_SPEC", "Output", "from_options"]
