"""Labels are what libselinux of this machine says by the same files."""

from __future__ import annotations

import ctypes
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest import selinux
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

PATTERNS = [
    *("/.*", "/etc(/.*)?", "/etc/passwd[-\\+]?", "/etc/passwd", "/etc/.*\\.conf", "/etc/a\\.conf", "/var/run(/.*)?"),
    *("/var/run/.*\\.pid", "/home/[^/]+", "/home/[^/]+/\\.ssh(/.*)?", "/usr/(local/)?bin(/.*)?", "/usr/s?bin", "/"),
    *("/(etc|usr)/x", "/etc/x{1,2}", "/dev/[a-z]+[0-9]*"),
]
KINDS = {"": None, "--": "file", "-d": "directory", "-l": "symlink"}
LINES = st.builds(
    lambda pattern, kind, number: f"{pattern}\t{kind}\t" + ("<<none>>" if number > 7 else f"u:r:t{number}_t:s0"),
    st.sampled_from(PATTERNS),
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 9),
)
PATHS = st.sampled_from(
    [
        *("/", "/etc", "/etc/passwd", "/etc/passwd-", "/etc/a.conf", "/etc/axconf", "/etc/x", "/etc/xx", "/run"),
        *("/run/a.pid", "/var/run/a.pid", "/var/run", "/home/u", "/home/u/.ssh/k", "/usr/local/bin/x", "/usr/bin"),
        *("/usr/sbin", "/usr/x", "/dev/sda1", "/running", "/export/u"),
    ]
)
SUBS = "/run /var/run\n/export /home\n"
MODES = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}


class _Option(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("value", ctypes.c_char_p))


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str], list[str], str, str], str | None]:
    """Return a function that asks libselinux (selabel_file(5)) for a path's label."""
    library = ctypes.CDLL("libselinux.so.1")
    library.selabel_open.restype = ctypes.c_void_p
    library.selabel_close.argtypes = (ctypes.c_void_p,)
    arguments = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p), ctypes.c_char_p, ctypes.c_int)
    library.selabel_lookup_raw.argtypes = arguments
    folder = tmp_path_factory.mktemp("policy")

    def ask(rules: list[str], local: list[str], path: str, kind: str) -> str | None:
        contexts = folder / "file_contexts"
        contexts.write_text("".join(f"{line}\n" for line in rules))
        Path(f"{contexts}.local").write_text("".join(f"{line}\n" for line in local))
        Path(f"{contexts}.subs_dist").write_text(SUBS)
        handle = library.selabel_open(0, ctypes.byref(_Option(3, str(contexts).encode())), 1)
        assert handle
        found = ctypes.c_char_p()
        status = library.selabel_lookup_raw(handle, ctypes.byref(found), path.encode(), MODES[kind])
        library.selabel_close(handle)
        return found.value.decode() if status == 0 and found.value else None

    return ask


def _guest(
    rules: list[str], local: Sequence[str] = (), config: str = "SELINUX=enforcing\nSELINUXTYPE=targeted\n"
) -> MemoryTree:
    folder = "/etc/selinux/targeted/contexts/files"
    return MemoryTree(
        {
            selinux.CONFIG: config,
            f"{folder}/file_contexts": "".join(f"{line}\n" for line in rules),
            f"{folder}/file_contexts.local": "".join(f"{line}\n" for line in local),
            f"{folder}/file_contexts.subs_dist": SUBS,
        }
    )


@settings(max_examples=300)
@given(st.lists(LINES, min_size=1, max_size=8), st.lists(LINES, max_size=2), PATHS, st.sampled_from(sorted(MODES)))
@example(["/etc/passwd\t\tu:r:a:s0", "/.*\t\tu:r:b:s0"], [], "/etc/passwd", "file")
def test_labels_are_those_of_libselinux(
    lookup: Callable[..., str | None], rules: list[str], local: list[str], path: str, kind: str
) -> None:
    # Two lines for the same pattern and kind with other contexts are an error there.
    rules, local = ([*{tuple(line.split()[:-1]): line for line in lines}.values()] for lines in (rules, local))
    taken = {tuple(line.split()[:-1]) for line in rules}
    local = [line for line in local if tuple(line.split()[:-1]) not in taken]
    contexts = selinux.read_contexts(_guest(rules, local), "targeted")
    assert contexts
    assert contexts.policy().label(path, kind) == lookup(rules, local, path, kind)


@given(st.text(st.sampled_from("/etc(.*)?\\[|+:_ \t\n#<>-{}\udc80"), max_size=60), PATHS)
def test_any_text_gives_a_policy_that_labels_or_says_that_it_cannot(text: str, path: str) -> None:
    policy = selinux.Policy(selinux.parse_rules(text), selinux.parse_aliases(text))
    try:
        label = policy.label(path, "file")
    except ValueError:
        return
    assert label is None or label in text


RULES = [
    "/.*\t\tsystem_u:object_r:default_t:s0",
    "/etc(/.*)?\t\tsystem_u:object_r:etc_t:s0",
    "/etc/l\t-l\tu:r:link_t:s0",
]


def _labels(plan: Plan) -> dict[str, bytes]:
    selinux.label_new(plan)
    paths = [change.path for change in plan.changes()]
    return {path: plan.xattrs(path)[selinux.XATTR] for path in paths if selinux.XATTR in plan.xattrs(path)}


def test_what_is_new_gets_a_label_and_what_is_replaced_keeps_its_own() -> None:
    guest = _guest(RULES)
    guest.add("/etc/old", "x")
    plan = Plan(guest)
    plan.write("/etc/old", b"y")
    plan.write("/etc/new/file", b"")
    plan.symlink("/etc/l", "new")
    assert _labels(plan) == {
        "/etc/new": b"system_u:object_r:etc_t:s0\0",
        "/etc/new/file": b"system_u:object_r:etc_t:s0\0",
        "/etc/l": b"u:r:link_t:s0\0",
    }
    plan.apply()
    again = Plan(guest)
    again.write("/etc/new/file", b"")
    assert _labels(again) == {}
    assert again.changes() == []


@pytest.mark.parametrize("config", ["SELINUX=disabled\n", "", "SELINUX=enforcing\nSELINUXTYPE=../x\n", "SELINUX\n"])
def test_a_guest_without_selinux_gets_no_labels(config: str) -> None:
    plan = Plan(_guest(RULES, config=config))
    plan.write("/etc/new", b"")
    assert _labels(plan) == {}
    assert [change.path for change in plan.changes()] == ["/etc/new"]


@pytest.mark.parametrize("rules", [None, [*RULES, "/etc/(broken\t\tu:r:t:s0"]])
def test_where_the_policy_cannot_be_read_the_guest_labels_itself(rules: list[str] | None) -> None:
    guest = _guest(rules or [])
    if rules is None:
        guest = MemoryTree({selinux.CONFIG: "SELINUX=enforcing\n"})
    plan = Plan(guest)
    plan.write("/etc/(broken", b"")
    assert _labels(plan) == {}
    assert {change.path for change in plan.changes()} == {"/etc/(broken", selinux.AUTORELABEL}
    assert "labels its files at its next boot" in plan.notes[0]


def test_a_pattern_that_takes_years_makes_the_guest_label_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selinux, "_SECONDS", 0.2)
    guest = _guest([*RULES, "/etc/([a-z0-9./-]+)+X\t\tsystem_u:object_r:etc_t:s0"])
    plan = Plan(guest)
    plan.write("/etc/profile.d/a-name-that-is-long-enough-to-take-years.sh", b"")
    assert _labels(plan) == {}
    assert plan.lstat(selinux.AUTORELABEL)
    assert "cannot be read (it takes more than 0.2 seconds)" in plan.notes[0]
