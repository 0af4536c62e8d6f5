# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Certificates of authorities that the guest trusts, put where each family keeps them.

The guest's own program (update-ca-certificates, update-ca-trust, trust) is not run: a
certificate becomes an anchor, so that every later run of that program includes it, and
is appended to the bundle that TLS libraries read until then. Where they look up
certificates by the hash of their subject instead, it gets that name, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import textwrap
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import der, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

_PEM = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s+([A-Za-z0-9+/=][A-Za-z0-9+/=\s]*)-----END")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_HASH_LIMIT = 16  # names of one hash: more are no accident


@dataclass(frozen=True)
class Store:
    """Where a family keeps what it trusts.

    Attributes:
        sign: the path that tells the family.
        anchors: the folder for certificates of the site.
        suffix: what the names there must end with.
        bundles: files that hold all certificates, one after another.
        hashed: the folder in which certificates have names by their subject's hash.
        program: what makes all this anew in the guest.
    """

    sign: str
    anchors: str
    suffix: str
    bundles: tuple[str, ...]
    hashed: str | None
    program: str


# The first whose sign is there. SUSE and Arch have a ca-certificates folder, too.
_STORES = (
    Store(
        "/etc/pki/ca-trust/source",
        "/etc/pki/ca-trust/source/anchors",
        ".pem",
        ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",),
        "/etc/pki/ca-trust/extracted/pem/directory-hash",
        "update-ca-trust",
    ),
    Store(
        "/etc/pki/trust",
        "/etc/pki/trust/anchors",
        ".pem",
        ("/var/lib/ca-certificates/ca-bundle.pem",),
        "/etc/ssl/certs",
        "update-ca-certificates",
    ),
    Store(
        "/etc/ca-certificates/trust-source",
        "/etc/ca-certificates/trust-source/anchors",
        ".crt",
        ("/etc/ca-certificates/extracted/tls-ca-bundle.pem",),
        "/etc/ssl/certs",
        "update-ca-trust",
    ),
    Store(
        "/usr/sbin/update-ca-certificates",
        "/usr/local/share/ca-certificates",
        ".crt",
        ("/etc/ssl/certs/ca-certificates.crt",),
        "/etc/ssl/certs",
        "update-ca-certificates",
    ),
    # EL 5 and 6 have no anchors: the bundle is all there is.
    Store(
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/tls/certs",
        ".pem",
        ("/etc/pki/tls/certs/ca-bundle.crt",),
        None,
        "",
    ),
)


def trust(plan: Plan, name: str, pem: str) -> None:
    """Let the guest trust a certificate.

    Args:
        name: of the file that holds it, without a suffix.
        pem: one certificate.

    Raises:
        InputError: it is no certificate, or the name cannot be.
        GuestError: the guest has no place for certificates.
    """
    store = _store(plan, name)
    body = certificate(pem)
    anchor = f"{store.anchors}/{name}{store.suffix}"
    before = tree.read_text(plan, anchor)
    if before is not None and before != body:
        distrust(plan, name)
    plan.write_text(anchor, body)
    for bundle in store.bundles:
        text = tree.read_text(plan, bundle)
        if text is not None and _key(body) not in _keys(text):
            plan.write_text(bundle, f"{text.rstrip()}\n{body}" if text.strip() else body)
    _link_by_hash(plan, store, anchor, body)
    if before != body:
        plan.note(_note(store, name))


def distrust(plan: Plan, name: str) -> None:
    """Take back `trust`."""
    store = _store(plan, name)
    anchor = f"{store.anchors}/{name}{store.suffix}"
    body = tree.read_text(plan, anchor)
    if body is None:
        return
    key = next(iter(_keys(body)), None)
    for bundle in store.bundles:
        text = tree.read_text(plan, bundle)
        if text is not None and key is not None:
            plan.write_text(bundle, _without(text, key))
    for link in _hash_links(plan, store, anchor):
        plan.remove(link)
    plan.remove(anchor)


def certificate(pem: str) -> str:
    """Return one certificate in PEM, made anew: without comments, in lines of 64.

    Raises:
        InputError: it is none, or there are several, or it comes with a private key.
    """
    if "PRIVATE KEY" in pem:
        raise InputError("there is a private key beside the certificate", hint="give the certificate alone")
    found = _PEM.findall(pem)
    if len(found) != 1:
        raise InputError(f"there are {len(found)} certificates in it", hint="give one certificate in PEM an edit")
    try:
        data = base64.b64decode("".join(found[0].split()), validate=True)
        der.canonical_name(der.subject(data))
    except (binascii.Error, ValueError) as error:
        raise InputError("it is not an X.509 certificate in PEM") from error
    lines = "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def subject_hash(body: str) -> str:
    """Return the name by which OpenSSL 1.0 and later looks a certificate up (X509_NAME_hash)."""
    digest = hashlib.sha1(der.canonical_name(der.subject(_key(body))), usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _store(plan: Plan, name: str) -> Store:
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a certificate's file", hint="use letters, digits and dashes")
    for store in _STORES:
        if tree.exists(plan, store.sign):
            return store
    raise GuestError("the guest has no place for certificates", hint="install its package ca-certificates")


def _note(store: Store, name: str) -> str:
    if not store.program:
        return f"the certificate {name} is in the bundle alone, which an update of the guest's package replaces"
    return f"the certificate {name} is in the bundle; Java's and others follow when the guest runs {store.program}"


def _link_by_hash(plan: Plan, store: Store, anchor: str, body: str) -> None:
    if store.hashed is None or not tree.names_in(plan, store.hashed) or _hash_links(plan, store, anchor):
        return
    name = subject_hash(body)
    names = tree.names_in(plan, store.hashed)
    number = next((number for number in range(_HASH_LIMIT) if f"{name}.{number}" not in names), None)
    if number is None:
        raise GuestError(f"there are {_HASH_LIMIT} certificates of the same hash", where=f"{store.hashed}/{name}.0")
    plan.symlink(f"{store.hashed}/{name}.{number}", anchor)


def _hash_links(plan: Plan, store: Store, anchor: str) -> list[str]:
    """Return the names by a hash that lead to an anchor of ours."""
    links = []
    for name in tree.names_in(plan, store.hashed) if store.hashed else ():
        if re.fullmatch(r"[0-9a-f]{8}\.\d{1,2}", name):
            real = tree.resolve(plan, f"{store.hashed}/{name}", follow=False)
            entry = plan.lstat(real)
            if entry and entry.kind == "symlink" and plan.readlink(real) == anchor:
                links.append(real)
    return links


def _key(body: str) -> bytes:
    return base64.b64decode("".join(_PEM.findall(body)[0].split()))


def _keys(text: str) -> set[bytes]:
    """Return all certificates of a bundle."""
    return set(filter(None, map(_decoded, _PEM.findall(text))))


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode("".join(encoded.split()))
    except binascii.Error:
        return b""  # what somebody broke is left as it is


def _without(text: str, key: bytes) -> str:
    def keep(match: re.Match[str]) -> str:
        return "" if _keys(match.group()) == {key} else match.group()

    return re.sub(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+?-----END CERTIFICATE-----\n", keep, text)


__all__ = ["certificate", "distrust", "subject_hash", "trust"]
