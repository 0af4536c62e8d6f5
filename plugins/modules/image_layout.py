#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_layout
short_description: Make a disk image of a partition image or of another disk image
version_added: 0.1.0
description:
  - Makes a disk with a DOS or GPT partition table, copies the blocks of the source's partitions into it, checks the
    root filesystem and lets it grow to fill the rest of the disk.
  - Files are not looked at but to tell the root from other filesystems, and where references in them follow, as below.
    For ext2, ext3 and ext4 nothing is mounted, no loop device is used, and root is not needed. Letting xfs and btrfs
    grow needs root, for only the kernel can do it, in a private mount.
  - Filesystems keep their labels, and their UUIDs without O(new_uuids). Where the kind of table stays the same, so do
    the identifiers of the disk and of its partitions.
  - Where the kind of table changes, or the number of a partition in a DOS table, the partition's C(PARTUUID) becomes
    another. What names the old one in the guest's files follows, as with O(new_uuids). Where a number changes, device
    names of another machine, like C(/dev/sda6), become UUIDs there, if the guest's fstab leaves no doubt what they
    mean. For xfs and btrfs that needs root.
  - Every partition begins at a whole MiB, in the order of the source, but the root comes last, so that it can grow.
    Logical partitions become primary ones. A GPT for sectors of 512 bytes has a BIOS boot partition, so that the disk
    can start by BIOS too.
  - Boot code outside of filesystems is not kept, for it holds the places of blocks; M(voc.cluster.image_boot) writes
    its own.
  - LVM, LUKS, software RAID and btrfs on several devices are refused by name.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.limits
  - voc.cluster._attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - e2fsprogs
  - mkfs.vfat of dosfstools, for O(esp)
  - xfsprogs or btrfs-progs, for these filesystems
  - mtools, where there is an EFI system partition and identifiers change, by O(new_uuids) or by O(table)
options:
  src:
    description:
      - The raw partition image, with an ext2, ext3, ext4, xfs or btrfs filesystem, or the raw disk image with such a
        filesystem as its root. It is not written to.
    type: path
    required: true
  src_name:
    description: What messages call O(src), where that is a copy that users do not know.
    type: path
  dest:
    description: The raw disk image to write. Its folder is made, for this user alone, when it does not exist.
    type: path
    required: true
  size:
    description:
      - The size of the disk, for example V(8G). It is rounded down to a whole MiB.
      - Without it the disk is as small as what is in it allows.
    type: str
  shrink:
    description:
      - Let an ext2, ext3 or ext4 root become smaller than it is, where O(size) asks for that and its files allow it.
      - Whether they do is known for certain only when it is done.
    type: bool
    default: false
  table:
    description:
      - The partition table of the disk.
      - Without it a disk image keeps its own kind, and a partition image gets V(dos).
    type: str
    choices: [dos, gpt]
  sector_size:
    description:
      - How many bytes a sector of the disk has, as instances will see it. Without it a disk image keeps its own, and a
        partition image gets V(512).
      - V(4096) needs a GPT, filesystems whose blocks are not smaller, and UEFI to start it. Of a disk that has an EFI
        system partition for smaller sectors, give the root alone, see M(voc.cluster.image_extract), and O(esp).
    type: int
    choices: [512, 4096]
  esp:
    description:
      - The size of an empty EFI system partition, for example V(100M); at least V(34M), and V(260M) where
        O(sector_size) is V(4096).
      - Nothing is added where the source has one, or without this option.
    type: str
  partitions:
    description:
      - More partitions for the disk, before the one of the root, in this order.
      - The guest's fstab gets an entry, by UUID, for every one with a O(partitions[].path) and for swap, and the guest
        the mount points. For a root on xfs or btrfs that needs root.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: What it is for.
        type: str
        choices: [boot, data, swap]
        required: true
      src:
        description: The raw partition image that is copied into it. Only swap can be without.
        type: path
      size:
        description: Its size, for example V(2G); at least V(1M). Without it, that of what is copied.
        type: str
      path:
        description: Where the guest mounts it. Without it the guest is not told. Swap has none and is always told.
        type: str
  root:
    description:
      - The number of the partition with the root filesystem, for a disk image on which it cannot be told.
      - Without it the root is the only filesystem of these kinds in the image, or the only one of several that holds a
        system. Among several on xfs or btrfs only a private mount, and so root, can tell.
    type: int
  new_uuids:
    description:
      - Give the disk, its partitions and all ext2, ext3, ext4, xfs, btrfs, swap and FAT filesystems that are copied new
        random identifiers, so that images of one source can be told apart on one host.
      - What names the old ones follows, in the guest's fstab, crypttab, kernel command lines, settings of GRUB and of
        the initramfs, and the configuration of GRUB, systemd-boot and syslinux; on the EFI system partition too.
      - An initramfs that is in the image is not changed. One that names the swap area to resume from is made anew when
        M(voc.cluster.image_packages) installs a kernel, or replaced by M(voc.cluster.image_kernel).
      - Files in xfs and btrfs are changed in a private mount, which needs root.
    type: bool
    default: false
  force:
    description: Write O(dest) even when it exists, but not while another module works on it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Turn the partition into a disk of 8 GiB
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/starworker/source.raw
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    size: 8G

- name: Turn it into a disk that starts by UEFI and by BIOS
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/starworker/source.raw
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    table: gpt
    esp: 100M

- name: Turn it into a disk with sectors of 4096 bytes
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/starworker/source.raw
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    table: gpt
    esp: 260M
    sector_size: 4096

- name: Put several partition images on one disk
  voc.cluster.image_layout:
    src: /srv/vo/root.img
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    size: 20G
    partitions:
      - {type: swap, size: 2G}
      - {type: data, src: /srv/vo/data.img, path: /data}

- name: Make a disk that can be attached beside another one of the same source
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/starworker/source.raw
    dest: /var/lib/voc-cluster/work/starworker/disk.raw
    new_uuids: true

- name: Give a disk more room and a DOS table
  voc.cluster.image_layout:
    src: /var/lib/voc-cluster/work/cloud/source.raw
    dest: /var/lib/voc-cluster/work/cloud/disk.raw
    size: 20G
    table: dos
"""

RETURN = r"""
dest:
  description: The disk image.
  returned: success
  type: str
  sample: /var/lib/voc-cluster/work/starworker/disk.raw
size:
  description: The size of the disk in bytes.
  returned: success
  type: int
  sample: 8589934592
offset:
  description: Where the root filesystem begins, in bytes.
  returned: success
  type: int
  sample: 1048576
uuid:
  description: The UUID of the root filesystem; V(none) in check mode when it does not have that one yet.
  returned: success
  type: str
  sample: 0f2c4a6e-0000-4000-8000-000000000001
table:
  description: The kind of partition table.
  returned: success
  type: str
  sample: gpt
sector_size:
  description: How many bytes a sector of the disk has.
  returned: success
  type: int
  sample: 512
partitions:
  description: The partitions in their order on the disk; offset and size are in bytes.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: Its number in the table.
      type: int
    role:
      description: What it is for, V(root), V(esp), V(bios), V(swap), V(boot) or V(data).
      type: str
    offset:
      description: Where it begins.
      type: int
    size:
      description: How long it is.
      type: int
    uuid:
      description: The UUID of what is in it, where that is known; V(none) in check mode.
      type: str
    path:
      description: Where the guest was told to mount it, for swap the word C(none); V(none) where it was not told.
      type: str
  sample:
    - {number: 1, role: bios, offset: 1048576, size: 1048576, uuid: null, path: null}
    - {number: 2, role: root, offset: 2097152, size: 8586788864, uuid: 0f2c4a6e-0000-4000-8000-000000000001, path: null}
renamed:
  description: What got a new identifier, by O(new_uuids) or because the table or a number is another one.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: As blkid calls it, V(UUID) of a filesystem, V(PARTUUID) of a partition, V(PTUUID) of the disk.
      type: str
    role:
      description: What the partition is for, or V(disk).
      type: str
    number:
      description: The partition's number; V(none) for the disk.
      type: int
    old:
      description: The identifier in the source.
      type: str
    new:
      description: The identifier on the disk; V(none) in check mode.
      type: str
  sample:
    - kind: UUID
      role: root
      number: 2
      old: 0f2c4a6e-0000-4000-8000-000000000001
      new: 6a1d3b52-0000-4000-8000-000000000002
"""

import os
import typing as t
from contextlib import nullcontext
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import called
from ansible_collections.voc.cluster.plugins.module_utils._guest.added import introduce, require_possible
from ansible_collections.voc.cluster.plugins.module_utils._image import layout
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import kept
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume, identify
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import (
    LABELS,
    MEBIBYTE,
    SECTOR_SIZES,
    Partition,
    Table,
)
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, parse_size, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    with called(options["src"], options["src_name"] or options["src"]):
        return lay_out(runner, options, check_mode=module.check_mode)


def lay_out(runner: Runner, options: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Make the disk, or in check mode only plan it, and describe it."""
    planned = layout.plan(
        runner,
        options["src"],
        _size(options, "size"),
        layout.Options(
            label=options["table"],
            esp=_size(options, "esp"),
            root=options["root"],
            shrink=options["shrink"],
            sector_size=options["sector_size"],
            new_uuids=options["new_uuids"],
            extras=tuple(
                layout.Extra(
                    extra["type"], extra["src"], _size(extra, "size", "partitions: size", MEBIBYTE), extra["path"]
                )
                for extra in options["partitions"]
            ),
        ),
    )
    added = {
        part.number: piece.path
        for piece, part in zip(planned.pieces, planned.table.partitions)
        if piece.path is not None
    }
    if added:
        require_possible(planned.filesystem, options["src"])
    changed = options["force"] or not os.path.exists(options["dest"])
    made = changed and not check_mode
    uuid = planned.filesystem.uuid
    if any(item.kind == "UUID" and item.number == planned.root.number for item in planned.renamings):
        uuid = None if changed else _uuid(planned.table, planned.root, options["dest"])
    uuids: list[str | None] = [None] * len(planned.pieces)
    if made:
        with kept(options["dest"]) if os.path.exists(options["dest"]) else nullcontext():
            layout.build(
                runner,
                planned,
                options["dest"],
                lambda disk: introduce(runner, disk, planned.root.number, added) if added else None,
            )
        uuids = [_uuid(planned.table, part, options["dest"]) for part in planned.table.partitions]
        uuid = uuids[-1]
    return {
        "changed": changed,
        "dest": options["dest"],
        "size": planned.disk_size,
        "offset": planned.table.offset(planned.root),
        "uuid": uuid,
        "table": planned.table.label,
        "sector_size": planned.table.sector_size,
        "partitions": [
            {
                "number": part.number,
                "role": piece.wish.role,
                "offset": planned.table.offset(part),
                "size": planned.table.length(part),
                "uuid": known,
                "path": piece.path,
            }
            for piece, part, known in zip(planned.pieces, planned.table.partitions, uuids)
        ],
        "renamed": [
            {**asdict(item), "new": item.new if made else None} for item in (planned.renamings if changed else ())
        ],
    }


def _uuid(table: Table, part: Partition, disk: str) -> str | None:
    found = identify(Volume(disk, table.offset(part), table.length(part)))
    return found.uuid if found else None


def _size(options: dict[str, t.Any], name: str, called: str = "", least: int = 0) -> int | None:
    return parse_size(options[name], called or name, least) if options[name] else None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "src_name": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "size": {"type": "str"},
            "shrink": {"type": "bool", "default": False},
            "table": {"type": "str", "choices": list(LABELS)},
            "sector_size": {"type": "int", "choices": list(SECTOR_SIZES)},
            "esp": {"type": "str"},
            "root": {"type": "int"},
            "partitions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "type": {"type": "str", "choices": ["boot", "data", "swap"], "required": True},
                    "src": {"type": "path"},
                    "size": {"type": "str"},
                    "path": {"type": "str"},
                },
            },
            "new_uuids": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "limits": LIMITS,
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
