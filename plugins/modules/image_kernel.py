#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_kernel
short_description: Put a kernel into an offline image
version_added: 0.1.0
description:
  - Copies kernel, initramfs and modules from a kernel bundle into the image, as files. No program of the guest is
    run, and the guest's package manager does not know of it.
  - It stands beside M(voc.cluster.image_packages), which brings a kernel by the guest's packages and needs root.
    M(voc.cluster.image_boot) comes after either, and boots whatever kernel is there.
  - A kernel bundle is an archive that C(make kernel-bundle) makes once for a distribution. It is checked against
    its own manifest, and nothing in it but one kernel is accepted.
  - The files belong to root and everybody may read them. Other kernels in the image stay.
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
  - e2fsprogs
  - xz or zstd, for bundles compressed by them
options:
  bundle:
    description:
      - The kernel bundle on the builder, a ustar archive, plain or compressed by gzip, bzip2, xz or zstd.
      - It is unpacked beside the image, where there must be room for it.
    type: path
    required: true
  force:
    description:
      - Accept a bundle for another architecture or distribution than the guest's. An old guest may run on a newer
        kernel, and 32-bit programs on a 64-bit kernel.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Give the image a kernel without root
  voc.cluster.image_kernel:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    bundle: /srv/voc/kernels/trixie-linux-image-cloud-amd64.tar.zst
"""

RETURN = r"""
kernel:
  description: The version of the kernel in the bundle.
  returned: success
  type: str
  sample: 6.12.48+deb13-cloud-amd64
files:
  description: The number of files in the bundle.
  returned: success
  type: int
  sample: 1156
size:
  description: The sum of their sizes in bytes.
  returned: success
  type: int
  sample: 52428800
written:
  description: The number of those that were, or in check mode would be, written to the image.
  returned: success
  type: int
  sample: 1156
"""

import os
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._boot import bundle
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import selinux, system, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import ARGUMENT_SPEC, locate, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    image = options["image"]
    spread = locate(runner, image, options["access"], options["root"])
    beside = os.path.dirname(os.path.abspath(image))
    room = partial(tempfile.TemporaryDirectory, prefix=".voc-kernel-", dir=beside)
    with locked(image), room() as folder, ThreadPoolExecutor(1) as pool:
        unpacking = pool.submit(bundle.unpack, runner, options["bundle"], folder)
        with open_guest(runner, spread, options["access"], writable=not module.check_mode) as files:
            guest = None if options["force"] else system.inspect(files)
            kernel = unpacking.result()
            if guest:
                bundle.require_match(kernel.manifest, guest, image)
            plan = bundle.plan_install(files, kernel)
            selinux.label_new(plan)
            changes = plan.changes()
            for place in spread.places:
                own = [change for change in changes if spread.holding(change.path) is place]
                bundle.require_room(own, place.region.free, image)
            if changes and not module.check_mode:
                plan.apply()
    written = sum(isinstance(change, tree.PutHostFile) for change in changes)
    version = kernel.manifest.kernel
    return {
        "changed": bool(changes),
        "kernel": version,
        "files": len(kernel.files),
        "size": kernel.size,
        "written": written,
        "diff": {
            "before_header": "kernel",
            "after_header": "kernel",
            "before": "",
            "after": f"{version}: {written} files\n" if changes else "",
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "bundle": {"type": "path", "required": True},
            "force": {"type": "bool", "default": False},
            **ARGUMENT_SPEC,
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
