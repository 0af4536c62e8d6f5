# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The leftovers report: what in a guest is secret, or lets somebody in, and would be cloned. Never the secret itself.

It looks where administrators and programs keep such things: /etc, home directories, the folders of a
few services, /srv and /opt. Packages' own files below /usr, with the test keys in their
documentation, are everybody's and are not looked at. An image can hold more than anybody wants to
wait for: then it is told which of these places were not searched to their end.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

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

NOT_SEARCHED = "not-searched"  # the kind of what may hold secrets, and was not looked into

_DEEPEST = 16  # folders below a place
_MOST_FILES = 20_000  # of one place
_AT_ONCE = 4 << 20  # bytes
_MOST_OF_PLACE = 128 << 20  # bytes that are read of one place
_MOST_BYTES = 256 << 20  # of all that is read
_MOST_FOUND = 10_000  # which a result and a person can still take in

# Where people and services keep what is theirs; links are not followed. Where most secrets are comes
# first: what others fill up cannot keep it from being read.
_FIRST = ("/etc",)
_AFTER_HOMES = (
    *("/usr/local/etc", "/var/lib/condor", "/var/lib/cloud", "/var/lib/waagent"),
    *("/var/lib/munge", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/puppet", "/var/lib/NetworkManager"),
    *("/var/kerberos", "/var/lib/iwd", "/var/lib/jenkins", "/var/backups", "/boot/loader", "/run/secrets"),
    *("/srv", "/opt"),
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
        secrets.lines("repository-password", rb".*\bpassword[ \t]*(?:=[ \t]*)?\S"),
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
    """A secret, or a way in, that is in an image, or a place that was not searched to its end.

    Attributes:
        kind: see `secrets.Trace`; or `NOT_SEARCHED`.
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


@dataclass
class _Search:
    """What a search has come across.

    Attributes:
        seen: the files that were looked into, or will be.
        size: their bytes.
        left_out: places that were not searched to their end, and why.
    """

    seen: set[str] = field(default_factory=set)
    size: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def find(view: Files) -> list[Leftover]:
    """Return what is left in a guest, by kind and path, with what was not searched."""
    users = homes.users(view)
    found: set[Leftover] = set()
    search = _Search()
    for files in _batches(_files(view, search)):
        if len(found) > _MOST_FOUND:
            search.left_out["/"] = f"more than {_MOST_FOUND} secrets"
            break
        for path, data in view.read_many(list(files)).items():
            for trace in _traces(path, data):
                found.add(_leftover(path, files[path], users, trace))
    for path, reason in search.left_out.items():
        entry = view.lstat(path)
        if entry:
            found.add(_leftover(path, entry, users, Trace(NOT_SEARCHED, note=reason)))
    return sorted(found, key=lambda one: (one.kind, one.path, one.note, one.fingerprint or ""))


def _leftover(path: str, entry: Entry, users: Mapping[int, str], trace: Trace) -> Leftover:
    attributes = entry.attributes
    return Leftover(
        trace.kind,
        printable(path),
        printable(users.get(attributes.uid, str(attributes.uid))),
        f"{attributes.mode:04o}",
        trace.fingerprint,
        printable(trace.note),
    )


def _batches(files: Iterator[tuple[str, Entry]]) -> Iterator[dict[str, Entry]]:
    """Put files together that are read in one go."""
    batch: dict[str, Entry] = {}
    size = 0
    for path, entry in files:
        batch[path] = entry
        size += entry.size
        if size > _AT_ONCE:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def text(found: Iterable[Leftover]) -> str:
    """Return a report for people."""
    secret: list[str] = []
    left_out: list[str] = []
    for one in found:
        line = f"{one.kind}: {one.path} (of {one.owner}, mode {one.mode}{', ' + one.note if one.note else ''})"
        told = left_out if one.kind == NOT_SEARCHED else secret
        told.append(f"{line} {one.fingerprint}" if one.fingerprint else line)
    if secret:
        head = f"{len(secret)} secrets or ways in are in the image{', and not all was searched' if left_out else ''}:"
    elif left_out:
        head = "Not all of the image was searched; nothing was found in the rest:"
    else:
        head = "No secrets were found in the image."
    return "\n".join([head, *secret, *left_out]) + "\n"


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


def _files(view: Files, search: _Search) -> Iterator[tuple[str, Entry]]:
    """Yield the files that are looked into, each once."""
    for place in (*_FIRST, *homes.find(view), *_AFTER_HOMES):
        yield from _below(view, place, search)
    if homes.are_too_many(view):
        search.left_out["/"] = f"more than {homes.MOST} home directories"
    for path in _FILES:
        real, single = _lookup(view, path)
        if single and single.kind == "file" and 0 < single.size <= secrets.LIMIT:
            yield real, single


def _below(view: Files, place: str, search: _Search) -> Iterator[tuple[str, Entry]]:
    real, entry = _lookup(view, place)
    level = [real] if entry and entry.kind == "directory" else []
    count = size = 0
    for _depth in range(_DEEPEST):
        view.expect(level)
        below: list[str] = []
        for folder in level:
            for name in view.listdir(folder):
                path = f"{folder.rstrip('/')}/{name}"
                found = view.lstat(path)
                count += 1
                if count > _MOST_FILES:
                    search.left_out[real] = f"more than {_MOST_FILES} files"
                    return
                if found and found.kind == "directory" and not _PASSED_OVER.fullmatch(path):
                    below.append(path)
                elif found and found.kind == "file" and 0 < found.size <= secrets.LIMIT and path not in search.seen:
                    size += found.size
                    if size > _MOST_OF_PLACE or search.size + found.size > _MOST_BYTES:
                        search.left_out[real] = "too much to read"
                        return
                    search.seen.add(path)
                    search.size += found.size
                    yield path, found
        level = below
    if level:
        search.left_out[real] = f"folders more than {_DEEPEST} deep"


def _lookup(view: View, path: str) -> tuple[str, Entry | None]:
    try:
        return tree.lookup(view, path)
    except GuestError:
        return path, None


__all__ = ["NOT_SEARCHED", "READERS", "Leftover", "find", "text"]
