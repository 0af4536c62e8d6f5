# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The libvirt domain of an instance, as XML, and what can be read back from one.

Source of the format: libvirt, formatdomain.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition

# Marks our domains: whoever looks for orphans must not take others' for them.
NAMESPACE = "https://voc.cluster/instance/1"
AGENT_CHANNEL = "org.qemu.guest_agent.0"

# A worker that powers itself off when its pool has no work must not come back.
AT_THE_END = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}

ElementTree.register_namespace("voc", NAMESPACE)
_MARK = f"{{{NAMESPACE}}}instance"


@dataclass(frozen=True)
class Mark:
    """What a domain of ours says of itself.

    Attributes:
        digest: of the definition it was started with.
        started: when, in seconds since the epoch; 0 where it is not known.
    """

    hypervisor: str
    voc: str
    release: str
    digest: str
    started: int = 0


def domain(definition: Definition, accelerator: str, *, without: tuple[str, ...] = (), started: int = 0) -> str:
    """Return the domain of an instance for QEMU.

    Args:
        accelerator: ``kvm`` or ``qemu``, which is emulation.
        without: features of the processor that guests must not see.
        started: when it is started, in seconds since the epoch.
    """
    root = Element("domain", type=accelerator)
    add_texts(root, name=definition.name, uuid=definition.uuid, vcpu=str(definition.vcpus))
    _mark(SubElement(root, "metadata"), definition, started)
    SubElement(root, "memory", unit="MiB").text = str(definition.memory)
    _boot(root, definition)
    features = SubElement(root, "features")
    SubElement(features, "acpi")
    SubElement(features, "apic")
    _processor(root, definition, accelerator, without)
    SubElement(root, "clock", offset="utc")
    add_texts(root, **AT_THE_END)
    _devices(SubElement(root, "devices"), definition)
    return serialized(root)


def read_mark(xml: str) -> Mark | None:
    """Return what a domain says of itself; None for one that is not ours."""
    # libvirt wrote it itself; what it passes on of ours is attributes only.
    element = ElementTree.fromstring(xml).find(f"metadata/{_MARK}")
    if element is None:
        return None
    hypervisor, voc, release, digest = (element.get(name, "") for name in ("hypervisor", "voc", "release", "digest"))
    return Mark(hypervisor, voc, release, digest, int(element.get("started", "0")))


def read_type(xml: str) -> str:
    """Return a domain's type: ``kvm``, or ``qemu`` for emulation."""
    return ElementTree.fromstring(xml).get("type", "")


def _mark(metadata: Element, definition: Definition, started: int) -> None:
    SubElement(
        metadata,
        _MARK,
        hypervisor=definition.hypervisor,
        voc=definition.voc,
        release=definition.release,
        digest=definition.digest(),
        started=str(started),
    )


def _boot(root: Element, definition: Definition) -> None:
    system = SubElement(root, "os", {"firmware": "efi"} if definition.firmware == "uefi" else {})
    SubElement(system, "type", arch=definition.architecture, machine=definition.machine).text = "hvm"
    if definition.firmware == "uefi":
        features = SubElement(system, "firmware")
        SubElement(features, "feature", enabled="no", name="secure-boot")
        SubElement(system, "nvram").text = definition.nvram
    if definition.direct_boot:
        add_texts(
            system,
            kernel=definition.direct_boot.kernel,
            initrd=definition.direct_boot.initramfs,
            cmdline=definition.direct_boot.command_line,
        )
    SubElement(system, "boot", dev="hd")


def _processor(root: Element, definition: Definition, accelerator: str, without: tuple[str, ...]) -> None:
    mode = definition.cpu or ("host-passthrough" if accelerator == "kvm" else "maximum")
    if mode in ("host-passthrough", "host-model", "maximum"):
        cpu = SubElement(root, "cpu", mode=mode)
    else:
        cpu = SubElement(root, "cpu", mode="custom", match="exact")
        SubElement(cpu, "model", fallback="forbid").text = mode
    for name in without:
        SubElement(cpu, "feature", policy="disable", name=name)


def _devices(devices: Element, definition: Definition) -> None:
    _disk(devices, definition, 0, definition.overlay)
    if definition.scratch:
        _disk(devices, definition, 1, definition.scratch_disk)
    if definition.seed:
        _disk(devices, definition, 2, definition.seed_image, kind="raw", writable=False)
    kind = "bridge" if definition.bridge else "network"
    interface = SubElement(devices, "interface", type=kind)
    SubElement(interface, "mac", address=definition.mac)
    SubElement(interface, "source", {kind: definition.bridge or definition.network})
    SubElement(interface, "model", type="virtio")
    _serial(devices, definition.log)
    channel = SubElement(devices, "channel", type="unix")
    SubElement(channel, "target", type="virtio", name=AGENT_CHANNEL)
    # Emulated machines would wait for entropy at boot.
    random = SubElement(devices, "rng", model="virtio")
    SubElement(random, "backend", model="random").text = "/dev/urandom"
    SubElement(devices, "memballoon", model="none")


def _disk(
    devices: Element, definition: Definition, number: int, path: str, *, kind: str = "qcow2", writable: bool = True
) -> None:
    disk = SubElement(devices, "disk", type="file", device="disk")
    SubElement(disk, "driver", {"name": "qemu", "type": kind, **({"discard": "unmap"} if writable else {})})
    SubElement(disk, "source", file=path)
    SubElement(disk, "target", dev=definition.device(number), bus=definition.disk_bus)
    if not writable:
        SubElement(disk, "readonly")


def _serial(devices: Element, path: str) -> None:
    for name in ("serial", "console"):
        port = SubElement(devices, name, type="file")
        SubElement(port, "source", path=path, append="on")
        SubElement(port, "target", {"port": "0", **({"type": "serial"} if name == "console" else {})})


def add_texts(parent: Element, **texts: str) -> None:
    """Add an element for each text, by name."""
    for name, text in texts.items():
        SubElement(parent, name).text = text


def serialized(root: Element) -> str:
    """Return a document as text for people, too."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


__all__ = [
    "AGENT_CHANNEL",
    "AT_THE_END",
    "NAMESPACE",
    "Mark",
    "add_texts",
    "domain",
    "read_mark",
    "read_type",
    "serialized",
]
