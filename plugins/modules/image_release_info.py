#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_release_info
short_description: Tell whether an image's current release is up to date
version_added: 0.1.0
description:
  - Compares what the current release was made of with what a new one would be made of, and looks whether its file is
    there and has the size that it had. M(voc.cluster.image_info) with O(voc.cluster.image_info#module:verify) reads it.
  - The source is read only when it is not the very file that the current release was made of, by size, inode and times.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.info
  - voc.cluster._attributes.limits
  - voc.cluster._attributes.progress
options:
  name:
    description: The name of the image.
    type: str
    required: true
  releases:
    description: The folder of all releases, on the builder.
    type: path
    required: true
  src:
    description: The source image, on the builder.
    type: path
    required: true
  inputs:
    description: Everything else that a release depends on, by name, each as a digest.
    type: dict
    default: {}
  files:
    description: Files on the builder that a release depends on, by name; their digests join O(inputs).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Find out whether there is anything to do
  voc.cluster.image_release_info:
    name: starworker
    releases: /srv/voc/releases
    src: /srv/vo/starworker_part.img.gz
    inputs:
      site_grid: "{{ site_grid | to_json(sort_keys=true) | hash('sha256') }}"
  register: release
"""

RETURN = r"""
up_to_date:
  description: Whether a new release would be equal to the current one.
  returned: success
  type: bool
  sample: false
reasons:
  description: What has changed since the current release, and what is wrong with its file.
  returned: success
  type: list
  elements: str
  sample: [the source image, site_grid]
path:
  description: The image file of the current release; V(none) when there is no release.
  returned: success
  type: str
  sample: /srv/voc/releases/starworker/20261122T101500Z-3f9c2a41/disk.qcow2
manifest:
  description: The manifest of the current release; V(none) when there is no release.
  returned: success
  type: dict
  sample: {name: starworker, id: 20261122T101500Z-3f9c2a41, format: qcow2}
inputs:
  description: O(inputs) and the digests of O(files), for M(voc.cluster.image_release).
  returned: success
  type: dict
  sample: {site_grid: 3f9c}
source:
  description: The source image, for M(voc.cluster.image_release).
  returned: success
  type: dict
  sample: {path: /srv/vo/starworker_part.img.gz, digest: 3f9c, size: 1073741824, inode: 42, modified: 1, changed: 1}
"""

import os
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._release import identify_source, outdated, read_current


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    inputs = {**options["inputs"], **{name: identify_source(path).digest for name, path in options["files"].items()}}
    current = read_current(options["releases"], options["name"])
    if current is None:
        source = identify_source(options["src"], progress=runner.progress)
        reasons, path, manifest = ["there is no release yet"], None, None
    else:
        folder, manifest = current
        source = identify_source(options["src"], manifest.source, runner.progress)
        reasons = outdated(folder, manifest, source, inputs)
        path = os.path.join(folder, manifest.file)
    return {
        "changed": False,
        "up_to_date": not reasons,
        "reasons": reasons,
        "path": path,
        "manifest": asdict(manifest) if manifest else None,
        "inputs": inputs,
        "source": asdict(source),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "releases": {"type": "path", "required": True},
            "src": {"type": "path", "required": True},
            "inputs": {"type": "dict", "default": {}},
            "files": {"type": "dict", "default": {}},
            "limits": LIMITS,
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
