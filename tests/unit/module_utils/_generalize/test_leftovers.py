from __future__ import annotations

import json

from ansible_collections.voc.cluster.plugins.module_utils._generalize import leftovers
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import READ_LIMIT, Attributes
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
