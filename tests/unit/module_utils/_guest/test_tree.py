from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


@pytest.fixture
def guest() -> MemoryTree:
    return MemoryTree(
        {
            "/usr/lib/os-release": "ID=x\n",
            "/etc/os-release": ("->", "../usr/lib/os-release"),
            "/lib": ("->", "usr/lib"),
            "/absolute": ("->", "/usr/lib"),
            "/out": ("->", "../../../../etc"),
            "/dangling": ("->", "/nowhere/file"),
            "/loop": ("->", "loop"),
            "/ping": ("->", "pong"),
            "/pong": ("->", "/ping"),
            "/to-file": ("->", "/etc/plain"),
            "/etc/plain": "text",
        }
    )


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/", "/"),
        ("", "/"),
        ("//etc/./plain/", "/etc/plain"),
        ("etc/plain", "/etc/plain"),
        ("/etc/../etc/plain", "/etc/plain"),
        ("/../../etc/plain", "/etc/plain"),
        ("/etc/os-release", "/usr/lib/os-release"),
        ("/lib/os-release", "/usr/lib/os-release"),
        ("/absolute/os-release", "/usr/lib/os-release"),
        ("/lib/..", "/usr"),
        ("/out/plain", "/etc/plain"),
        ("/dangling", "/nowhere/file"),
        ("/to-file", "/etc/plain"),
        ("/new/deep/file", "/new/deep/file"),
    ],
)
def test_a_path_is_resolved_inside_the_guest(guest: MemoryTree, path: str, real: str) -> None:
    assert tree.resolve(guest, path) == real


def test_the_last_link_is_kept_when_asked_for(guest: MemoryTree) -> None:
    assert tree.resolve(guest, "/etc/os-release", follow=False) == "/etc/os-release"
    assert tree.resolve(guest, "/lib/os-release", follow=False) == "/usr/lib/os-release"


@pytest.mark.parametrize("path", ["/loop", "/loop/below", "/ping"])
def test_loops_are_refused(guest: MemoryTree, path: str) -> None:
    with pytest.raises(GuestError, match="too many symbolic links"):
        tree.resolve(guest, path)


def test_as_many_links_as_the_kernel_follows_are_followed() -> None:
    chain = {f"/{number}": ("->", str(number + 1)) for number in range(tree.MAX_LINKS)}
    assert tree.resolve(MemoryTree(chain), "/0") == f"/{tree.MAX_LINKS}"
    chain["/x"] = ("->", "0")
    with pytest.raises(GuestError, match="too many"):
        tree.resolve(MemoryTree(chain), "/x")


@pytest.mark.parametrize("path", ["/etc/plain/below", "/to-file/below", "/etc/plain/.."])
def test_a_file_is_no_directory(guest: MemoryTree, path: str) -> None:
    with pytest.raises(GuestError, match="/etc/plain is not a directory in the guest"):
        tree.resolve(guest, path)


def test_nul_is_refused_in_paths_and_targets() -> None:
    with pytest.raises(GuestError, match="NUL"):
        tree.resolve(MemoryTree(), "/a\0b")
    with pytest.raises(GuestError, match="NUL"):
        tree.resolve(MemoryTree({"/link": ("->", "a\0b")}), "/link")


def test_text_names_and_what_stands_there_are_read_through_links(guest: MemoryTree) -> None:
    assert tree.read_text(guest, "/etc/os-release") == "ID=x\n"
    assert tree.read_text(guest, "/etc") is None
    assert tree.read_text(guest, "/none") is None
    assert tree.names_in(guest, "/absolute") == ["os-release"]
    assert tree.names_in(guest, "/etc/plain") == []
    assert tree.lookup(guest, "/dangling") == ("/nowhere/file", None)


def test_a_full_mode_tells_what_stands_there() -> None:
    assert tree.Entry.from_mode(0o104755, 1, 2, 3) == tree.Entry("file", tree.Attributes(0o4755, 1, 2), 3)
    assert tree.Entry.from_mode(0o020600, 0, 0, 0).kind == "other"


NAMES = st.sampled_from(["a", "b", "c", "..", ".", ""])
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
REAL = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
KINDS = st.one_of(st.none(), st.just(b"x"), st.tuples(st.just("->"), PATHS | PATHS.map("/{}".format)))


def grow(wanted: dict[str, bytes | tuple[str, str] | None]) -> MemoryTree:
    """Make a tree of what fits together of an arbitrary wish."""
    guest = MemoryTree()
    for path, content in sorted(wanted.items()):
        above = path.rpartition("/")[0] or "/"
        parents = [above[:at] for at in range(1, len(above) + 1) if at == len(above) or above[at] == "/"]
        if all(guest.nodes[p][0].kind == "directory" for p in parents if p in guest.nodes):
            guest.add(path, content)
    return guest


@given(st.dictionaries(REAL, KINDS, max_size=8), PATHS, st.booleans())
def test_no_tree_leads_out_of_its_root(wanted: dict, path: str, follow: bool) -> None:
    guest = grow(wanted)
    try:
        real = tree.resolve(guest, path, follow=follow)
    except GuestError:
        return
    assert real.startswith("/")
    assert not {"..", ".", ""} & set(real.split("/")[1:]) or real == "/"
    entry = guest.lstat(real)
    assert not (follow and entry and entry.kind == "symlink")
    assert tree.resolve(guest, real, follow=follow) == real
