from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _cpu_time
from ansible_collections.voc.cluster.plugins.module_utils._generalize import leftovers, secrets
from ansible_collections.voc.cluster.plugins.module_utils._generalize.secrets import Trace
from ansible_collections.voc.cluster.tests.unit.images import tool


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make keys by the real programs: ed25519 without and rsa with a passphrase, and PEM of each kind."""
    folder = tmp_path_factory.mktemp("keys")
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann@example.org", "-f", folder / "plain")
    tool("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "a phrase", "-f", folder / "locked")
    tool("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", folder / "old")
    tool("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "a phrase", "-f", folder / "old-locked")
    tool("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PKCS8", "-N", "", "-f", folder / "pkcs8")
    return folder


@pytest.mark.parametrize("name", ["plain", "locked"])
def test_a_key_of_openssh_has_the_fingerprint_that_ssh_keygen_shows(keys: Path, name: str) -> None:
    shown = tool("ssh-keygen", "-l", "-f", keys / f"{name}.pub").split()[1]
    (trace,) = secrets.in_text((keys / name).read_bytes())
    with_passphrase = "without" if name == "plain" else "with"
    assert trace == Trace("private-key", shown, f"OpenSSH, {with_passphrase} a passphrase")


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("old", "RSA, without a passphrase"),
        ("old-locked", "RSA, with a passphrase"),
        ("pkcs8", "PKCS#8, without a passphrase"),
    ],
)
def test_pem_keys_are_recognised_and_told_apart(keys: Path, name: str, note: str) -> None:
    (trace,) = secrets.in_text((keys / name).read_bytes())
    assert (trace.kind, trace.note) == ("private-key", note)
    assert list(secrets.in_text((keys / f"{name}.pub").read_bytes())) == []


def test_an_authorized_key_is_told_by_its_fingerprint_and_comment(keys: Path) -> None:
    line = (keys / "plain.pub").read_bytes()
    shown = tool("ssh-keygen", "-l", "-f", keys / "plain.pub").split()[1]
    data = b'# a comment\nfrom="10.0.0.0/8",no-pty ' + line + b"#" + line + b"ssh-rsa nonsense\n\xff\xfe\n"
    assert list(secrets.authorized_keys(data)) == [Trace("authorized-key", shown, "ann@example.org")]


def test_password_hashes_are_told_by_user_and_method_alone() -> None:
    lines = [
        "root:$6$salt$" + "h" * 86 + ":1:0:99999:7:::",
        "ann:!$y$j9T$salt$" + "h" * 43 + ":1::::::",
        "old:abcdefghijklm:1::::::",
        "md:$1$salt$" + "h" * 22 + ":1::::::",
        "locked:!*:1::::::",
        "none:*:1::::::",
        "star:!!:1::::::",
        "open::1:0:99999:7:::",
    ]
    traces = list(secrets.password_hashes("\n".join(lines).encode()))
    assert traces == [
        Trace("password-hash", None, note) for note in ("root: sha512", "ann: yescrypt (locked)", "old: des", "md: md5")
    ]
    assert list(secrets.empty_passwords("\n".join(lines).encode())) == [Trace("empty-password", None, "open")]


@pytest.mark.parametrize(
    "honest",
    [
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
        b"put the PRIVATE KEY there: -----BEGIN RSA PRIVATE KEY----- and no end\n",
        b"export OS_PASSWORD=$secret\nexport OS_USERNAME=ann\n#export OS_PASSWORD=x\n",
        b"http://example.org:8080/path and ftp://mirror.example/x mailto:a@b\n",
        b"# glpat- and ghp_ are how tokens begin; hvs. too\n",
        b"eyJhbGciOiJIUzI1NiJ9 alone\n",
    ],
)
def test_honest_text_is_none(honest: bytes) -> None:
    assert list(secrets.in_text(honest)) == []


TOKENS = {
    "json-web-token": rb"eyJ[\w-]{8}\.eyJ[\w-]{8}\.[\w-]{16}",
    "github-token": rb"gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22}",
    "gitlab-token": rb"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20}",
    "vault-token": rb"hv[sbr]\.[\w-]{24}",
    "slack-token": rb"xox[abprs]-[\w-]{10}",
    "npm-token": rb"npm_[A-Za-z0-9]{36}",
    "pypi-token": rb"pypi-[\w-]{50}",
}


@pytest.mark.parametrize("kind", TOKENS)
@given(data=st.data())
def test_a_token_of_every_form_is_found_wherever_it_stands(kind: str, data: st.DataObject) -> None:
    token = data.draw(st.from_regex(TOKENS[kind], fullmatch=True))
    # What begins like tokens and is none does not hide one that follows.
    before = data.draw(
        st.lists(st.sampled_from([b"gh", b"ghp", b"github", b"gl", b"glpat", b"hv", b"xo", b"ey", b"\xff"]))
    )
    text = b"".join(before) + b"\n" + token + b"\n" + b"".join(before)
    assert kind in {trace.kind for trace in secrets.in_text(text)}


READERS: list[Callable[[bytes], Iterator[Trace]]] = [
    secrets.in_text,
    *(reader for _pattern, reader in leftovers.READERS),
]
PIECES = st.sampled_from(
    [
        b"-----BEGIN OPENSSH PRIVATE KEY-----",
        b"-----END OPENSSH PRIVATE KEY-----",
        b"b3BlbnNzaC1rZXktdjEA",
        b"eyJhbGciOi.eyJhbGciOi.",
        b"password=",
        b"://a:b@",
        b'{"auths": {"x": {"auth": "y"}}}',
        b'{"auths": [1]}',
        b"[" * 2000,
        b"root:$6$a$",
        b"ssh-rsa AAAA",
        b"OS_PASSWORD=",
        b"\x05\x02",
        b"::::",
        b"\n",
        b" ",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=30), max_size=30).map(b"".join))
def test_no_content_breaks_a_reader(data: bytes) -> None:
    for reader in READERS:
        for trace in reader(data):
            assert trace.kind


REPEATED = [
    *(b"a", b" ", b"\n", b"password ", b"password=", b":", b"://a:", b"x.y-z_", b"secret_access_key ", b"OS_PASSWORD "),
    *(b"-----BEGIN RSA PRIVATE KEY-----", b"eyJ", b"eyJaaaaaaaa.", b"ssh-rsa ", b"PrivateKey ", b"password\t"),
    *(b"-eyJ", b"-eyJaaaaaaaa.", b"ssh-a", b"sk-a.", b"ecdsa-sha2-a", b"export ", b"glpat-", b"psk", b"_auth "),
    b"-----BEGIN PRIVATE KEY-----" * 600 + b"a" * 16_000 + b"-----END PRIVATE KEY-----",
    b"-----BEGIN RSA PRIVATE KEY-----" * 9 + b"-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("beginning", [b"", b"OS_", b"PrivateKey", b"password"])
@pytest.mark.parametrize("repeated", REPEATED)
def test_a_hostile_file_is_read_to_its_end(beginning: bytes, repeated: bytes) -> None:
    data = (beginning + repeated * (secrets.LIMIT // len(repeated) + 1))[: secrets.LIMIT]
    with _cpu_time.at_most(5):
        for reader in READERS:
            assert len(list(reader(data))) <= len(data)
