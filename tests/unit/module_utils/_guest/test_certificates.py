"""Certificates that openssl makes, in the places of each family."""

from __future__ import annotations

import base64
import subprocess
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import certificates, der
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

SUBJECTS = [
    "/CN=Site CA",
    "/C=US/O=Clemson  University/OU= HTC /CN=Ünïcode Root É/emailAddress=CA@Example.ORG",
    "/DC=org/DC=grid/CN=Multi+O=Valued",
]


def _make(folder: Path, subject: str) -> str:
    command = [*("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")]
    command += ["-keyout", str(folder / "key"), "-subj", subject, "-utf8", "-multivalue-rdn", "-days", "9"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=SUBJECTS)
def pem(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _make(tmp_path_factory.mktemp("ca"), request.param)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    return certificates.certificate(_make(tmp_path_factory.mktemp("ca"), "/CN=Other"))


FAMILIES = {
    "el": ("/etc/pki/ca-trust/source/anchors", "pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    "suse": ("/etc/pki/trust/anchors", "pem", "/var/lib/ca-certificates/ca-bundle.pem"),
    "arch": ("/etc/ca-certificates/trust-source/anchors", "crt", "/etc/ca-certificates/extracted/tls-ca-bundle.pem"),
    "debian": ("/usr/local/share/ca-certificates", "crt", "/etc/ssl/certs/ca-certificates.crt"),
    "el5": ("/etc/pki/tls/certs", "pem", "/etc/pki/tls/certs/ca-bundle.crt"),
}


def _guest(family: str, bundle: str) -> MemoryTree:
    anchors, _suffix, path = FAMILIES[family]
    files: dict[str, t.Any] = {anchors: None, path: bundle}
    if family == "debian":
        files |= {"/usr/sbin/update-ca-certificates": "", "/etc/ssl/certs/0123abcd.0": ("->", "x.pem")}
    return MemoryTree(files)


def _do(guest: MemoryTree, what: Callable[..., None], *arguments: str) -> int:
    plan = Plan(guest)
    what(plan, *arguments)
    count = len(plan.changes())
    plan.apply()
    return count


@pytest.mark.parametrize("family", FAMILIES)
def test_a_certificate_is_trusted_and_no_longer(family: str, pem: str, other: str) -> None:
    guest = _guest(family, other)
    anchors, suffix, bundle = FAMILIES[family]
    before = dict(guest.nodes)
    assert _do(guest, certificates.trust, "site", pem)
    assert guest.text(f"{anchors}/site.{suffix}") == certificates.certificate(pem)
    assert guest.text(bundle) == other + certificates.certificate(pem)
    assert _do(guest, certificates.trust, "site", pem) == 0
    assert _do(guest, certificates.distrust, "site")
    assert guest.nodes == before
    assert _do(guest, certificates.distrust, "site") == 0


def test_another_certificate_takes_the_place_of_the_old_one(pem: str, other: str) -> None:
    guest = _guest("debian", "# no end")
    _do(guest, certificates.trust, "site", pem)
    _do(guest, certificates.trust, "site", other)
    assert guest.text(FAMILIES["debian"][2]) == f"# no end\n{other}"
    links = [path for path, (entry, *_rest) in guest.nodes.items() if entry.kind == "symlink"]
    assert sorted(links) == sorted(
        ["/etc/ssl/certs/0123abcd.0", f"/etc/ssl/certs/{certificates.subject_hash(other)}.0"]
    )


def test_the_name_by_hash_is_that_of_openssl(pem: str) -> None:
    """By it, programs of the guest find the certificate: openssl itself shows it."""
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-hash"], input=pem, capture_output=True, text=True, check=True
    )
    assert certificates.subject_hash(certificates.certificate(pem)) == shown.stdout.strip()


def test_what_the_guest_must_do_itself_is_said(pem: str) -> None:
    plan = Plan(_guest("el", ""))
    certificates.trust(plan, "site", pem)
    assert "when the guest runs update-ca-trust" in plan.notes[0]


def test_bad_certificates_are_refused(pem: str, other: str) -> None:
    guest = _guest("el", "")
    broken = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"
    cut = base64.b64decode("".join(other.split("\n")[1:-2]))
    nameless = base64.b64encode(cut.replace(b"\x0c\x05Other", b"\x0c\x05\xff\xff\xff\xff\xff")).decode()
    no_text = f"-----BEGIN CERTIFICATE-----\n{nameless}\n-----END CERTIFICATE-----\n"
    for text in ("", "x", pem + other, f"-----BEGIN PRIVATE KEY-----\n{pem}", broken, no_text):
        with pytest.raises(InputError):
            _do(guest, certificates.trust, "site", text)
    with pytest.raises(InputError, match="cannot be the name"):
        _do(guest, certificates.trust, "../site", pem)
    with pytest.raises(GuestError, match="no place for certificates"):
        _do(MemoryTree(), certificates.trust, "site", pem)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"\x30\x20\x30\x1e" + data))
def test_any_bytes_are_a_certificate_or_refused(data: bytes) -> None:
    try:
        der.canonical_name(der.subject(data))
    except ValueError:
        return


@given(st.text(st.sampled_from("-BEGIN CERTIFICATE\nAQ==/x"), max_size=120))
def test_any_text_is_a_certificate_or_refused(text: str) -> None:
    try:
        certificates.certificate(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    except ImageError:
        return
