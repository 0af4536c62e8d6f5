# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Recognises secrets in the content of files. What is returned never holds a secret, nor anything to guess one by.

A fingerprint is what is public of a key, or a digest of what has too much randomness to be
guessed: never of a password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LIMIT = 128 << 10  # bytes: files with secrets are small
_LONGEST = 16 << 10  # bytes of a private key


@dataclass(frozen=True)
class Trace:
    """A secret that was recognised.

    Attributes:
        fingerprint: tells it from others; None where that would help to guess it.
        note: what may be said of it.
    """

    kind: str
    fingerprint: str | None = None
    note: str = ""


_PEM = re.compile(rb"-----BEGIN ((?:RSA |DSA |EC |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?)-----")
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_PUBLIC_KEY = re.compile(
    rb"(?<![\w@.-])(?:ssh-[\w-]+|ecdsa-sha2-[\w-]+|sk-[\w@.-]+) +([A-Za-z0-9+/]{40,}={0,2})(?:[ \t]+(.*))?"
)

# Tokens that are known by their form, which their makers document for scanners; each with how it
# begins: an expression that begins with letters is searched much quicker than the form, and than word by word.
# Files are a stranger's: no form, here or below, may take longer than in proportion to what it is searched in.
_TOKENS = (
    ("json-web-token", re.compile(rb"eyJ"), re.compile(rb"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")),
    (
        "github-token",
        re.compile(rb"gh[pousr]_|github_pat_"),
        re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})"),
    ),
    (
        "gitlab-token",
        re.compile(rb"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-"),
        re.compile(rb"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20,}"),
    ),
    ("vault-token", re.compile(rb"hv[sbr]\."), re.compile(rb"\bhv[sbr]\.[\w-]{24,}")),
    ("slack-token", re.compile(rb"xox[abprs]-"), re.compile(rb"\bxox[abprs]-[\w-]{10,}")),
    ("npm-token", re.compile(rb"npm_"), re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b")),
    ("pypi-token", re.compile(rb"pypi-"), re.compile(rb"\bpypi-[\w-]{50,}")),
)
# Settings that are known by their name, wherever they stand; each with words of which it has one.
_SETTINGS = (
    (
        Trace("aws-credentials"),
        (b"secret_access_key", b"SECRET_ACCESS_KEY"),
        re.compile(rb"(?i)aws_secret_access_key\b\W{1,8}[A-Za-z0-9/+]{30,}"),
    ),
    (
        Trace("openstack-credentials"),
        (b"OS_",),
        re.compile(
            rb"(?m)^[ \t]*(?:export[ \t]+)?OS_(?:PASSWORD|APPLICATION_CREDENTIAL_SECRET|TOKEN)"
            rb"[ \t]*=[ \t]*[\"']?[^\s\"'$#]"
        ),
    ),
    (Trace("password", note="in a URL"), (b"://",), re.compile(rb"://[^\s:/@<>$]+:[^\s:/@<>$]+@")),
)

# Hashes of passwords (man 5 crypt); a locked one may have marks before it.
_HASH = re.compile(r"(!*)(\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|md5)\$[^:]{8,}|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13})")
_METHODS = {
    "1": "md5",
    "2": "bcrypt",
    "5": "sha256",
    "6": "sha512",
    "7": "scrypt",
    "y": "yescrypt",
    "g": "gost-yescrypt",
}


def in_text(data: bytes) -> Iterator[Trace]:
    """Yield what is recognised by its form, wherever it stands."""
    yield from private_keys(data)
    for kind, beginning, form in _TOKENS:
        if beginning.search(data):
            yield from (Trace(kind, _digest(token)) for token in sorted(set(form.findall(data))))
    for trace, names, setting in _SETTINGS:
        if any(name in data for name in names) and setting.search(data):
            yield trace


def private_keys(data: bytes) -> Iterator[Trace]:
    """Yield private keys: PEM, OpenSSH's and PGP's, PuTTY's, and those of WireGuard and of age."""
    for kind, body in _pem_blocks(data):
        yield _openssh(body) if kind.startswith(b"OPENSSH") else _pem(kind, body)
    if data.startswith(b"PuTTY-User-Key-File-"):
        yield Trace("private-key", note="PuTTY")
    if b"PrivateKey" in data and re.search(rb"(?m)^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=", data):
        yield Trace("private-key", note="WireGuard")
    if b"AGE-SECRET" in data and re.search(rb"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}", data):
        yield Trace("private-key", note="age")


def _pem_blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of what stands between a beginning and the end of its kind, without another beginning."""
    beginnings = list(_PEM.finditer(data)) if b"PRIVATE KEY" in data else []
    bounds = [*(match.start() for match in beginnings[1:]), len(data)]
    for match, bound in zip(beginnings, bounds):
        kind = match.group(1)
        end = data.find(b"-----END " + kind, match.end(), bound)
        if end >= 0:
            yield kind, data[match.end() : end][:_LONGEST]


def _pem(kind: bytes, body: bytes) -> Trace:
    encrypted = kind.startswith(b"ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in body
    name = kind.decode("ascii").replace(" PRIVATE KEY", "").replace("PRIVATE KEY", "PKCS#8").replace(" BLOCK", "")
    content = re.sub(rb"(?m)^[\w-]+:.*$|\s", b"", body)
    return Trace("private-key", _digest(content), f"{name}{_with_passphrase(encrypted)}")


def _openssh(body: bytes) -> Trace:
    """Return a key in OpenSSH's own format, which has the public key in clear (OpenSSH, PROTOCOL.key)."""
    try:
        blob = base64.b64decode(re.sub(rb"\s", b"", body), validate=True)
        if not blob.startswith(_OPENSSH_MAGIC):
            raise ValueError
        cipher, rest = _string(blob[len(_OPENSSH_MAGIC) :])
        _kdf, rest = _string(rest)
        _options, rest = _string(rest)
        public, _rest = _string(rest[4:])
    except (ValueError, struct.error, binascii.Error):
        return Trace("private-key", note="OpenSSH, damaged")
    return Trace("private-key", ssh_fingerprint(public), f"OpenSSH{_with_passphrase(cipher != b'none')}")


def _string(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from(">I", data)
    if length > len(data) - 4:
        raise ValueError
    return data[4 : 4 + length], data[4 + length :]


def _with_passphrase(encrypted: bool) -> str:
    return ", with a passphrase" if encrypted else ", without a passphrase"


def ssh_fingerprint(public: bytes) -> str:
    """Return the fingerprint of a public key as ssh-keygen -l shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def authorized_keys(data: bytes) -> Iterator[Trace]:
    """Yield the public keys that may log in."""
    for line in data.split(b"\n"):
        match = _PUBLIC_KEY.search(line)
        if match and not line.lstrip().startswith(b"#"):
            try:
                blob = base64.b64decode(match.group(1))
            except ValueError:
                continue
            comment = (match.group(2) or b"").decode("utf-8", "replace").strip()[:100]
            yield Trace("authorized-key", ssh_fingerprint(blob), comment)


def password_hashes(data: bytes) -> Iterator[Trace]:
    """Yield the password hashes of a passwd, shadow or gshadow file, and passwords that are empty."""
    for line in data.decode("utf-8", "replace").splitlines():
        name, *fields = line.split(":")
        if not fields or not name:
            continue
        match = _HASH.fullmatch(fields[0])
        if match:
            locked = " (locked)" if match.group(1) else ""
            yield Trace("password-hash", note=f"{name[:64]}: {_method(match.group(2))}{locked}")


def empty_passwords(data: bytes) -> Iterator[Trace]:
    """Yield the users of a shadow file who need no password."""
    for line in data.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) >= 8 and fields[0] and not fields[1]:
            yield Trace("empty-password", note=fields[0][:64])


def _method(text: str) -> str:
    return _METHODS.get(text[1], "crypt") if text.startswith("$") else "des"


def keytab(data: bytes) -> Iterator[Trace]:
    """Yield a Kerberos keytab (MIT krb5, "Keytab file format") that has something in it."""
    if data[:1] == b"\x05" and data[1:2] in (b"\x01", b"\x02") and len(data) > 2:
        yield Trace("kerberos-keytab", _digest(data))


def ticket_cache(data: bytes) -> Iterator[Trace]:
    """Yield a cache of Kerberos tickets."""
    if data[:2] in (b"\x05\x03", b"\x05\x04"):
        yield Trace("kerberos-tickets", _digest(data))


def key_file(kind: str) -> Callable[[bytes], Iterator[Trace]]:
    """Return what recognises a file whose whole content is random key material, whatever it is."""
    return lambda data: iter([Trace(kind, _digest(data))] if data.strip() else [])


def secret_file(kind: str) -> Callable[[bytes], Iterator[Trace]]:
    """Return what recognises a file whose content is a secret that a person may have chosen."""
    return lambda data: iter([Trace(kind)] if data.strip() else [])


def lines(kind: str, pattern: bytes) -> Callable[[bytes], Iterator[Trace]]:
    """Return what recognises a file of settings by one that is secret; comments do not count."""
    compiled = re.compile(rb"(?mi)^(?![ \t]*[#;])" + pattern)
    return lambda data: iter([Trace(kind)] if compiled.search(data) else [])


def container_auth(data: bytes) -> Iterator[Trace]:
    """Yield the logins of docker or podman at registries."""
    auths = _json(data).get("auths")
    for registry, login in (auths if isinstance(auths, dict) else {}).items():
        if isinstance(login, dict) and any(login.get(key) for key in ("auth", "identitytoken", "password")):
            yield Trace("container-registry-login", note=str(registry)[:100])


def google_credentials(data: bytes) -> Iterator[Trace]:
    """Yield the key of a service account, or a user's, at Google Cloud."""
    found = _json(data)
    if found.get("private_key") or found.get("refresh_token"):
        yield Trace("google-credentials", note=str(found.get("client_email") or found.get("type") or "")[:100])


def azure_credentials(data: bytes) -> Iterator[Trace]:
    """Yield what the Azure command line has stored."""
    if re.search(rb'(?i)"?(?:refresh_?token|access_?token|client_secret|secret)"?\s*[:=]\s*["\']?[^\s"\']', data):
        yield Trace("azure-credentials")


def _json(data: bytes) -> dict[str, t.Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()[:16]


__all__ = [
    "LIMIT",
    "Trace",
    "authorized_keys",
    "azure_credentials",
    "container_auth",
    "empty_passwords",
    "google_credentials",
    "in_text",
    "key_file",
    "keytab",
    "lines",
    "password_hashes",
    "private_keys",
    "secret_file",
    "ssh_fingerprint",
    "ticket_cache",
]
