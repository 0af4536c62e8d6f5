"""An edit of each kind, and the files of a guest in which all of them can be done."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.voc.cluster.plugins.module_utils._guest import edits

# Made by openssl; its key is lost.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBfDCCASGgAwIBAgIUUfBpBeJMAPc8y89ClF+0lWZE37AwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHU2l0ZSBDQTAgFw0yNjExMjQyMzIyMTZaGA8yMTI2MTAzMTIz
MjIxNlowEjEQMA4GA1UEAwwHU2l0ZSBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABIKckG0a+NutFbRGFdwzZ3gGAkHfSX7GLbWAl1v/Iu0oCSzs3G1v8JndpBAx
RZ9BB9zUrw1seAv+avhyG/gZiBqjUzBRMB0GA1UdDgQWBBSvShIdjCSIEpjL3AEg
SpLASEffPzAfBgNVHSMEGDAWgBSvShIdjCSIEpjL3AEgSpLASEffPzAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDSmDfLJZv3IpU+8eQ0dacXzaIe
NTXZfHLiz+C9SUpipAIhANYPNiWxlZ5lk/xz3uCkYjRrS8M06tjnap25ChulZYuB
-----END CERTIFICATE-----
"""

EACH_KIND: list[dict[str, t.Any]] = [
    {"file": {"path": "/etc/motd", "content": "é\n", "mode": "0640", "owner": "grid", "group": "4"}},
    {"directory": {"path": "/srv/data", "mode": "1777"}},
    {"symlink": {"path": "/etc/link", "target": "/usr/share/zoneinfo/UTC"}},
    {"absent": {"path": "/etc/old"}},
    {"fstab": {"source": "nfs1:/app", "path": "/grid/app/", "type": "nfs", "options": ["ro", "_netdev"]}},
    {"fstab": {"path": "/gone", "state": "absent"}},
    {"environment": {"OSG_APP": "/grid/app", "N": 5}},
    {"service": {"name": "cron", "enabled": True}},
    {"service": {"name": "rival", "masked": True, "enabled": False}},
    {"authorized_key": {"user": "grid", "key": "ssh-ed25519 AAAA me"}},
    {"network": {}},
    {"secret": {"path": "/etc/condor/tokens.d/pool", "content": "dG9rZW4K", "encoding": "base64"}},
    {"permissions": {"path": "/etc/passwd", "mode": "0640", "group": "grid"}},
    {"line": {"path": "/etc/ssh/sshd_config", "regexp": "^#?PermitRootLogin", "line": "PermitRootLogin no"}},
    {"block": {"path": "/etc/rc.local", "block": "a\nb", "create": True, "mode": "0755"}},
    {"replace": {"path": "/etc/ssh/sshd_config", "regexp": "yes$", "replace": "no"}},
    {"ini": {"path": "/etc/app.ini", "section": "main", "option": "a", "value": "b"}},
    {"kernel_module": {"name": "nfs", "load": True, "params": "x=1"}},
    {"kernel_module": {"name": "floppy", "blacklist": True}},
    {"sysctl": {"name": "vm.swappiness", "value": "10"}},
    {"group": {"name": "cluster", "gid": 5000}},
    {"user": {"name": "jobs", "uid": 5001, "groups": ["grid"], "password": "$6$a$b"}},
    {"user": {"name": "grid", "password_lock": True}},
    {"hostname": {"name": "worker"}},
    {"hosts": {"address": "10.0.0.1", "names": ["head.site", "head"]}},
    {"resolver": {"servers": ["10.0.0.2"], "search": ["site"]}},
    {"timezone": {"name": "UTC"}},
    {"ca_certificate": {"name": "site", "content": CERTIFICATE}},
]

UNITS = "/usr/lib/systemd/system"
FILES: dict[str, t.Any] = {
    "/etc/sysctl.d": None,
    "/etc/passwd": "grid:x:1001:1002::/home/grid:/bin/sh\n",
    "/etc/shadow": "grid:$6$x$y:1:0:99999:7:::\n",
    "/etc/group": "grid:x:1002:\n",
    "/etc/ssh/sshd_config": "#PermitRootLogin yes\nX11Forwarding yes\n",
    "/etc/pki/ca-trust/source": None,
    "/usr/share/zoneinfo/UTC": "TZif",
    "/etc/fstab": "a /gone ext4\n",
    "/etc/old/file": "x",
    f"{UNITS}/cron.service": "[Install]\nWantedBy=multi-user.target\n",
    f"{UNITS}/rival.service": "[Install]\nWantedBy=multi-user.target\n",
    f"{UNITS}/systemd-networkd.service": "[Install]\nWantedBy=multi-user.target\n",
    "/usr/lib/systemd/systemd-networkd": "",
}


def validated(wanted: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return edits with their defaults, as a module gets them."""
    validator = ArgumentSpecValidator({"edits": {"type": "list", "elements": "dict", "options": edits.ARGUMENT_SPEC}})
    outcome = validator.validate({"edits": wanted})
    assert not outcome.error_messages
    return outcome.validated_parameters["edits"]
