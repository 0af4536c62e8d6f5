#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_release
short_description: Publish a working image as a release
version_added: 0.1.0
description:
  - Writes a working image, with a manifest, to a folder of its own, and makes it the current release of its name.
  - Nothing is published when the source is not the file any more that it was when O(source) was taken.
  - A release appears whole and on disk, or not at all. Releases that were published before are not touched.
  - When the current release was made of the same O(source), O(inputs) and version of this collection, and its file has
    the size that its manifest says, nothing is done.
  - An image that another module is working on is refused.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.output
  - voc.cluster._attributes.limits
  - voc.cluster._attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - qemu-img
options:
  name:
    description: The name of the image.
    type: str
    required: true
  releases:
    description: The folder of all releases.
    type: path
    required: true
  format:
    description: The format of the release.
    type: str
    choices: [raw, qcow2, vmdk, vdi, vhd, vhdx]
    default: qcow2
  source:
    description: The source image, as RV(voc.cluster.image_release_info#module:source) gives it.
    type: dict
    required: true
    suboptions:
      path:
        description: Its path.
        type: path
        required: true
      digest:
        description: Its digest.
        type: str
        required: true
      size:
        description: Its length in bytes.
        type: int
        required: true
      inode:
        description: Its inode number.
        type: int
        required: true
      modified:
        description: When its content was changed, in nanoseconds.
        type: int
        required: true
      changed:
        description: When its inode was changed, in nanoseconds.
        type: int
        required: true
  inputs:
    description: Everything else that the release depends on, by name, each as a digest.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Publish the image
  voc.cluster.image_release:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name: starworker
    releases: /srv/voc/releases
    source: "{{ release.source }}"
"""

RETURN = r"""
path:
  description: The image file of the release; V(none) in check mode when it would be new.
  returned: success
  type: str
  sample: /srv/voc/releases/starworker/20261122T101500Z-3f9c2a41/disk.qcow2
manifest:
  description: The manifest of the release; V(none) in check mode when it would be new.
  returned: success
  type: dict
  sample: {name: starworker, id: 20261122T101500Z-3f9c2a41, format: qcow2}
"""

import os
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._image import output
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import kept
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import require_raw
from ansible_collections.voc.cluster.plugins.module_utils._image.formats import FORMATS
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._release import (
    Order,
    SourceId,
    outdated,
    publish,
    read_current,
    require_same,
)


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    with kept(options["image"]):
        return release(runner, options, check_mode=module.check_mode)


def release(runner: Runner, options: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Publish an image that nobody changes meanwhile, if there is a need to."""
    source = SourceId(**options["source"])
    wanted = output.from_options(options)
    require_raw(options["image"])
    current = read_current(options["releases"], options["name"])
    if current and not outdated(*current, source, options["inputs"]):
        return {"changed": False, **_describe(*current)}
    if check_mode:
        return {"changed": True, "path": None, "manifest": None}
    require_same(source)
    order = Order(options["name"], wanted, source, options["inputs"])
    return {"changed": True, **_describe(*publish(runner, options["image"], options["releases"], order))}


def _describe(folder: str, manifest: t.Any) -> dict[str, t.Any]:
    return {"path": os.path.join(folder, manifest.file), "manifest": asdict(manifest)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "releases": {"type": "path", "required": True},
            **output.ARGUMENT_SPEC,
            "format": {"type": "str", "choices": list(FORMATS), "default": "qcow2"},
            "source": {
                "type": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "digest": {"type": "str", "required": True},
                    "size": {"type": "int", "required": True},
                    "inode": {"type": "int", "required": True},
                    "modified": {"type": "int", "required": True},
                    "changed": {"type": "int", "required": True},
                },
            },
            "inputs": {"type": "dict", "default": {}},
            "limits": LIMITS,
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
