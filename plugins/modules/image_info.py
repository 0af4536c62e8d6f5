#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Tell what an image is and what is in it
version_added: 0.1.0
description:
  - Tells the format, layout, partition table, filesystems and guest system of an image, by its bytes.
  - No program of the guest is run and nothing is written to the image. Nothing is mounted where the guest is on ext2,
    ext3 or ext4; xfs and btrfs are looked into by root, in a private mount that writes nothing.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
  - voc.cluster._attributes.access
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
requirements:
  - e2fsprogs
  - xfsprogs or btrfs-progs, to verify these filesystems
  - mtools, for disks with an EFI system partition
options:
  path:
    description: The image file, on the builder.
    type: path
    required: true
  format:
    description: The format that the image's owner says it has. An image of another format is refused.
    type: str
    choices: [raw, qcow2, vmdk, vdi, vhd, vhdx]
  max_virtual_size:
    description: The largest virtual size that is accepted, for example V(16T).
    type: str
    default: 16T
  verify:
    description:
      - Check the filesystems of the guest, changing nothing, and require what a release needs.
      - The image must be a raw disk image with a boot loader and a kernel, on filesystems without errors.
    type: bool
    default: false
  firmware:
    description: With O(verify), the firmware for which there must be a boot loader. By default any will do.
    type: str
    choices: [bios, uefi, both]
"""

EXAMPLES = r"""
- name: Look at what the VO sent
  voc.cluster.image_info:
    path: /srv/vo/starworker_part.img.gz
  register: seen

- name: Check that the working image could be released
  voc.cluster.image_info:
    path: /var/lib/voc-cluster/work/starworker/disk.raw
    verify: true
"""

RETURN = r"""
format:
  description: The image format; V(none) when the file is compressed.
  returned: success
  type: str
  sample: qcow2
compression:
  description: The compression; V(none) when there is none.
  returned: success
  type: str
  sample: gzip
size:
  description: The length of the file in bytes.
  returned: success
  type: int
  sample: 1073741824
allocated:
  description: What the file occupies, in bytes.
  returned: success
  type: int
  sample: 314572800
virtual_size:
  description: What the guest sees, in bytes; V(none) when the file is compressed.
  returned: success
  type: int
  sample: 4294967296
layout:
  description:
    - V(disk) with a partition table, V(partition) with a filesystem alone, V(unknown) with neither.
    - V(none) when the image is not raw and was not looked into.
  returned: success
  type: str
  sample: partition
partition_table:
  description: The partition table of a disk; starts and sizes in sectors.
  returned: when layout is V(disk)
  type: dict
  sample:
    label: dos
    sector_size: 512
    partitions: [{number: 1, start: 2048, size: 8386560, type: "83", bootable: true}]
filesystems:
  description:
    - The filesystems that were recognised; offsets and sizes in bytes.
    - The C(path) is where one belongs in the guest's tree; V(none) for swap and the like.
  returned: success
  type: list
  elements: dict
  sample:
    - partition: 1
      offset: 1048576
      path: /
      size: 1073741824
      type: ext4
      uuid: 0f2c4a6e-0000-4000-8000-000000000001
guest:
  description:
    - What the files say about the system, when the image is raw and its root filesystem could be read.
    - Of the C(network_stacks) that are installed, C(network) is the one that is in charge; V(none) when none is started
      at boot. The C(init_version) is systemd's.
    - C(boot_entries) says whether there are entries of the Boot Loader Specification. C(glibc) is told by the names of
      files, which later ones than 2.33 do not have.
  returned: success
  type: dict
  sample:
    id: debian
    version: "13"
    name: Debian GNU/Linux 13 (trixie)
    architecture: x86_64
    package_manager: apt
    init: systemd
    init_version: 257
    network_stacks: [ifupdown, networkd]
    network: ifupdown
    kernels: []
    boot_loader: grub2
    boot_entries: false
    python: /usr/bin/python3
    cloud_init: false
    selinux: null
    glibc: null
    fstab: [{source: /dev/xvda1, path: /, type: ext4, options: [defaults], dump: 0, check: 1}]
firmware:
  description:
    - The firmwares for which a disk image has a boot loader, by its boot sector and by C(EFI/BOOT/BOOTX64.EFI) in its
      EFI system partition.
  returned: success
  type: list
  elements: str
  sample: [bios, uefi]
pygrub:
  description:
    - Whether Xen's pygrub could boot the image, and what keeps it from that.
    - V(none) when the image was not looked into.
    - It reads the root filesystem's own configuration of GRUB or extlinux, on a partition image as on a disk.
  returned: success
  type: dict
  sample: {bootable: false, obstacle: there is no configuration of GRUB or extlinux}
missing:
  description: What the image lacks to boot by itself.
  returned: success
  type: list
  elements: str
  sample: [partition table, boot loader, kernel]
summary:
  description: The same for people, a line each.
  returned: success
  type: list
  elements: str
  sample:
    - partition, 1024 MiB
    - ext4 'root', 208 MiB of 973 MiB used
    - Debian GNU/Linux 13 (trixie), x86_64, systemd 257, apt
    - "network: none in charge (also installed: networkd); boot loader: none; Python: none"
    - "kernels: none"
    - "to boot it lacks: partition table, boot loader, kernel"
"""

import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, printable
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC
from ansible_collections.voc.cluster.plugins.module_utils._image.convert import examine
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import FORMATS
from ansible_collections.voc.cluster.plugins.module_utils._inspect import (
    Inspection,
    inspect_raw,
    require_bootable,
    summary,
)
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, parse_size, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    source = examine(
        options["path"],
        declared=options["format"],
        max_virtual_size=parse_size(options["max_virtual_size"], "max_virtual_size"),
    )
    inspection = _inspect(runner, options) if source.probe.name == "raw" else None
    if options["verify"]:
        require_bootable(runner, options["path"], inspection, options["firmware"])
    return {
        "changed": False,
        "format": source.probe.container,
        "compression": source.probe.compression,
        "size": source.probe.size,
        "allocated": source.probe.allocated,
        "virtual_size": source.virtual_size,
        **describe(inspection),
    }


def _inspect(runner: Runner, options: dict[str, t.Any]) -> Inspection:
    return inspect_raw(runner, options["path"], options["access"], options["root"])


def describe(inspection: Inspection | None) -> dict[str, t.Any]:
    """Return an inspection as the module's result."""
    if inspection is None:
        return {
            "layout": None,
            "filesystems": [],
            "guest": None,
            "firmware": [],
            "pygrub": None,
            "missing": [],
            "summary": [],
        }
    table = inspection.contents.table
    places = () if isinstance(inspection.spread, ImageError) else inspection.spread.places
    paths = {place.region.volume: place.path for place in places}
    described = {
        "layout": inspection.contents.layout,
        **({"partition_table": asdict(table)} if table else {}),
        "filesystems": [
            {
                "partition": region.partition,
                "offset": region.volume.offset,
                "path": paths.get(region.volume),
                **asdict(region.filesystem),
            }
            for region in inspection.contents.regions
            if region.filesystem
        ],
        "guest": asdict(inspection.guest) if inspection.guest else None,
        "firmware": list(inspection.firmware),
        "pygrub": {"bootable": inspection.pygrub_obstacle is None, "obstacle": inspection.pygrub_obstacle},
        "missing": list(inspection.missing),
        "summary": summary(inspection),
    }
    return dict(_printable(described))


def _printable(value: t.Any) -> t.Any:
    """Return a result with every text of the image made printable."""
    if isinstance(value, dict):
        return {name: _printable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(each) for each in value]
    return printable(value) if isinstance(value, str) else value


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "format": {"type": "str", "choices": list(FORMATS)},
            "max_virtual_size": {"type": "str", "default": "16T"},
            **ARGUMENT_SPEC,
            "verify": {"type": "bool", "default": False},
            "firmware": {"type": "str", "choices": ["bios", "uefi", "both"]},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
