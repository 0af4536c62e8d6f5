#!/usr/bin/python
# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_edit
short_description: Change files in an offline image
version_added: 0.1.0
description:
  - Does an ordered list of edits to the guest's files in one batch. No program of the guest is run.
  - Every edit has one key, its kind. Edits that are true already change nothing.
  - All edits are worked out before anything is touched. When one of them cannot be done, or the image has no room for
    all, none is.
  - Should writing fail nevertheless, O(access=ext) takes back what was done to the filesystem. A guest that is mounted,
    or spread over several filesystems, may have some of the changes then; the error says when the working image has to
    be made again.
  - A path is always that of the guest. Symbolic links on the way to it are followed inside the guest and cannot lead
    out of it.
  - Kinds that have the name or the options of an Ansible module mean what that module means by them.
  - The content of files that not everybody may read is not shown by C(--diff), nor that of a O(edits[].secret).
  - In a guest with SELinux, what is new gets the label that the guest's own policy has for it; what is replaced keeps
    its own. Where the policy cannot be read, the guest is asked to label all its files at its next boot, and
    RV(notes) says so.
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
notes:
  - What edits write for EL, SUSE, Alpine, Arch and older releases of Debian and Ubuntu follows their documentation and
    is tested on trees of files. Only guests with Debian 12 and 13 were started with it.
  - Authority certificates, users and init scripts are written without the guest's own programs. What those would do
    beyond that, such as running the hooks of a package, is not done.
options:
  edits:
    description: What to do, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      file:
        description: A file with this content. A new one belongs to root and has mode V(0644).
        type: dict
        suboptions:
          path: &path
            description: Its absolute path in the guest. Folders above it are made.
            type: str
            required: true
          content:
            description: What it holds, for example what P(ansible.builtin.template#lookup) renders.
            type: str
          source: &source
            description: A file on the builder whose content it gets.
            type: path
          encoding: &encoding
            description: How the content is given; V(base64) for what is no text.
            type: str
            choices: [text, base64]
            default: text
          mode: &mode
            description:
              - Permission bits in octal, in quotes. Without it those of an existing one are kept.
              - A number is these bits themselves, as in M(ansible.builtin.file); YAML makes such a one of C(0644), too,
                but of C(644) another.
            type: raw
          owner: &owner
            description: A user of the guest, by name or number.
            type: str
          group: &group
            description: A group of the guest, by name or number.
            type: str
      secret:
        description:
          - A file that only its owner, and its group where the mode says so, may read, such as a token or a key.
          - Its content is never shown, neither in results nor in logs.
        type: dict
        suboptions:
          path: *path
          content:
            description: What it holds.
            type: str
          source: *source
          encoding: *encoding
          mode:
            description:
              - Permission bits in octal, in quotes, or as a number; none for everybody.
              - Without it a new file has V(0600), and an existing one loses those for everybody.
            type: raw
          owner: *owner
          group: *group
      directory:
        description: A directory. A new one belongs to root and has mode V(0755).
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest. Those above it are made.
            type: str
            required: true
          mode: *mode
          owner: *owner
          group: *group
      symlink:
        description: A symbolic link. A file or link in its place is replaced.
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest.
            type: str
            required: true
          target:
            description: Where it points, as it is to be written.
            type: str
            required: true
      absent:
        description: Nothing stands at this path; a directory goes with all it holds.
        type: dict
        suboptions:
          path:
            description: The absolute path in the guest.
            type: str
            required: true
      permissions:
        description: Who may do what with a file or directory that is there.
        type: dict
        suboptions:
          path:
            description: Its absolute path in the guest. A link is followed.
            type: str
            required: true
          mode: *mode
          owner: *owner
          group: *group
          recurse:
            description: Whether all that lies below a directory gets the same owner and group; modes stay.
            type: bool
            default: false
      line:
        description: One line of a text file, as M(ansible.builtin.lineinfile) has it.
        type: dict
        suboptions:
          path: &text_path
            description: The file's absolute path in the guest.
            type: str
            required: true
          line:
            description: The line. Needed unless O(edits[].line.state=absent).
            type: str
          regexp:
            description: A regular expression of Python; the last line that it finds is replaced.
            type: str
          search_string:
            description: A text; the last line that contains it is replaced.
            type: str
          state: &state
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          insertafter: &insertafter
            description: A regular expression; the last line that it finds comes before what is new. Or V(EOF).
            type: str
          insertbefore: &insertbefore
            description: A regular expression; the last line that it finds comes after what is new. Or V(BOF).
            type: str
          backrefs:
            description: Whether the line refers to groups of O(edits[].line.regexp); without a match nothing changes.
            type: bool
            default: false
          firstmatch:
            description: Whether the first line that is found counts instead of the last.
            type: bool
            default: false
          create: &create
            description: Whether a missing file is made; otherwise that is an error.
            type: bool
            default: false
          mode: *mode
          owner: *owner
          group: *group
      block:
        description: Lines of a text file between two markers, as M(ansible.builtin.blockinfile) has them.
        type: dict
        suboptions:
          path: *text_path
          block:
            description: The lines. Without any the block goes with its markers.
            type: str
            default: ''
          marker:
            description: The line before and after the block; C({mark}) is replaced.
            type: str
            default: '# {mark} ANSIBLE MANAGED BLOCK'
          marker_begin:
            description: What replaces it before the block.
            type: str
            default: BEGIN
          marker_end:
            description: What replaces it after the block.
            type: str
            default: END
          state: *state
          insertafter: *insertafter
          insertbefore: *insertbefore
          create: *create
          mode: *mode
          owner: *owner
          group: *group
      replace:
        description: All that a regular expression finds in a text file, as M(ansible.builtin.replace) has it.
        type: dict
        suboptions:
          path: *text_path
          regexp:
            description: The regular expression of Python, in which C(^) and C($) stand for the ends of lines.
            type: str
            required: true
          replace:
            description: What comes in its place; it may refer to groups.
            type: str
            default: ''
          after:
            description: A regular expression; only what follows its match is looked at.
            type: str
          before:
            description: A regular expression; only what precedes its match is looked at.
            type: str
          mode: *mode
          owner: *owner
          group: *group
      ini:
        description: An option of an ini file, as C(community.general.ini_file) has it. Comments stay.
        type: dict
        suboptions:
          path: *text_path
          section:
            description: The section's name. Without it the option stands before the first section.
            type: str
          option:
            description: The option's name. Without it the whole section is meant.
            type: str
          value:
            description: The option's value. Without it the option is its name alone.
            type: str
          values:
            description: Several values, a line each; any others go.
            type: list
            elements: str
          state: *state
          no_extra_spaces:
            description: Whether there are no spaces around the equals sign.
            type: bool
            default: false
          modify_inactive_option:
            description: Whether an option that is a comment gets the value in its place.
            type: bool
            default: true
          create:
            description: Whether a missing file is made; otherwise that is an error.
            type: bool
            default: true
          mode: *mode
          owner: *owner
          group: *group
      fstab:
        description: An entry of fstab for this mount point, which is made, or for a swap area.
        type: dict
        suboptions:
          path:
            description: The mount point. For a swap area V(none) or V(swap); it is known by its source.
            type: str
            required: true
          source:
            description: What is mounted. Needed unless a mount point has O(edits[].fstab.state=absent).
            type: str
          type:
            description: The filesystem type. Needed unless O(edits[].fstab.state=absent).
            type: str
          options:
            description: The mount options.
            type: list
            elements: str
            default: [defaults]
          dump:
            description: The fifth field.
            type: int
            default: 0
          check:
            description: The sixth field, the order of checks at boot.
            type: int
            default: 0
          state:
            description: Whether the entry is there.
            type: str
            choices: [present, absent]
            default: present
      environment:
        description:
          - Environment variables by name, for login shells and for services of systemd, those of users included, or
            of OpenRC. A null takes one away; others stay.
        type: dict
      service:
        description:
          - "A service: a unit of systemd, an instance of a template, a job of upstart, or an init script of sysvinit
            or OpenRC."
        type: dict
        suboptions:
          name:
            description: Its name, or another name of a unit of systemd; C(.service) may be left out.
            type: str
            required: true
          enabled:
            description: Whether it starts at boot.
            type: bool
          masked:
            description: Whether it cannot be started at all. Init scripts lose their execute bits, jobs of upstart
              are disabled.
            type: bool
          runlevel:
            description: The runlevel of OpenRC in which it starts.
            type: str
            default: default
      kernel_module:
        description: What is done with a module of the kernel at boot.
        type: dict
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          load:
            description: Whether it is loaded, needed or not. Lists of others keep what else they load.
            type: bool
          blacklist:
            description: Whether it is kept from being loaded.
            type: bool
          params:
            description: Its parameters, whoever loads it. An empty text takes them away.
            type: str
      sysctl:
        description: A parameter of the kernel, set at boot.
        type: dict
        suboptions:
          name:
            description: Its name, such as V(vm.swappiness).
            type: str
            required: true
          value:
            description: Its value. Needed unless O(edits[].sysctl.state=absent).
            type: str
          state: *state
      user:
        description:
          - A user of the guest, as M(ansible.builtin.user) has it. What is not given stays as it is.
          - The guest's files are read and written directly; entries of NIS, comments and broken lines stay.
        type: dict
        suboptions:
          name: &name
            description: The name.
            type: str
            required: true
          state: *state
          uid:
            description: The number. A new user gets a free one of the range in C(login.defs).
            type: int
          group:
            description: The primary group, by name or number. A new user gets one of the same name where C(login.defs)
              wants that.
            type: str
          groups:
            description: Other groups, which must be there.
            type: list
            elements: str
          append:
            description: Whether groups that the user has already stay.
            type: bool
            default: false
          comment:
            description: What C(passwd) says of the user.
            type: str
          home:
            description: The home directory.
            type: str
          shell:
            description: The login shell.
            type: str
          password:
            description: The password's hash, as P(ansible.builtin.password_hash#filter) makes it. A new user has none.
            type: str
          password_lock:
            description: Whether no password matches.
            type: bool
          update_password:
            description: Whether the password of a user that is there changes, too.
            type: str
            choices: [always, on_create]
            default: always
          system:
            description: Whether a new user's number is one of those of the system.
            type: bool
            default: false
          create_home:
            description: Whether a home that is missing is made, of a new user or where O(edits[].user.home) is given.
            type: bool
            default: true
          skeleton:
            description: A directory of the guest whose content a new home gets.
            type: str
            default: /etc/skel
          remove:
            description: Whether with O(edits[].user.state=absent) the home and the mail go, too.
            type: bool
            default: false
      group:
        description: A group of the guest, as M(ansible.builtin.group) has it.
        type: dict
        suboptions:
          name: *name
          state: *state
          gid:
            description: The number. A new group gets a free one of the range in C(login.defs).
            type: int
          system:
            description: Whether a new group's number is one of those of the system.
            type: bool
            default: false
      authorized_key:
        description: ssh public keys that may log in as a user of the guest. Others stay.
        type: dict
        suboptions:
          user:
            description: The user's name.
            type: str
            required: true
          key:
            description: The keys, one a line, as they stand in an C(authorized_keys) file. Comments are passed over.
            type: str
            required: true
          state: *state
      hostname:
        description: The guest's own name.
        type: dict
        suboptions:
          name: *name
      hosts:
        description: The names of an address in the guest's hosts file.
        type: dict
        suboptions:
          address:
            description: The IP address.
            type: str
            required: true
          names:
            description: All its names, the canonical one first. Needed unless O(edits[].hosts.state=absent).
            type: list
            elements: str
          state: *state
      resolver:
        description:
          - Which name servers the guest asks, whatever DHCP says. What would write C(resolv.conf) itself,
            NetworkManager and DHCP clients, is told not to; systemd-resolved is told the servers.
        type: dict
        suboptions:
          servers:
            description: Their IP addresses.
            type: list
            elements: str
            required: true
          search:
            description: The domains in which short names are looked up.
            type: list
            elements: str
            default: []
          options:
            description: Options as C(resolv.conf) has them, such as V(timeout:2). systemd-resolved has none.
            type: list
            elements: str
            default: []
      timezone:
        description: The guest's local time.
        type: dict
        suboptions:
          name:
            description: A time zone that the guest knows, such as V(Europe/Prague).
            type: str
            required: true
      ca_certificate:
        description:
          - The certificate of an authority that the guest trusts.
          - It becomes an anchor of the guest's family, is appended to the bundle that TLS libraries read, and gets its
            name by hash where they look for that. What else the family makes of anchors, such as Java's store, the
            guest makes itself when it updates its certificates next.
        type: dict
        suboptions:
          name:
            description: The name of its file, without a suffix.
            type: str
            required: true
          content:
            description: One certificate in PEM.
            type: str
          source:
            description: A file on the builder that holds it.
            type: path
          state: *state
      network:
        description:
          - How the guest's Ethernet interfaces get their addresses, whatever their names and MACs.
          - One network stack of the guest is in charge afterwards. What else would configure interfaces is switched off
            or removed, and each of it is among the RV(changes). That is other stacks and their services, files of
            another machine, single DHCP daemons, and the network part of cloud-init.
          - Where a stack can tell interfaces only by their names (V(ifcfg), V(wicked), an V(ifupdown) from before
            Debian 9), the first one is meant, which the kernel calls eth0; M(voc.cluster.image_boot) then tells the
            kernel to keep this name.
        type: dict
        suboptions:
          method:
            description: V(dhcp) asks, with the MAC as client identifier; V(static) gives O(edits[].network.addresses).
            type: str
            choices: [dhcp, static]
            default: dhcp
          stack:
            description:
              - Which network stack of the guest is to be in charge. V(auto) keeps the one that is.
            type: str
            choices: [auto, ifcfg, ifupdown, netplan, networkd, networkmanager, wicked]
            default: auto
          mac:
            description: The one interface that is meant, by its MAC.
            type: str
          interface:
            description:
              - The one interface that is meant, by its name. With neither, V(dhcp) is for every Ethernet interface and
                V(static) for the first.
            type: str
          addresses:
            description: The addresses of V(static), with the lengths of their prefixes, for example V(192.0.2.5/24).
            type: list
            elements: str
            default: []
          gateways:
            description: The gateways of V(static), at most one of IPv4 and one of IPv6.
            type: list
            elements: str
            default: []
          dns:
            description: Addresses of name servers. With V(dhcp) they take the place of those that it tells.
            type: list
            elements: str
            default: []
          search:
            description: Domains in which short names are looked up.
            type: list
            elements: str
            default: []
          mtu:
            description: The largest packet, in bytes. Without it, what the network or the driver says.
            type: int
"""

EXAMPLES = r"""
- name: Give the image the site's software area
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - fstab: {source: "nfs1:/grid/app", path: /grid/app, type: nfs, options: [ro, _netdev, nofail]}
      - environment: {OSG_APP: /grid/app}
      - service: {name: cron, enabled: true}

- name: Configure a worker
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - file: {path: /etc/condor/config.d/50-voc.config, content: "{{ lookup('ansible.builtin.template', 'voc.j2') }}"}
      - directory: {path: /etc/condor/tokens.d, mode: "0700"}
      - secret: {path: /etc/condor/tokens.d/pool, content: "{{ pool_token }}"}
      - secret: {path: /etc/munge/munge.key, source: /srv/keys/munge.key, owner: munge, group: munge, mode: "0400"}
      - permissions: {path: /var/lib/condor/execute, owner: condor, group: condor}
      - symlink: {path: /opt/grid, target: /grid/app}
      - absent: {path: /etc/motd.d/vendor}

- name: Change configuration files
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - line: {path: /etc/ssh/sshd_config, regexp: "^#?PermitRootLogin", line: PermitRootLogin prohibit-password}
      - block:
          path: /etc/security/limits.conf
          block: |
            * soft nofile 65536
            * hard nofile 65536
      - replace: {path: /etc/idmapd.conf, regexp: "^#\\s*Domain\\s*=.*$", replace: Domain = site.example}
      - ini: {path: /etc/idmapd.conf, section: Mapping, option: Nobody-User, value: nobody}

- name: Tell the kernel, and who may log in
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - kernel_module: {name: lnet, load: true, params: "networks=tcp0(eth0)"}
      - kernel_module: {name: floppy, blacklist: true}
      - sysctl: {name: vm.swappiness, value: "10"}
      - group: {name: grid, gid: 5000}
      - user: {name: griduser, uid: 5000, group: grid, shell: /bin/bash}
      - user: {name: root, password_lock: true}
      - authorized_key: {user: root, key: "{{ lookup('ansible.builtin.file', 'admins.pub') }}"}

- name: Make the guest one of the site
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/starworker/disk.raw
    edits:
      - network: {method: dhcp}
      - hostname: {name: localhost}
      - hosts: {address: 10.0.0.1, names: [head.site.example, head]}
      - resolver: {servers: [10.0.0.2, 10.0.0.3], search: [site.example]}
      - timezone: {name: America/New_York}
      - ca_certificate: {name: site, source: /srv/keys/site-ca.pem}

- name: Give an image that one instance is made of a fixed address
  voc.cluster.image_edit:
    image: /var/lib/voc-cluster/work/head/disk.raw
    edits:
      - network:
          method: static
          addresses: [192.0.2.5/24]
          gateways: [192.0.2.1]
          dns: [192.0.2.2]
          search: [cluster.example]
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done to the guest's files.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The real path in the guest, links followed.
      type: str
    action:
      description: What was done to it.
      type: str
    edits:
      description: Which edits changed it, by their numbers in the list; the first is 1.
      type: list
      elements: int
  sample: [{path: /etc/fstab, action: write, edits: [1]}, {path: /grid/app, action: make directory, edits: [1]}]
notes:
  description: What an administrator should know and the changes do not show.
  returned: success
  type: list
  elements: str
  sample:
    - the certificate site is in the bundle; Java's and others follow when the guest runs update-ca-certificates
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import access
from ansible_collections.voc.cluster.plugins.module_utils._guest.edits import ARGUMENT_SPEC, plan_edits
from ansible_collections.voc.cluster.plugins.module_utils._module import LIMITS, run


def work(module: AnsibleModule, runner: Runner) -> dict[str, t.Any]:
    options = module.params
    return access.change_guest(
        runner,
        options,
        lambda plan: plan_edits(plan, options["edits"]),
        apply=not module.check_mode,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path", "required": True},
            **access.ARGUMENT_SPEC,
            "edits": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": ARGUMENT_SPEC,
                "required_one_of": [tuple(ARGUMENT_SPEC)],
                "mutually_exclusive": [tuple(ARGUMENT_SPEC)],
            },
            "limits": LIMITS,
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
