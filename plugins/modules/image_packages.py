#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_packages
short_description: Install, upgrade and remove packages in an offline image
version_added: 0.1.0
description:
  - Lets the guest's own package manager work, with the guest's own package sources, and the site's for this run.
  - The guest's programs run in a sandbox (bubblewrap) and reach nothing of the builder. While packages are downloaded
    they have a network that leads outside (slirp4netns), but to no service on the builder's own loopback; where the
    manager downloads first, the packages' own scripts run without any network.
  - Services are not started, and neither the guest's resolver nor its policy for services is touched.
  - When every package is there already, nothing is run. Guests with apt, apk and pacman are not even mounted for
    that; the database of RPM packages only rpm can read, in the sandbox.
  - apt, dnf 4, zypper and pacman have been tried in real guests (Debian 13, with small repositories of the latter
    three's packages). The commands for dnf 5, yum and apk follow their manuals and have not been tried on a system.
author: the voc.cluster authors (@voc-cluster)
extends_documentation_fragment:
  - voc.cluster._attributes
  - voc.cluster._attributes.image
  - voc.cluster._attributes.root
  - voc.cluster._attributes.limits
attributes:
  check_mode:
    support: full
    details:
      - The guest's package manager says what it would do, on a copy of the guest that is in memory and thrown away.
  diff_mode:
    support: full
requirements:
  - root on the builder
  - bubblewrap 0.5 or newer
  - slirp4netns
  - libseccomp
  - e2fsprogs
options:
  name:
    description:
      - The packages, each as C(name), as C(name=version), or as the path of a package file on the builder.
      - A version may leave out what is in front of a colon or behind the last hyphen, except for apt, which takes the
        whole version or a pattern such as V(2.1.*).
      - V(*) with O(state=latest) upgrades all packages.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) installs what is missing, or there in another version than the one that is wanted.
      - V(latest) also upgrades.
      - V(absent) removes, and keeps configuration files where the manager does.
    type: str
    choices: [present, absent, latest]
    default: present
  update_cache:
    description: Read the package sources before anything is installed. With O(repositories) it is always done.
    type: bool
    default: true
  recommends:
    description: Also install packages that are merely recommended, where the manager knows such.
    type: bool
    default: false
  repositories:
    description:
      - Package sources of the site's, used beside the guest's own for this run. Neither they nor their keys stay in
        the guest.
      - For zypper their index must be signed by the key, too.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A short name, of letters, digits, hyphens and underscores.
        type: str
        required: true
      uri:
        description: Where it is, as the guest's package manager takes it.
        type: str
        required: true
      key:
        description:
          - The file of its signing key on the builder, in text form; for apk the public key under its own name.
            pacman's keys cannot be given here.
          - Without one the repository is trusted as it is. Do that only for one that nobody else can write to.
        type: path
      suite:
        description: For apt, the suite, as V(trixie). V(./) is a repository without suites.
        type: str
        default: ./
      components:
        description: For apt, the components, as V(main).
        type: list
        elements: str
        default: []
      managers:
        description: The package managers of the guests that it is for. Without this it is for all.
        type: list
        elements: str
        choices: [apt, dnf, yum, zypper, apk, pacman]
  cache:
    description:
      - A folder on the builder for downloaded packages, which images share. It is made where it is missing.
      - A guest gets a file from there only if its own signed indexes name the file's sha256, so one guest cannot give
        another a package. Guests with other managers than apt do not use it.
    type: path
"""

EXAMPLES = r"""
- name: Give the image a kernel
  voc.cluster.image_packages:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name:
      - linux-image-amd64
      - nfs-common
    cache: /var/cache/voc-cluster

- name: Install the batch system from the site's own repository
  voc.cluster.image_packages:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name: [condor=24.*]
    repositories:
      - name: site
        uri: https://packages.example.org/debian
        suite: trixie
        components: [main]
        key: /srv/voc/keys/site.asc

- name: Install a package that the builder has as a file, and remove another
  voc.cluster.image_packages:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name: [/srv/voc/packages/site-tools_1.2_all.deb]
- voc.cluster.image_packages:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    name: [popularity-contest]
    state: absent
"""

RETURN = r"""
installed:
  description:
    - The packages that were, or in check mode would be, installed, with those that they need. Where the guest's package
      manager was not asked their versions are not known.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    version:
      description: The version.
      type: str
  sample: [{name: nfs-common, version: "1:2.8.3-1"}]
removed:
  description: The packages that were, or would be, removed; as RV(installed).
  returned: success
  type: list
  elements: dict
  sample: []
upgraded:
  description: The packages whose version is, or would be, another one.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    before:
      description: The version that was there.
      type: str
    after:
      description: The version that is there now.
      type: str
  sample: [{name: openssl, before: 3.5.1-1, after: 3.5.4-1}]
"""

import re
import typing as t
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, located, printable
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate
from ansible_collections.voc.cluster.plugins.module_utils._image.blocks import locked
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run
from ansible_collections.voc.cluster.plugins.module_utils._packages.execute import MANAGERS, Order, manage
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import STATES, Change, Repository

_PATTERNS = {"name": r"[A-Za-z0-9][A-Za-z0-9_-]*", "uri": r"[^\s\[\]#\"']+", "suite": r"[A-Za-z0-9._/-]+"}


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    order = Order(
        state=options["state"],
        names=tuple(options["name"]),
        repositories=tuple(map(read_repository, options["repositories"])),
        update_cache=options["update_cache"],
        recommends=options["recommends"],
        cache=options["cache"],
    )
    spread = locate(runner, options["image"], number=options["root"])
    with locked(options["image"]), located(options["image"]):
        return outcome(manage(runner, spread, order, apply=not module.check_mode))


def read_repository(options: dict[str, t.Any]) -> Repository:
    """Return a repository of its options.

    Raises:
        InputError: one of them would be something else in a package manager's configuration.
    """
    for option, pattern in _PATTERNS.items():
        if not re.fullmatch(pattern, options[option]):
            raise InputError(f"{options[option]!r} cannot be used", where=f"repositories: {option}")
    for component in options["components"]:
        if not re.fullmatch(_PATTERNS["suite"], component):
            raise InputError(f"{component!r} cannot be used", where="repositories: components")
    return Repository(
        name=options["name"],
        uri=options["uri"],
        key=options["key"],
        suite=options["suite"],
        components=tuple(options["components"]),
        managers=tuple(options["managers"] or MANAGERS),
    )


def outcome(changes: Sequence[Change]) -> dict[str, t.Any]:
    """Return what became of packages as a module's result; names and versions are the guest's words."""
    told = [Change(printable(one.name), *map(_told, (one.before, one.after))) for one in changes]
    before, after = (
        "".join(f"{one.name} {version}\n" if version else "" for one in told for version in [getattr(one, when)])
        for when in ("before", "after")
    )
    return {
        "changed": bool(told),
        "installed": [{"name": one.name, "version": one.after} for one in told if one.before is None],
        "removed": [{"name": one.name, "version": one.before} for one in told if one.after is None],
        "upgraded": [
            {"name": one.name, "before": one.before, "after": one.after} for one in told if one.before and one.after
        ],
        "diff": {"before_header": "packages", "after_header": "packages", "before": before, "after": after},
    }


def _told(version: str | None) -> str | None:
    return None if version is None else printable(version)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            "root": {"type": "int"},
            "name": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "default": "present"},
            "update_cache": {"type": "bool", "default": True},
            "recommends": {"type": "bool", "default": False},
            "repositories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "uri": {"type": "str", "required": True},
                    "key": {"type": "path", "no_log": False},
                    "suite": {"type": "str", "default": "./"},
                    "components": {"type": "list", "elements": "str", "default": []},
                    "managers": {"type": "list", "elements": "str", "choices": list(MANAGERS)},
                },
            },
            "cache": {"type": "path"},
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
