#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_boot
short_description: Make a disk image bootable by BIOS, UEFI or both
version_added: 0.1.0
description:
  - Puts GRUB on the disk, writes its configuration for the kernels in the image, and makes the guest's fstab fit the
    disk. The root filesystem is found by its UUID everywhere.
  - For BIOS, GRUB goes before the first partition of a DOS table, or into the BIOS boot partition of a GPT. For UEFI,
    it goes into the EFI system partition as C(EFI/BOOT/BOOTX64.EFI), which every firmware starts; it is not signed, so
    Secure Boot must be off.
  - No program of the guest is run, and nothing is mounted unless the guest is on xfs or btrfs. The image must have a
    kernel with its initramfs already, see M(voc.cluster.image_packages).
  - The guest's own tools, should they write a boot configuration anew, give kernels the same command line. It goes
    into entries of the Boot Loader Specification, C(/etc/kernel/cmdline), C(/etc/default/grub) and the configuration
    of extlinux, where the guest has them.
  - Where C(/boot) is a filesystem of its own, GRUB's configuration goes there.
  - Entries of fstab for devices that are not in the image become comments, for they would hold up the boot. Device
    names of another machine, like C(/dev/vda2), become UUIDs where it is beyond doubt which partition they mean. That
    is never the root, but in its own entry; and a partition of a second disk only if the root is on that disk too.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.access
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - grub-mkimage and GRUB's files for i386-pc (BIOS) or x86_64-efi (UEFI)
  - mtools, for UEFI
  - what unpacks the initramfs, for example zstd
  - e2fsprogs
options:
  firmware:
    description:
      - The firmware of the machines that start the image. V(both) makes an image that either can start.
      - V(uefi) needs an EFI system partition with a FAT filesystem, V(bios) on a GPT a BIOS boot partition.
        The boot loader of a firmware that is not asked for is left as it is.
    type: str
    choices: [bios, uefi, both]
    default: bios
  kernel_options:
    description:
      - What the kernel is given on its command line after the root filesystem.
      - A value with spaces stands in double quotes. Other quotes, and backslashes, cannot be handed on by GRUB.
      - The last console is the one that the system's own messages go to.
      - Where they are not set here, options are added without which a guest would not come up. That is
        C(net.ifnames=0) where its network stack needs the kernel's names of interfaces, C(vsyscall=emulate) for a C
        library older than 2.15, and on Alpine the filesystem that its initramfs is to load.
    type: list
    elements: str
    default: [console=tty0, "console=ttyS0,115200n8"]
  drivers:
    description:
      - The drivers that the site's hypervisors ask for. Add V(ahci), V(nvme) or others where they do.
      - The kernel that is booted by default must have each of them, and that of the root filesystem, built in or in its
        initramfs; a network driver may also wait in its modules. A kernel that lacks one is refused and the driver is
        named.
    type: list
    elements: str
    default: [virtio_blk, virtio_net, virtio_pci, virtio_scsi]
"""

EXAMPLES = r"""
- name: Make the image boot
  voc.cluster.image_boot:
    image: /var/lib/voc-cluster/work/starworker/disk.raw

- name: Make the image start on old and new hypervisors
  voc.cluster.image_boot:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    firmware: both
"""

RETURN = r"""
kernel:
  description: The version of the kernel that is booted by default.
  returned: success
  type: str
  sample: 6.12.48+deb13-cloud-amd64
command_line:
  description: The kernel's command line.
  returned: success
  type: str
  sample: root=UUID=0f2c4a6e-0000-4000-8000-000000000001 ro console=ttyS0,115200n8
switched_off:
  description: The entries of fstab that became comments, by their mount points; swap by its device.
  returned: success
  type: list
  elements: str
  sample: [/dev/xvda2]
loaders:
  description: The firmwares whose boot loader was, or in check mode would be, written.
  returned: success
  type: list
  elements: str
  sample: [bios, uefi]
changes:
  description: What was, or in check mode would be, done to the guest's files.
  returned: success
  type: list
  elements: dict
  sample: [{path: /boot/grub/grub.cfg, action: write}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._boot import bootable
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import printable
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import result
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    image = options["image"]
    access = options["access"]
    disk = bootable.examine(runner, image, access, options["root"])
    with locked(image), open_guest(runner, disk.spread, access, writable=not module.check_mode) as files:
        boot = bootable.plan_boot(
            runner,
            disk,
            files,
            options["kernel_options"],
            firmware=options["firmware"],
            drivers=options["drivers"],
        )
        outcome = result(boot.files)
        if not module.check_mode:
            bootable.apply(boot)
    return {
        **outcome,
        "changed": outcome["changed"] or boot.loader_changes,
        "kernel": boot.kernel.version,
        "command_line": boot.command_line,
        "switched_off": [printable(name) for name in boot.switched_off],
        "loaders": list(boot.loaders.changing),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **ARGUMENT_SPEC,
            "firmware": {"type": "str", "choices": list(bootable.FIRMWARE), "default": "bios"},
            "kernel_options": {
                "type": "list",
                "elements": "str",
                "default": ["console=tty0", "console=ttyS0,115200n8"],
            },
            "drivers": {
                "type": "list",
                "elements": "str",
                "default": ["virtio_blk", "virtio_net", "virtio_pci", "virtio_scsi"],
            },
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
