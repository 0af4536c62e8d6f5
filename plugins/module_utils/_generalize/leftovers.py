# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The leftovers report: what in a guest is secret, or lets somebody in, and would be cloned. Never the secret itself.

It looks where administrators and programs keep such things: /etc, home directories, /opt, /srv and
the folders of a few services. Packages' own files below /usr, with the test keys in their
documentation, are everybody's and are not looked at.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, printable
from ansible_collections.voc.cluster.plugins.module_utils._generalize import homes, secrets
from ansible_collections.voc.cluster.plugins.module_utils._generalize.secrets import Trace
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Entry, View


class Files(View, t.Protocol):
    """A view that can be told beforehand what will be looked at."""

    def expect(self, folders: Collection[str]) -> None:
        """See `GuestTree`."""

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `GuestTree`."""


Reader = Callable[[bytes], Iterator[Trace]]

_DEEPEST = 6
_MOST_FILES = 20_000  # of one place
_AT_ONCE = 4 << 20  # bytes
_MOST_BYTES = 256 << 20  # of all that is read

# Where people and services keep what is theirs; links are not followed.
_PLACES = (
    *("/etc", "/opt", "/srv", "/usr/local/etc", "/var/lib/condor", "/var/lib/cloud", "/var/lib/waagent"),
    *("/var/lib/munge", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/puppet", "/var/lib/NetworkManager"),
    *("/var/kerberos", "/var/lib/iwd", "/var/lib/jenkins", "/var/backups", "/boot/loader", "/run/secrets"),
)
_FILES = ("/var/lib/systemd/credential.secret", "/var/lib/samba/private/secrets.tdb")

# Folders that are large and hold no secret of their own.
_PASSED_OVER = re.compile(
    r".*/(?:node_modules|site-packages|\.git/objects|\.cache|__pycache__|ca-trust/extracted|alternatives|"
    r"apparmor\.d|selinux|terminfo|fonts)"
)

_VPN_SECRET = rb"[ \t]*(?:[\w.-]*(?:psk|password|secret|passphrase)|wep-key\d|pin|leap-password)[ \t]*=[ \t]*[^\s\"$]"

# By the path: what is read in a file besides what is known by its form.
READERS: tuple[tuple[str, Reader], ...] = (
    (r"/etc/(?:shadow|gshadow|passwd)[-~]?|/var/backups/(?:shadow|gshadow|passwd)\.bak", secrets.password_hashes),
    (r"/etc/shadow", secrets.empty_passwords),
    (r".*/\.ssh/authorized_keys2?|/etc/ssh/authorized_keys(?:\.d)?/.*", secrets.authorized_keys),
    (r"/etc/(?:munge/munge\.key)|/var/lib/munge/munge\.key", secrets.key_file("munge-key")),
    (r".*(?:\.keytab|/keytab)", secrets.keytab),
    (r".*/krb5cc.*", secrets.ticket_cache),
    (r".*/condor/passwords\.d/.*|.*/condor/pool_password", secrets.secret_file("condor-pool-password")),
    (r".*/condor/(?:oauth_credentials|krb_credentials|cred_dir)/.*", secrets.secret_file("condor-credential")),
    (r".*/\.vault-token", secrets.key_file("vault-token")),
    (r".*/[._]?netrc|.*/_netrc", secrets.lines("netrc", rb".*\bpassword\s+\S")),
    (r".*/\.pgpass|.*/pgpass\.conf", secrets.lines("pgpass", rb"(?:[^:\n]*:){4}[^\n]+")),
    (
        r".*/\.docker/config\.json|.*/containers/auth\.json|.*/\.dockercfg|/var/lib/kubelet/config\.json",
        secrets.container_auth,
    ),
    (
        r".*/\.kube/(?:config|.*\.conf|.*\.ya?ml)|/etc/kubernetes/.*\.conf|/etc/rancher/.*\.yaml|.*kubeconfig.*",
        secrets.lines(
            "kubeconfig", rb"[ \t-]*(?:client-key-data|token|password|id-token|refresh-token)[ \t]*:[ \t]*\S"
        ),
    ),
    (
        r".*/\.my\.cnf|/etc/mysql/debian\.cnf|/root/\.mylogin\.cnf",
        secrets.lines("mysql-password", rb"[ \t]*password[ \t]*=[ \t]*\S"),
    ),
    (r".*/\.git-credentials", secrets.secret_file("git-credentials")),
    (r".*/\.npmrc", secrets.lines("npm-token", rb".*_(?:authToken|auth|password)[ \t]*=[ \t]*[^\s$]")),
    (r".*/\.pypirc", secrets.lines("pypi-token", rb"[ \t]*password[ \t]*[=:][ \t]*\S")),
    (
        r".*/\.(?:smb|cifs)?credentials|.*/(?:smb|cifs)\.?cred(?:ential)?s?",
        secrets.lines("smb-password", rb"[ \t]*password[ \t]*=[ \t]*\S"),
    ),
    (r".*/rclone\.conf", secrets.lines("rclone", rb"[ \t]*(?:pass|token|secret_access_key)[ \t]*=[ \t]*\S")),
    (r".*/gh/hosts\.yml", secrets.lines("github-token", rb"[ \t]*oauth_token:[ \t]*\S")),
    (
        r".*/clouds?\.ya?ml|.*/secure\.ya?ml",
        secrets.lines(
            "openstack-credentials", rb"[ \t-]*(?:password|application_credential_secret|token)[ \t]*:[ \t]*\S"
        ),
    ),
    (r".*/(?:gcloud/.*|[^/]*\.json|\.boto)", secrets.google_credentials),
    (r".*/\.azure/.*", secrets.azure_credentials),
    (r".*/gcloud/(?:credentials|access_tokens)\.db", secrets.secret_file("google-credentials")),
    (r"/var/lib/waagent/.*\.prv", secrets.secret_file("azure-credentials")),
    (r"/etc/NetworkManager/system-connections/.*|/var/lib/iwd/.*", secrets.lines("network-secret", _VPN_SECRET)),
    (
        r"/etc/wpa_supplicant/.*|/etc/wpa_supplicant\.conf",
        secrets.lines("network-secret", rb"[ \t]*(?:psk|password|wep_key\d|private_key_passwd)[ \t]*=[ \t]*\S"),
    ),
    (
        r"/etc/netplan/.*|/etc/hostapd/.*",
        secrets.lines(
            "network-secret", rb"[ \t-]*(?:password|wpa_passphrase|client-key-password)\"?[ \t]*[:=][ \t]*\S"
        ),
    ),
    (
        r"/etc/network/interfaces(?:\.d/.*)?",
        secrets.lines("network-secret", rb"[ \t]*(?:wpa-psk|wpa-password|wireless-key)[ \t]+\S"),
    ),
    (
        r"/etc/sysconfig/network(?:-scripts)?/keys-.*",
        secrets.lines("network-secret", rb"[ \t]*\w*(?:PSK|KEY\d?|PASSWORD)=\S"),
    ),
    (
        r"/etc/sysconfig/network/ifcfg-.*",
        secrets.lines("network-secret", rb"[ \t]*WIRELESS_(?:WPA_PSK|WPA_PASSWORD|KEY_\d)=[\"']?[^\s\"']"),
    ),
    (
        r"/etc/(?:ipsec|strongswan)[\w./-]*\.secrets",
        secrets.lines("network-secret", rb".*:[ \t]*(?:PSK|XAUTH|EAP|NTLM)\b"),
    ),
    (r"/etc/ppp/(?:chap|pap)-secrets", secrets.lines("network-secret", rb"[ \t]*\S+[ \t]+\S+[ \t]+\S")),
    (r"/etc/openvpn/.*(?:\.key|auth.*|pass.*)", secrets.secret_file("network-secret")),
    (r"/etc/iscsi/iscsid\.conf", secrets.lines("iscsi-password", rb"[ \t]*[\w.]+\.password(?:_in)?[ \t]*=[ \t]*\S")),
    (
        r"/etc/zypp/credentials\.d/.*|/etc/apt/auth\.conf(?:\.d/.*)?",
        secrets.lines("repository-password", rb".*\bpassword[ \t]*=?[ \t]*\S"),
    ),
    (r"/var/lib/systemd/credential\.secret", secrets.key_file("systemd-credential-secret")),
    (r"/var/lib/samba/private/secrets\.tdb", secrets.secret_file("samba-secrets")),
    (r".*/\.gnupg/(?:private-keys-v1\.d/.*|secring\.gpg)", secrets.key_file("private-key")),
)
_COMPILED = tuple((re.compile(pattern), reader) for pattern, reader in READERS)

# Some accounts of the system are said to be at home where programs lie. What is compiled there came from packages.
_PROGRAMS = re.compile(r"(?:/usr)?/s?bin/[^/]+")
_COMPILED_PROGRAM = b"\x7fELF"

_CONDOR_TOKENS = re.compile(r".*/\.?condor/tokens\.d/.*")
_SNAKEOIL = "/etc/ssl/private/ssl-cert-snakeoil.key"


@dataclass(frozen=True)
class Leftover:
    """A secret, or a way in, that is in an image.

    Attributes:
        path: made printable.
        owner: a user's name, or a number where there is no such user.
        fingerprint, note: see `secrets.Trace`.
    """

    kind: str
    path: str
    owner: str
    mode: str
    fingerprint: str | None = None
    note: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as data for a result."""
        return asdict(self)


def find(view: Files) -> list[Leftover]:
    """Return what is left in a guest, by kind and path."""
    users = homes.users(view)
    found: set[Leftover] = set()
    for files in _batches(_files(view)):
        for path, data in view.read_many(list(files)).items():
            attributes = files[path].attributes
            place = (
                printable(path),
                printable(users.get(attributes.uid, str(attributes.uid))),
                f"{attributes.mode:04o}",
            )
            for trace in _traces(path, data):
                found.add(Leftover(trace.kind, *place, trace.fingerprint, printable(trace.note)))
    return sorted(found, key=lambda one: (one.kind, one.path, one.note, one.fingerprint or ""))


def _batches(files: Iterator[tuple[str, Entry]]) -> Iterator[dict[str, Entry]]:
    """Put files together that are read in one go, until too much was read of all."""
    batch: dict[str, Entry] = {}
    size = total = 0
    for path, entry in files:
        total += entry.size
        if total > _MOST_BYTES:
            break
        batch[path] = entry
        size += entry.size
        if size > _AT_ONCE:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def text(found: Iterable[Leftover]) -> str:
    """Return a report for people."""
    lines = [
        f"{one.kind}: {one.path} (of {one.owner}, mode {one.mode}{', ' + one.note if one.note else ''})"
        + (f" {one.fingerprint}" if one.fingerprint else "")
        for one in found
    ]
    head = f"{len(lines)} secrets or ways in are in the image:" if lines else "No secrets were found in the image."
    return "\n".join([head, *lines]) + "\n"


def _traces(path: str, data: bytes) -> Iterator[Trace]:
    if data.startswith(_COMPILED_PROGRAM) and _PROGRAMS.fullmatch(path):
        return
    for trace in secrets.in_text(data):
        yield _placed(trace, path)
    for pattern, reader in _COMPILED:
        if pattern.fullmatch(path):
            yield from reader(data)


def _placed(trace: Trace, path: str) -> Trace:
    """Return what is told of a secret when it is known where it lies."""
    if path == _SNAKEOIL:  # it is real, but nobody should trust it
        return replace(trace, kind="snakeoil-key", note="made by the package ssl-cert for tests")
    if trace.kind == "json-web-token" and _CONDOR_TOKENS.fullmatch(path):
        return replace(trace, kind="condor-token")
    return trace


def _files(view: Files) -> Iterator[tuple[str, Entry]]:
    """Yield the files that are looked into, each once."""
    seen: set[str] = set()
    for place in (*_PLACES, *homes.find(view)):
        for path, entry in _below(view, place):
            if path not in seen:
                seen.add(path)
                yield path, entry
    for path in _FILES:
        real, single = _lookup(view, path)
        if single and single.kind == "file" and 0 < single.size <= secrets.LIMIT:
            yield real, single


def _below(view: Files, place: str) -> Iterator[tuple[str, Entry]]:
    real, entry = _lookup(view, place)
    level = [real] if entry and entry.kind == "directory" else []
    count = 0
    for _depth in range(_DEEPEST):
        view.expect(level)
        below: list[str] = []
        for folder in level:
            for name in view.listdir(folder):
                path = f"{folder.rstrip('/')}/{name}"
                found = view.lstat(path)
                count += 1
                if count > _MOST_FILES:
                    return
                if found and found.kind == "directory" and not _PASSED_OVER.fullmatch(path):
                    below.append(path)
                elif found and found.kind == "file" and 0 < found.size <= secrets.LIMIT:
                    yield path, found
        level = below


def _lookup(view: View, path: str) -> tuple[str, Entry | None]:
    try:
        return tree.lookup(view, path)
    except GuestError:
        return path, None


__all__ = ["READERS", "Leftover", "find", "text"]
