# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Host keys of ssh: gone from the image, and made by each instance at its first start.

Whether a family's own service makes missing keys is read from the service itself:

- EL 6 (/etc/init.d/sshd), EL 7 (sshd-keygen.service) and EL 8 to 10 (sshd-keygen.target) do, unless
  AUTOCREATE_SERVER_KEYS=NO (openssh.spec, sshd.init, sshd-keygen);
- SUSE does: by sshd-gen-keys-start before sshd.service, in SLES 11 by /etc/init.d/sshd;
- Alpine and Gentoo do, by /etc/init.d/sshd, unless sshd_disable_keygen=yes;
- Arch does, by sshdgenkeys.service;
- Debian and Ubuntu make them when the package is installed, and never again; since Debian 13 also
  at what systemd takes for a first boot, which an empty machine id is not.
"""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep
from ansible_collections.voc.cluster.plugins.module_utils._guest import systemd, tree

NAME = "voc-cluster-ssh-host-keys"
UNIT = f"{NAME}.service"

_KEYGEN = "/usr/bin/ssh-keygen"
_SERVICES = ("ssh.service", "sshd.service")
_SCRIPTS = ("/etc/init.d/sshd", "/etc/init.d/ssh")
_UPSTART = "/etc/init/ssh.conf"
_KEYS = r"ssh_host_.*key(\.pub)?"

# What a service says that makes missing keys, and what its settings say if it shall not.
_MAKES = re.compile(r"ssh-keygen|sshd-keygen|sshdgenkeys|gen-keys|generate_host_keys|do_rsa_keygen")
_HELPER = re.compile(r"\b(sshd-keygen[@\w.-]*\.(?:service|target)|sshdgenkeys\.service)")
_SWITCHED_OFF = re.compile(
    r"""(?mi)^[ \t]*(?:AUTOCREATE_SERVER_KEYS[ \t]*=[ \t]*["']?no|sshd_disable_keygen[ \t]*=[ \t]*["']?yes)"""
)
_SETTINGS = ("/etc/sysconfig/sshd", "/etc/conf.d/sshd")
_FIRST_BOOT_ONLY = re.compile(r"(?m)^[ \t]*ConditionFirstBoot[ \t]*=[ \t]*(?:yes|true|1|on)\s*$")

_SYSTEMD = """\
# Written by voc.cluster: every instance makes its own ssh host keys.
[Unit]
Description=Make missing ssh host keys
Before=ssh.service sshd.service ssh.socket
ConditionPathIsReadWrite=/etc/ssh

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
RequiredBy={service}
"""

# ssh-keygen -A came with OpenSSH 5.9; a type that it does not know is passed over.
_MAKE = """\
for type in rsa dsa ecdsa ed25519; do
    key=/etc/ssh/ssh_host_${type}_key
    [ -s "$key" ] || /usr/bin/ssh-keygen -q -t "$type" -N '' -f "$key" </dev/null >/dev/null 2>&1 || :
done
"""

_UPSTART_JOB = f"""\
# Written by voc.cluster: every instance makes its own ssh host keys.
description "Make missing ssh host keys"
start on starting ssh
task
script
{_MAKE}end script
"""

_SYSV = f"""\
#!/bin/sh
# Written by voc.cluster: every instance makes its own ssh host keys.
### BEGIN INIT INFO
# Provides:          {NAME}
# Required-Start:    $local_fs
# Required-Stop:
# X-Start-Before:    ssh sshd
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: Make missing ssh host keys
### END INIT INFO
[ "$1" = start ] || exit 0
{_MAKE}"""

_OPENRC = f"""\
#!/sbin/openrc-run
# Written by voc.cluster: every instance makes its own ssh host keys.
description="Make missing ssh host keys"

depend() {{
    need localmount
    before sshd
}}

start() {{
    ebegin "Making missing ssh host keys"
    {_MAKE.strip().replace(chr(10), chr(10) + "    ")}
    eend 0
}}
"""


def _ssh_host_keys(sweep: Sweep) -> None:
    sweep.remove_matching("/etc/ssh", _KEYS)
    if not tree.exists(sweep.plan, _KEYGEN) or makes_keys(sweep):
        return
    service = next((name for name in _SERVICES if systemd.find_unit(sweep.plan, name)), None)
    if service:
        _add_unit(sweep, service)
    elif sweep.is_there(_UPSTART):
        _write_missing(sweep, f"/etc/init/{NAME}.conf", _UPSTART_JOB, 0o644)
    elif sweep.is_there("/sbin/openrc-run") and sweep.is_there(_SCRIPTS[0]):
        _write_missing(sweep, f"/etc/init.d/{NAME}", _OPENRC, 0o755)
        sweep.link(f"/etc/runlevels/default/{NAME}", f"/etc/init.d/{NAME}")
    elif any(map(sweep.is_there, _SCRIPTS)):
        _write_missing(sweep, f"/etc/init.d/{NAME}", _SYSV, 0o755)
        for level in "2345":
            sweep.link(f"/etc/rc{level}.d/S02{NAME}", f"../init.d/{NAME}")


def makes_keys(sweep: Sweep) -> bool:
    """Say whether the guest's own ssh service makes host keys that are missing."""
    if any(_SWITCHED_OFF.search(sweep.text(path) or "") for path in _SETTINGS):
        return False
    units = [path for name in _SERVICES if (path := systemd.find_unit(sweep.plan, name))]
    if units:
        return any(_unit_makes(sweep, path) for path in units)
    texts = (sweep.text(path) or "" for path in (*_SCRIPTS, _UPSTART))
    return any(_MAKES.search(_code(text)) for text in texts)


def _unit_makes(sweep: Sweep, path: str) -> bool:
    """Say whether a unit makes keys itself, or wants one that does at every boot."""
    text = _code(sweep.text(path) or "")
    if re.search(r"(?m)^[ \t]*ExecStartPre[ \t]*=.*(?:gen-keys|keygen)", text):
        return True
    helpers = _HELPER.findall("\n".join(re.findall(r"(?m)^[ \t]*(?:Wants|Requires)[ \t]*=(.*)$", text)))
    return any(_helper_makes(sweep, name) for name in helpers)


def _helper_makes(sweep: Sweep, name: str) -> bool:
    if systemd.is_masked(sweep.plan, name):
        return False
    template = re.sub(r"@[^.]*\.", "@.", name)
    found = systemd.find_unit(sweep.plan, name) or systemd.find_unit(sweep.plan, template)
    text = sweep.text(found) if found else None
    return text is not None and not _FIRST_BOOT_ONLY.search(text)


def _add_unit(sweep: Sweep, service: str) -> None:
    _write_missing(sweep, f"{systemd.ADMIN_FOLDER}/{UNIT}", _SYSTEMD.format(service=service), 0o644)
    systemd.enable(sweep.plan, UNIT)


def _write_missing(sweep: Sweep, path: str, text: str, mode: int) -> None:
    if sweep.text(path) != text:
        sweep.write(path, text, mode)


def _code(text: str) -> str:
    """Return a script or unit without its comments."""
    return re.sub(r"(?m)^[ \t]*[#;].*$", "", text)


OPERATIONS = (Operation("ssh-host-keys", "whoever has the image could pose as any instance", _ssh_host_keys),)

__all__ = ["NAME", "OPERATIONS", "UNIT", "makes_keys"]
