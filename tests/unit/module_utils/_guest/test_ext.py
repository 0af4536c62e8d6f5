from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    InputError,
    SpaceError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.inodes import parse_listing
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, Entry
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    plant,
    whole,
)
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

OpenExt = Callable[[Volume], ExtTree]
NAMES = ["a b", 'say "hi"', "it's", "-rf", "a\\b", "$x;`y`", "é", "\udcff\udcfe", "*", "{1}", "#x", "x" * 255]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = plant(tmp_path / "tree", {"/etc/motd": "hello\n", "/etc/empty": "", "/big": b"\0x" * 100_000})
    (folder / "etc/short").symlink_to("motd")
    (folder / "etc/long").symlink_to("/" + "x/" * 100 + "end")
    (folder / "partner").hardlink_to(folder / "etc/motd")
    (folder / "etc/motd").chmod(0o640)
    return make_ext(tmp_path / "part", folder, size=4 * MIB, options=("-O", "extents,metadata_csum"))


@pytest.fixture
def guest(open_ext: OpenExt, image: Path) -> ExtTree:
    return open_ext(whole(image))


def _applied(guest: ExtTree, *steps: tuple) -> None:
    plan = Plan(guest)
    for name, *arguments in steps:
        getattr(plan, name)(*arguments)
    plan.apply()


def test_what_is_there_is_read(guest: ExtTree) -> None:
    assert sorted(guest.listdir("/etc")) == ["empty", "long", "motd", "short"]
    found = guest.lstat("/etc/motd")
    assert found
    assert (found.kind, found.size, found.attributes.mode) == ("file", 6, 0o640)
    assert guest.read("/etc/motd") == b"hello\n"
    assert guest.read("/etc/empty") == b""
    assert guest.read("/big") == b"\0x" * 100_000
    assert guest.readlink("/etc/short") == "motd"
    assert guest.readlink("/etc/long") == "/" + "x/" * 100 + "end"
    root = guest.lstat("/")
    assert root
    assert root.kind == "directory"


def test_extended_attributes_are_set_read_and_removed(guest: ExtTree, image: Path) -> None:
    values = {"security.selinux": b"system_u:object_r:etc_t:s0\0", "user.none": b"", "user.a b": bytes(range(256))}
    paths = ("/etc/motd", "/etc/short", "/etc", "/")
    guest.apply([tree.SetXattr(path, name, value) for path in paths for name, value in values.items()])
    assert [guest.xattrs(path) for path in paths] == [values] * 4
    assert guest.xattrs("/partner") == values  # another name of motd
    assert guest.xattrs("/etc/long") == {}
    guest.apply([tree.SetXattr("/etc/short", "user.none", None)])
    assert guest.xattrs("/etc/short").keys() == {"security.selinux", "user.a b"}
    with pytest.raises(GuestError, match="no such file"):
        guest.xattrs("/none")
    assert_clean(image)


@pytest.mark.parametrize("path", ["/none", "/none/below", "/etc/motd/below", "/etc/short/below"])
def test_nothing_stands_where_no_directory_leads(guest: ExtTree, path: str) -> None:
    assert guest.lstat(path) is None


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_kinds_are_written_and_read(guest: ExtTree, image: Path, name: str) -> None:
    _applied(
        guest,
        ("write", f"/etc/{name}", b"1"),
        ("write", f"/new {name[:200]}/{name}", b"2", Attributes(0o4711, 7, 8)),
        ("symlink", f"/ln{name[:200]}", f"to {name}"),
    )
    assert guest.read(f"/etc/{name}") == b"1"
    assert guest.lstat(f"/new {name[:200]}/{name}") == Entry("file", Attributes(0o4711, 7, 8), 1)
    assert guest.readlink(f"/ln{name[:200]}") == f"to {name}"
    assert_clean(image)
    _applied(guest, ("remove", f"/new {name[:200]}"), ("write", f"/etc/{name}", b"again"), ("remove", f"/etc/{name}"))
    assert guest.lstat(f"/etc/{name}") is None
    assert_clean(image)


@pytest.mark.parametrize("name", ["a\nb", "a\rb"])
def test_a_name_that_debugfs_cannot_express_is_refused_before_anything_is_done(
    guest: ExtTree, image: Path, name: str
) -> None:
    before = image.read_bytes()
    with pytest.raises(GuestError, match="debugfs cannot express this name"):
        _applied(guest, ("write", "/etc/motd", b"new"), ("write", f"/etc/{name}", b""))
    assert image.read_bytes() == before


def test_a_name_that_is_too_long_is_an_error(guest: ExtTree, image: Path) -> None:
    with pytest.raises(GuestError, match="longer than 255 bytes"):
        _applied(guest, ("write", "/etc/" + "x" * 256, b""))
    assert_clean(image)


@pytest.mark.parametrize("target", ["", "x" * 4096])
def test_a_link_that_no_filesystem_holds_is_refused(guest: ExtTree, image: Path, target: str) -> None:
    with pytest.raises(GuestError):
        _applied(guest, ("symlink", "/etc/link", target))
    assert_clean(image)


@pytest.mark.parametrize("length", [1, 59, 60, 61, 1000])
def test_links_of_any_length_come_back(guest: ExtTree, image: Path, length: int) -> None:
    target = ("ab/" * length)[:length]
    _applied(guest, ("symlink", "/link", target))
    assert guest.readlink("/link") == target
    assert_clean(image)


def test_large_owners_and_all_permission_bits_are_kept(guest: ExtTree, image: Path) -> None:
    far = Attributes(0o7777, 4_000_000_000, 100_000)
    _applied(guest, ("write", "/f", b"", far), ("make_directory", "/d", far), ("set_attributes", "/etc/motd", far))
    for path in ("/f", "/d", "/etc/motd"):
        entry = guest.lstat(path)
        assert entry
        assert entry.attributes == far
    assert guest.read("/etc/motd") == b"hello\n"
    assert_clean(image)


@pytest.mark.parametrize("name", ["motd", "-f", "a b"])
def test_a_replaced_file_keeps_its_extended_attributes(guest: ExtTree, image: Path, tmp_path: Path, name: str) -> None:
    value = b"\0\xff\nline"
    (tmp_path / "value").write_bytes(value)
    _applied(guest, ("write", f"/etc/{name}", b"old"))
    guest.close()  # somebody else changes the image
    for attribute in ("user.note", "security.selinux"):
        debugfs(image, f'ea_set -f {tmp_path}/value "/etc/{name}" {attribute}', write=True)
    _applied(guest, ("write", f"/etc/{name}", b"new content"))
    for attribute in ("user.note", "security.selinux"):
        debugfs(image, f'ea_get -f {tmp_path}/seen "/etc/{name}" {attribute}')
        assert (tmp_path / "seen").read_bytes() == value
    assert guest.read(f"/etc/{name}") == b"new content"
    assert_clean(image)


def test_the_other_name_of_a_replaced_file_keeps_the_old_content(guest: ExtTree, image: Path) -> None:
    _applied(guest, ("write", "/etc/motd", b"changed"))
    assert guest.read("/partner") == b"hello\n"
    assert guest.read("/etc/motd") == b"changed"
    assert_clean(image)


def test_a_large_directory_takes_more_files(guest: ExtTree, image: Path) -> None:
    _applied(guest, *(("write", f"/many/file-{number:04}", b"") for number in range(100)))
    assert len(guest.listdir("/many")) == 100
    assert_clean(image)


def test_a_full_image_is_named(guest: ExtTree, image: Path) -> None:
    with pytest.raises(SpaceError, match="the image is full"):
        _applied(guest, ("write", "/huge", bytes(range(256)) * (32 << 10)))


def test_an_image_without_a_free_inode_is_full(open_ext: OpenExt, tmp_path: Path) -> None:
    guest = open_ext(whole(make_ext(tmp_path / "part", size=MIB, options=("-N", "16"))))
    with pytest.raises(SpaceError):
        _applied(guest, *(("write", f"/{number}", b"") for number in range(20)))


def test_a_filesystem_in_a_disk_is_changed_in_its_place(open_ext: OpenExt, image: Path, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", image)
    head = disk.read_bytes()[:MIB]
    guest = open_ext(Volume(str(disk), MIB, image.stat().st_size))
    _applied(guest, ("write", "/etc/motd", b"disk"))
    assert guest.read("/etc/motd") == b"disk"
    assert disk.read_bytes()[:MIB] == head
    assert_clean(disk, MIB)


def test_a_journal_that_was_not_replayed_is_refused(guest: ExtTree, image: Path) -> None:
    debugfs(image, "feature needs_recovery", write=True)
    with pytest.raises(InputError, match="not unmounted cleanly"):
        _applied(guest, ("write", "/etc/motd", b"x"))


def test_a_root_directory_that_is_gone_is_an_error(guest: ExtTree, image: Path) -> None:
    debugfs(image, "clri <2>", write=True)
    with pytest.raises(DamagedImageError):
        guest.lstat("/etc")


def test_a_root_directory_without_its_own_name_is_an_error(image: Path) -> None:
    guest = ExtTree(ScriptedRunner(("debugfs", completed(output=b"/12/100644/0/0/a/1/\n"))), whole(image))
    with pytest.raises(DamagedImageError, match="no root directory"):
        guest.lstat("/a")


def test_a_path_of_thousands_of_directories_is_followed_to_its_end(guest: ExtTree) -> None:
    path = "/" + "a/" * 1500 + "b"
    assert tree.lookup(guest, path) == (path, None)


def test_a_file_that_is_too_large_is_not_read(guest: ExtTree, image: Path) -> None:
    debugfs(image, f"set_inode_field /etc/motd size {tree.READ_LIMIT + 1}", write=True)
    with pytest.raises(GuestError, match="too many to read"):
        guest.read("/etc/motd")


def test_listings_are_parsed_whatever_their_names() -> None:
    output = (
        b"/2/040755/0/0/.//\n/2/040755/0/0/..//\n/12/100644/1000/7/a b/13/\n"
        b"/13/100644/0/0/two\nlines\n/0/\n/14/120777/0/0/l\xff/4/\n/15/020600/0/0/dev//\n"
        b"/0/000000/0/0///\n/16/100600/-294967296/0/far/5000000000/\n\n"
    )
    assert parse_listing(output) == {
        ".": (2, Entry("directory", Attributes(0o755))),
        "..": (2, Entry("directory", Attributes(0o755))),
        "a b": (12, Entry("file", Attributes(0o644, 1000, 7), 13)),
        "two\nlines\n": (13, Entry("file", Attributes(0o644))),
        "l\udcff": (14, Entry("symlink", Attributes(0o777), 4)),
        "dev": (15, Entry("other", Attributes(0o600))),
        "far": (16, Entry("file", Attributes(0o600, 4_000_000_000), 5_000_000_000)),
    }


@pytest.mark.parametrize("line", [b"/2/040755/0/0/./\n", b"/12/100644/0/0/a/b/3/\n", b"what\n"])
def test_a_listing_that_is_none_is_an_error(line: bytes) -> None:
    """A directory in which a name has a slash, for example."""
    with pytest.raises(DamagedImageError, match="cannot be read"):
        parse_listing(b"/2/040755/0/0/.//\n" + line)
