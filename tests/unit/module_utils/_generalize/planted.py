"""A tree with a secret of each kind, and honest files beside them; see `secret_words`."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from ansible_collections.voc.cluster.tests.unit.images import tool

WORD = b"planted"
_LONG = "plantedplantedplantedplantedplantedplanted"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJ{_LONG}.{_LONG}"

# path -> (kind, content); the paths are as programs and people use them
SECRETS: dict[str, tuple[str, str | bytes]] = {
    "/etc/condor/tokens.d/pool": ("condor-token", f"{JWT}\n"),
    "/home/ann/.condor/tokens.d/t": ("condor-token", JWT),
    "/home/ann/scitoken": ("json-web-token", JWT),
    "/etc/condor/passwords.d/POOL": ("condor-pool-password", "planted"),
    "/root/.vault-token": ("vault-token", "s.planted"),
    "/home/ann/.config/env": ("vault-token", f"VAULT=hvs.{_LONG}\n"),
    "/home/ann/.config/gh/hosts.yml": ("github-token", "github.com:\n    oauth_token: planted\n"),
    "/home/ann/.bashrc": ("github-token", f"export GH=ghp_{_LONG}\n"),
    "/home/ann/.gitlab": ("gitlab-token", f"glpat-{_LONG}"),
    "/home/ann/.netrc": ("netrc", "machine x login ann password planted\n"),
    "/root/.pgpass": ("pgpass", "db:5432:*:ann:planted\n"),
    "/root/.docker/config.json": ("container-registry-login", '{"auths": {"quay.example": {"auth": "planted"}}}'),
    "/home/ann/.config/containers/auth.json": ("container-registry-login", '{"auths": {"x": {"auth": "planted"}}}'),
    "/home/ann/.kube/config": ("kubeconfig", "users:\n- name: ann\n  user:\n    client-key-data: planted\n"),
    "/etc/kubernetes/admin.conf": ("kubeconfig", "  user:\n    token: planted\n"),
    "/root/.my.cnf": ("mysql-password", "[client]\npassword = planted\n"),
    "/root/.git-credentials": ("git-credentials", "https://ann:planted@git.example\n"),
    "/root/.npmrc": ("npm-token", "//x/:_authToken=planted\n"),
    "/root/.pypirc": ("pypi-token", "[x]\npassword = planted\n"),
    "/root/.smbcredentials": ("smb-password", "username=x\npassword=planted\n"),
    "/root/.config/rclone/rclone.conf": ("rclone", "[x]\npass = planted\n"),
    "/root/.aws/credentials": ("aws-credentials", f"[default]\naws_secret_access_key = {_LONG}\n"),
    "/root/gcp.json": ("google-credentials", '{"type": "service_account", "private_key": "planted"}'),
    "/root/.azure/msal_token_cache.json": ("azure-credentials", '{"RefreshToken": "planted"}'),
    "/root/.config/openstack/clouds.yaml": (
        "openstack-credentials",
        "clouds:\n  x:\n    auth:\n      password: planted\n",
    ),
    "/root/admin-openrc": ("openstack-credentials", "export OS_PASSWORD='planted'\n"),
    "/etc/shadow": ("password-hash", f"root:$6$salt${_LONG}:1:0:99999:7:::\nopen::1:0:99999:7:::\n"),
    "/etc/munge/munge.key": ("munge-key", b"\x01planted\xff" * 16),
    "/etc/krb5.keytab": ("kerberos-keytab", b"\x05\x02\0\0\0\x30planted"),
    "/home/ann/krb5cc_1000": ("kerberos-tickets", b"\x05\x04planted"),
    "/etc/NetworkManager/system-connections/wifi.nmconnection": ("network-secret", "[wifi-security]\npsk=planted\n"),
    "/etc/NetworkManager/system-connections/vpn.nmconnection": ("network-secret", "[vpn-secrets]\npassword=planted\n"),
    "/etc/wpa_supplicant/wpa_supplicant.conf": ("network-secret", 'network={\n  psk="planted"\n}\n'),
    "/etc/netplan/10-wifi.yaml": ("network-secret", "      access-points:\n        x:\n          password: planted\n"),
    "/etc/network/interfaces": ("network-secret", "iface wlan0 inet dhcp\n  wpa-psk planted\n"),
    "/etc/sysconfig/network-scripts/keys-wifi": ("network-secret", "WPA_PSK=planted\n"),
    "/etc/ipsec.secrets": ("network-secret", '10.0.0.1 : PSK "planted"\n'),
    "/etc/ppp/chap-secrets": ("network-secret", "ann * planted *\n"),
    "/etc/wireguard/wg0.conf": (
        "private-key",
        "[Interface]\nPrivateKey = plantedplantedplantedplantedplantedplantedp=\n",
    ),
    "/etc/iscsi/iscsid.conf": ("iscsi-password", "node.session.auth.password = planted\n"),
    "/etc/apt/auth.conf.d/x.conf": ("repository-password", "machine x login ann password planted\n"),
    "/opt/app/settings": ("password", "url = postgres://ann:planted@db/x\n"),
    "/var/lib/systemd/credential.secret": ("systemd-credential-secret", b"planted" * 9),
}

# What looks like one, and is none.
HONEST: dict[str, str | bytes] = {
    "/etc/ssl/certs/ca.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "/etc/ssh/ssh_config": "Host *\n    PasswordAuthentication yes\n",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
    "/etc/gshadow": "root:*::\nann:!::\n",
    "/etc/krb5.conf": "[libdefaults]\n default_realm = X\n",
    "/etc/netplan/01.yaml": "network: {version: 2}\n# password: x\n",
    "/etc/iscsi/initiator.conf": "#node.session.auth.password = x\n",
    "/home/ann/.docker/config.json": '{"auths": {"x": {}}}',
    "/home/ann/.ssh/known_hosts": f"nfs ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'Hp4e' * 11}\n",
    "/etc/NetworkManager/system-connections/eth0.nmconnection": "[connection]\nid=eth0\n[802-1x]\npassword-flags=1\n",
    "/usr/share/doc/ssl/test.key": "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n",
    "/root/.netrc.example": "login ann\n",
}


@functools.cache
def keys() -> dict[str, bytes]:
    """Return private keys by their paths, and public ones that may log in, all made by ssh-keygen."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann@example.org", "-f", folder / "a")
        tool("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-f", folder / "b")
        private, public, pem = (folder.joinpath(name).read_bytes() for name in ("a", "a.pub", "b"))
    return {
        "/root/.ssh/id_ed25519": private,
        "/root/.ssh/id_ed25519.pub": public,
        "/root/.ssh/authorized_keys": public,
        "/etc/ssh/ssh_host_ecdsa_key": pem,
        "/etc/ssl/private/ssl-cert-snakeoil.key": pem,
        "/srv/web/tls.pem": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + pem,
    }


KEY_KINDS = {
    "/root/.ssh/id_ed25519": "private-key",
    "/root/.ssh/authorized_keys": "authorized-key",
    "/etc/ssh/ssh_host_ecdsa_key": "private-key",
    "/etc/ssl/private/ssl-cert-snakeoil.key": "snakeoil-key",
    "/srv/web/tls.pem": "private-key",
}


def files() -> dict[str, str | bytes]:
    """Return all, by path."""
    return {**{path: content for path, (_kind, content) in SECRETS.items()}, **keys(), **HONEST}


def expected() -> set[tuple[str, str]]:
    """Return (path, kind) of all that must be found."""
    return {
        *((path, kind) for path, (kind, _content) in SECRETS.items()),
        *KEY_KINDS.items(),
        ("/etc/shadow", "empty-password"),
    }


def secret_words() -> list[bytes]:
    """Return what must not be in any output."""
    lines = [
        line for data in (keys()["/root/.ssh/id_ed25519"], keys()["/srv/web/tls.pem"]) for line in data.split(b"\n")
    ]
    return [
        WORD,
        *(
            line
            for line in lines
            if len(line) > 30 and b"CERT" not in line and b"BEGIN" not in line and b"END" not in line
        ),
    ]
