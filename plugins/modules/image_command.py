#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_command
short_description: Run a program of the guest in an offline image
version_added: 0.1.0
description:
  - Runs one of the guest's own programs in the guest's own tree, with all its filesystems, as
    M(ansible.builtin.command) does on a running host. No shell reads the words.
  - It runs in a sandbox (bubblewrap) and reaches nothing of the builder; without O(network) it reaches nothing else
    either. What it starts ends with it. Services are not started.
  - It is for what no edit can do. M(voc.cluster.image_edit) needs no root, runs no program, and knows what it changes.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: partial
    details:
      - Nothing is run. With O(creates) or O(removes) it is said whether it would be; without them the task is skipped.
  diff_mode:
    support: none
requirements:
  - root on the builder
  - bubblewrap 0.5 or newer
  - slirp4netns, with O(network)
  - libseccomp
  - e2fsprogs
options:
  argv:
    description: The program and its arguments. The program is looked for in the guest's usual folders.
    type: list
    elements: str
    required: true
  environment:
    description:
      - Environment variables, beside C(HOME), C(LANG), C(PATH) and C(SYSTEMD_OFFLINE), which can be given, too. Nothing
        of the builder's own environment is passed on, but its proxies with O(network).
      - Give the task C(no_log) if there are secrets among them.
    type: dict
    default: {}
  chdir:
    description: The guest's directory in which it starts.
    type: str
    default: /
  creates:
    description: A path of the guest's. When something stands there, nothing is run.
    type: str
  removes:
    description: A path of the guest's. When nothing stands there, nothing is run.
    type: str
  stdin:
    description: What the program reads as its standard input.
    type: str
  stdin_add_newline:
    description: Whether O(stdin) gets a newline at its end.
    type: bool
    default: true
  strip_empty_ends:
    description: Whether empty lines at the end of what it writes are left out of the results.
    type: bool
    default: true
  user:
    description: The guest's user that it runs as. Without it that is root.
    type: str
  network:
    description:
      - Give it a network that leads outside. No service on the builder's own loopback can be reached by it, but
        whatever else the builder reaches can be, the site's own network included.
    type: bool
    default: false
  timeout:
    description: After how many seconds it is ended. The default is 3600; V(0) stands for it, too.
    type: int
"""

EXAMPLES = r"""
- name: Rebuild the initramfs
  voc.cluster.image_command:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    argv: [update-initramfs, -u, -k, all]

- name: Unpack the experiment's software, once
  voc.cluster.image_command:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    argv: [/opt/star/setup, --prefix, /opt/star/current]
    environment:
      STAR_LEVEL: SL24c
    user: star
    creates: /opt/star/current
    timeout: 600
"""

RETURN = r"""
cmd:
  description: The program and its arguments.
  returned: always
  type: list
  elements: str
  sample: [update-initramfs, -u, -k, all]
rc:
  description: Its exit status. Another one than 0 fails the task.
  returned: success or failure of the program
  type: int
  sample: 0
stdout:
  description: What it wrote to its standard output.
  returned: success or failure of the program
  type: str
  sample: "update-initramfs: Generating /boot/initrd.img-6.12.48+deb13-amd64"
stderr:
  description: What it wrote to its standard error.
  returned: success or failure of the program
  type: str
  sample: ""
start:
  description: When it was started, by the builder's clock.
  returned: when it was run
  type: str
  sample: "2026-03-01 12:00:00.000000"
end:
  description: When it had ended.
  returned: when it was run
  type: str
  sample: "2026-03-01 12:00:07.250000"
delta:
  description: How long it took.
  returned: when it was run
  type: str
  sample: "0:00:07.250000"
msg:
  description: Why nothing was run, or that the program failed.
  returned: when there is something to say
  type: str
  sample: skipped, since /opt/star/current exists
"""

import datetime
import os
import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import command
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate, mounted_guest, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.places import Spread
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import GUEST_PROGRAMS, sandbox


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    if not options["argv"]:
        raise InputError("there is no program", where="argv")
    for name in ("creates", "removes"):
        if "\0" in (options[name] or ""):
            raise InputError("no path has a null character in it", where=name)
    if (options["timeout"] or 0) < 0:
        raise InputError(f"{options['timeout']} is no number of seconds to wait", where="timeout", hint="0 is for 3600")
    spread = locate(runner, options["image"], number=options["root"])
    asked = (options["creates"], options["removes"])
    with locked(options["image"]):
        with open_guest(runner, spread, writable=not module.check_mode) as files:
            reason = command.unneeded(files, *asked)
        if reason:
            return {"changed": False, "cmd": options["argv"], "rc": 0, "stdout": reason, "stderr": "", "msg": reason}
        if module.check_mode:
            message = "Command would have run if not in check mode"
            known = {"changed": True} if any(asked) else {"changed": False, "skipped": True}
            return {**known, "cmd": options["argv"], "msg": message}
        return execute(runner, spread, options)


def execute(runner: Runner, spread: Spread, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run the program, and return the module's result.

    Raises:
        InputError: the user is not root.
        GuestError: the guest has no such user.
        ToolError: the program exceeded its limits.
    """
    if os.geteuid() != 0:
        raise InputError("running the guest's programs needs root", where=spread.image, hint="run the builder as root")
    data = options["stdin"]
    if data is not None and options["stdin_add_newline"] and not data.endswith("\n"):
        data += "\n"
    limits = replace(GUEST_PROGRAMS, seconds=options["timeout"]) if options["timeout"] else GUEST_PROGRAMS
    with mounted_guest(runner, spread) as root, sandbox(runner, root, network=options["network"]) as box:
        files = MountedTree(root)
        who = command.account(files, options["user"]) if options["user"] else None
        argv = command.as_user(files, who, options["argv"]) if who else options["argv"]
        environment = command.variables(who, {name: str(value) for name, value in options["environment"].items()})
        start = datetime.datetime.now()
        done = box.run(
            argv,
            environment,
            directory=options["chdir"],
            data=None if data is None else data.encode(),
            limits=limits,
            accept=range(256),
        )
    return result(options, done, start, datetime.datetime.now())


def result(
    options: dict[str, t.Any], done: Completed, start: datetime.datetime, end: datetime.datetime
) -> dict[str, t.Any]:
    """Return how the program ended, as a module's result."""
    texts = [done.text, done.errors.decode("utf-8", "replace")]
    if options["strip_empty_ends"]:
        texts = [text.rstrip("\r\n") for text in texts]
    failed = {"failed": True, "msg": "non-zero return code"} if done.status else {}
    return {
        "changed": True,
        "cmd": options["argv"],
        "rc": done.status,
        "stdout": texts[0],
        "stderr": texts[1],
        "start": str(start),
        "end": str(end),
        "delta": str(end - start),
        **failed,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "root": {"type": "int"},
            "argv": {"type": "list", "elements": "str", "required": True},
            "environment": {"type": "dict", "default": {}},
            "chdir": {"type": "str", "default": "/"},
            "creates": {"type": "str"},
            "removes": {"type": "str"},
            "stdin": {"type": "str"},
            "stdin_add_newline": {"type": "bool", "default": True},
            "strip_empty_ends": {"type": "bool", "default": True},
            "user": {"type": "str"},
            "network": {"type": "bool", "default": False},
            "timeout": {"type": "int"},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
