# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""An instance for Xen: a partition image with a kernel outside of it, as the paper's images were.

There is no Xen on the machines this is tested on: the XML is checked against libvirt's
schema, the configuration against xl.cfg(5) by reading it.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition, DirectBoot
from ansible_collections.voc.cluster.plugins.module_utils._instance.domain_xml import AT_THE_END, add_texts, serialized

_ROOT = "xvda1"  # a partition image is the first partition of a disk that has no table


def xl_config(definition: Definition) -> str:
    """Return the configuration for xl (man 5 xl.cfg).

    Raises:
        InputError: it has no kernel of its own, or no bridge.
    """
    boot = _direct_boot(definition)
    settings: list[tuple[str, str | int | list[str]]] = [
        ("name", definition.name),
        ("uuid", definition.uuid),
        ("type", "pv"),
        ("kernel", boot.kernel),
        ("ramdisk", boot.initramfs),
        ("cmdline", boot.command_line),
        ("memory", definition.memory),
        ("vcpus", definition.vcpus),
        ("vif", [f"mac={definition.mac},bridge={definition.bridge}"]),
        ("disk", [f"format=qcow2,vdev={_ROOT},access=rw,target={definition.overlay}"]),
        *AT_THE_END.items(),
    ]
    return "".join(f"{name} = {_value(value)}\n" for name, value in settings)


def xen_domain(definition: Definition) -> str:
    """Return the libvirt domain for Xen, paravirtualized.

    Raises:
        InputError: it has no kernel of its own, or no bridge.
    """
    boot = _direct_boot(definition)
    root = Element("domain", type="xen")
    add_texts(root, name=definition.name, uuid=definition.uuid, vcpu=str(definition.vcpus))
    SubElement(root, "memory", unit="MiB").text = str(definition.memory)
    system = SubElement(root, "os")
    SubElement(system, "type", arch=definition.architecture, machine="xenpv").text = "linux"
    add_texts(system, kernel=boot.kernel, initrd=boot.initramfs, cmdline=boot.command_line)
    add_texts(root, **AT_THE_END)
    devices = SubElement(root, "devices")
    disk = SubElement(devices, "disk", type="file", device="disk")
    SubElement(disk, "driver", name="qemu", type="qcow2")
    SubElement(disk, "source", file=definition.overlay)
    SubElement(disk, "target", dev=_ROOT, bus="xen")
    interface = SubElement(devices, "interface", type="bridge")
    SubElement(interface, "mac", address=definition.mac)
    SubElement(interface, "source", bridge=definition.bridge)
    SubElement(SubElement(devices, "console", type="pty"), "target", type="xen", port="0")
    return serialized(root)


def _direct_boot(definition: Definition) -> DirectBoot:
    if definition.direct_boot is None:
        raise InputError(
            "Xen starts partition images with a kernel from outside",
            where=definition.name,
            hint="let image_direct_boot copy one out of the image, and give it",
        )
    if not definition.bridge:
        raise InputError("Xen needs a bridge", where=definition.name)
    return definition.direct_boot


def _value(value: str | int | list[str]) -> str:
    """Return a value as xl.cfg has it: strings in quotes, with nothing in them that could end them."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if '"' in value or "\\" in value or not value.isprintable():
        raise InputError(f"{value!r} cannot be written to a configuration of xl", hint="use other file names")
    return f'"{value}"'


__all__ = ["xen_domain", "xl_config"]
