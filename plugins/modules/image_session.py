#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_session
short_description: Open an offline image for ordinary tasks and roles
version_added: 0.1.0
description:
  - Opens a session of an image, in which the connection plugin P(voc.cluster.image#connection) runs ordinary tasks
    and roles, and closes it.
  - A session is one process on the builder, its holder. It mounts the guest where no other process sees it, and
    everything ends with it, whatever way it ends. No mount, loop device or process is left on the builder.
  - The guest's programs run in a sandbox (bubblewrap). Services are not started, and what lies in C(/run) and C(/tmp)
    is kept from task to task, and is gone when the session ends. Background jobs go on between tasks.
  - A guest whose own Python is missing, incomplete or too old for this ansible-core is lent the builder's. Modules
    that need a library of the guest's own Python, such as M(ansible.builtin.apt), look for that by themselves.
  - The limits on memory and processor time in O(limits) count for each of the guest's programs in the session, too.
  - While a session is open no other module can work on the image.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - root on the builder
  - bubblewrap 0.5 or newer
  - e2fsprogs
  - libseccomp
  - slirp4netns, with O(network=true)
options:
  state:
    description:
      - V(present) opens a session, or leaves the one that is open.
      - V(absent) closes it, and ends what still runs in it. When the task is done the image is whole and free for
        others.
    type: str
    choices: [present, absent]
    default: present
  network:
    description:
      - Whether the guest's programs have a network that leads outside. No service on the builder's own loopback can be
        reached by them, but whatever else the builder reaches can be, the site's own network and the builder's other
        addresses included.
    type: bool
    default: true
  keep:
    description:
      - By default a session ends with the run of C(ansible-playbook) that opened it, however that ended. Where that
        runs on another machine than the builder, O(idle) ends it then.
      - With V(true) it stays open for later runs, until O(state=absent) or O(idle) ends it.
    type: bool
    default: false
  idle:
    description:
      - Seconds without a task after which a session ends by itself. A task that runs counts as long as it does.
    type: int
    default: 1800
  controller:
    description: The run of C(ansible-playbook) with which the session ends. It is set for you.
    type: dict
notes:
  - The session ends with the play's run; close it with O(state=absent) in an C(always) section all the same, because
    what the guest wrote is only then known to be in the image.
seealso:
  - plugin: voc.cluster.image
    plugin_type: connection
  - module: voc.cluster.image_packages
"""

EXAMPLES = r"""
- name: Run roles that know nothing of images
  hosts: images
  gather_facts: false
  tasks:
    - name: In the image
      block:
        - name: Open it
          voc.cluster.image_session:
            image: "{{ image_work }}"
          delegate_to: "{{ image_builder }}"

        - name: Apply a role
          ansible.builtin.include_role:
            name: my.collection.worker
          vars:
            ansible_connection: voc.cluster.image

      always:
        - name: Close it
          voc.cluster.image_session:
            image: "{{ image_work }}"
            state: absent
          delegate_to: "{{ image_builder }}"
"""

RETURN = r"""
session:
  description: The folder on the builder that stands for the session.
  returned: success
  type: str
  sample: /run/voc-cluster/sessions/1f0a6c1f7d4be9aa
python:
  description: Whose Python runs the modules, V(guest) or V(builder).
  returned: when a session is open
  type: str
  sample: builder
"""

import os
import typing as t

from ansible.module_utils.ansible_release import __version__
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._session import records
from ansible_collections.voc.cluster.plugins.module_utils._session.holder import Request
from ansible_collections.voc.cluster.plugins.module_utils._session.lifetime import (
    close,
    open_session,
    require_usable,
    settled,
)
from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner
from ansible_collections.voc.cluster.plugins.module_utils._session.tools import oldest_python


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    image = options["image"]
    if not os.path.isabs(image):
        raise InputError("the path is not absolute", where=image, hint="the connection finds the session by it")
    found = settled(image)
    wanted = options["state"] == "present"
    changed = wanted != (found is not None)
    if wanted:
        controller = None if options["keep"] else options["controller"]
        request = Request(
            image=image,
            root=options["root"],
            network=options["network"],
            owner=Owner.read(controller) if controller else None,
            idle=options["idle"],
            oldest_python=oldest_python(__version__),
        )
        if found:
            require_usable(found, request)
        elif not module.check_mode:
            found = open_session(runner, request)
    elif not module.check_mode:
        close(image, found)
    states = {True: "a session is open\n", False: ""}
    return {
        "changed": changed,
        "session": records.folder_of(image),
        **({"python": found.python} if wanted and found else {}),
        "diff": {"before": states[changed != wanted], "after": states[wanted]},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "root": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "network": {"type": "bool", "default": True},
            "keep": {"type": "bool", "default": False},
            "idle": {"type": "int", "default": 1800},
            "controller": {"type": "dict"},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
