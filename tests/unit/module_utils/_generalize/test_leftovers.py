from __future__ import annotations

import json

from ansible_collections.voc.cluster.plugins.module_utils._generalize import leftovers
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import READ_LIMIT, Attributes, Entry
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._generalize import planted


def test_every_kind_is_found_and_honest_files_are_not() -> None:
    guest = MemoryTree(dict(planted.files()))
    found = leftovers.find(guest)
    # A key or password can be recognised in more than one way.
    assert {(one.path, one.kind) for one in found} - {("/root/.git-credentials", "password")} == planted.expected()


def test_no_secret_is_told_neither_as_data_nor_as_text() -> None:
    found = leftovers.find(MemoryTree(dict(planted.files())))
    told = json.dumps([one.as_dict() for one in found]) + leftovers.text(found)
    for word in planted.secret_words():
        assert word.decode() not in told


def test_passwords_have_no_fingerprint_that_would_help_to_guess_them() -> None:
    found = leftovers.find(MemoryTree(dict(planted.files())))
    with_one = {one.kind for one in found if one.fingerprint}
    assert with_one == {
        *("authorized-key", "private-key", "snakeoil-key", "json-web-token", "condor-token", "github-token"),
        *(
            "gitlab-token",
            "vault-token",
            "munge-key",
            "kerberos-keytab",
            "kerberos-tickets",
            "systemd-credential-secret",
        ),
    }


def test_what_is_told_has_owner_and_mode() -> None:
    guest = MemoryTree({"/etc/passwd": "ann:x:1000:1000::/home/ann:/bin/sh\n"})
    guest.add("/home/ann/.netrc", "machine x login y password z\n", Attributes(0o644, 1000, 1000))
    guest.add("/root/.netrc", "machine x login y password z\n", Attributes(0o600, 77, 0))
    assert leftovers.text(leftovers.find(guest)) == (
        "2 secrets or ways in are in the image:\n"
        "netrc: /home/ann/.netrc (of ann, mode 0644)\n"
        "netrc: /root/.netrc (of 77, mode 0600)\n"
    )
    assert leftovers.text([]) == "No secrets were found in the image.\n"


def test_names_and_comments_of_a_stranger_stay_on_their_line() -> None:
    guest = MemoryTree({"/etc/passwd": "ann\x1b[2J:x:1000:1000::/home/ann:/bin/sh\n"})
    guest.add("/home/ann/x\ny.key", planted.keys()["/root/.ssh/id_ed25519"], Attributes(0o600, 1000, 0))
    text = leftovers.text(leftovers.find(guest))
    assert text.count("\n") == 2
    assert "\x1b" not in text


def test_links_specials_and_large_files_are_not_read() -> None:
    guest = MemoryTree(
        {"/etc/x": ("->", "/root/key"), "/root/loop": ("->", "loop"), "/etc/huge": bytes(READ_LIMIT + 1)}
    )
    assert leftovers.find(guest) == []


def test_what_is_planned_to_go_is_not_left() -> None:
    plan = Plan(MemoryTree(dict(planted.files())))
    before = {one.path for one in leftovers.find(plan)}
    plan.remove("/root/.ssh")
    assert before - {one.path for one in leftovers.find(plan)} == {
        "/root/.ssh/id_ed25519",
        "/root/.ssh/authorized_keys",
    }


def test_compiled_programs_of_packages_are_not_looked_into_and_scripts_beside_them_are() -> None:
    key = planted.keys()["/root/.ssh/id_ed25519"]
    compiled = b"\x7fELF" + key
    guest = MemoryTree({"/etc/passwd": "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n", "/bin": ("->", "usr/bin")})
    for path, content in (
        ("/usr/bin/compiled", compiled),
        ("/usr/bin/script", key),
        ("/usr/bin/.ssh/id", compiled),
        ("/opt/bin/compiled", compiled),
    ):
        guest.add(path, content, Attributes(0o755))
    assert {one.path for one in leftovers.find(guest)} == {"/usr/bin/script", "/usr/bin/.ssh/id", "/opt/bin/compiled"}


def _with_a_key_and(files: dict[str, bytes]) -> MemoryTree:
    key = planted.keys()["/root/.ssh/id_ed25519"]
    return MemoryTree({**files, "/root/.ssh/id_ed25519": key, "/home/ann/.ssh/id_ed25519": key})


def _unsearched(guest: MemoryTree) -> tuple[set[str], list[str], str]:
    """Return the paths of secrets, what was not searched, and the report."""
    found = leftovers.find(guest)
    left_out = [f"{one.path}: {one.note}" for one in found if one.kind == leftovers.NOT_SEARCHED]
    return {one.path for one in found if one.kind != leftovers.NOT_SEARCHED}, left_out, leftovers.text(found)


_KEYS = {"/root/.ssh/id_ed25519", "/home/ann/.ssh/id_ed25519"}


def test_what_fills_one_place_hides_no_secret_elsewhere_and_is_told() -> None:
    full = bytes(131_000)
    guest = _with_a_key_and({f"/opt/sw/{number}": full for number in range(2100)})
    secret, left_out, text = _unsearched(guest)
    assert secret == _KEYS
    assert left_out == ["/opt: too much to read"]
    assert text.startswith("2 secrets or ways in are in the image, and not all was searched:\n")
    assert text.endswith("\nnot-searched: /opt (of 0, mode 0755, too much to read)\n")


def test_no_place_takes_what_others_need_to_be_read() -> None:
    full = bytes(131_000)
    guest = _with_a_key_and({f"/etc/{number}": full for number in range(2100)})
    assert _unsearched(guest)[:2] == (_KEYS, ["/etc: too much to read"])


def test_a_place_with_too_many_files_is_told() -> None:
    guest = MemoryTree({"/opt/sw": None})
    for number in range(20_001):
        guest.nodes[f"/opt/sw/{number}"] = (Entry("file", Attributes(), 1), b"x", "")
    secret, left_out, text = _unsearched(guest)
    assert (secret, left_out) == (set(), ["/opt: more than 20000 files"])
    assert text.startswith("Not all of the image was searched; nothing was found in the rest:\n")
    assert "No secrets" not in text


def test_what_lies_deep_is_searched_or_told() -> None:
    key = planted.keys()["/root/.ssh/id_ed25519"]
    deep = "/root" + "/d" * 10
    deeper = "/srv" + "/d" * 20
    secret, left_out, _text = _unsearched(MemoryTree({f"{deep}/key": key, f"{deeper}/key": key}))
    assert secret == {f"{deep}/key"}
    assert left_out == ["/srv: folders more than 16 deep"]


def test_more_homes_than_are_looked_at_are_told() -> None:
    passwd = "".join(f"u{number}:x:{number}:1::/home/u{number}:/bin/sh\n" for number in range(10_001))
    guest = MemoryTree({"/etc/passwd": passwd})
    assert _unsearched(guest)[:2] == (set(), ["/: more than 10000 home directories"])


def test_an_image_full_of_secrets_ends_the_search_and_is_told() -> None:
    many = b"".join(b"-----BEGIN PRIVATE KEY-----%d-----END PRIVATE KEY-----\n" % number for number in range(2000))
    guest = MemoryTree({f"/etc/{number}": many for number in range(100)})
    found = leftovers.find(guest)
    assert len(found) < 100_000
    assert [(one.path, one.note) for one in found if one.kind == leftovers.NOT_SEARCHED] == [
        ("/", "more than 10000 secrets")
    ]
