"""Both drivers of GuestTree do the same to real filesystems, and neither ever leaves the image."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.composed import ComposedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Delete,
    GuestTree,
    HostFile,
    PutDirectory,
    PutFile,
    PutHostFile,
    PutSymlink,
    SetAttributes,
    SetXattr,
)

from .drivers import opened, whole
from .machine import loop_devices, tool

DRIVERS = ("ext", pytest.param("mounted", marks=pytest.mark.root))

AWKWARD = [
    "a b",
    " lead and trail ",
    "it's",
    'say "hi"',
    "-dash",
    "--",
    "#hash",
    "semi;colon",
    "back\\slash",
    "star*?[x]",
    "~tilde",
    "<2>",
    "tab\tand \x1b[1m",
    "$HOME",
    "100%s",
    "ünïcode",
    os.fsdecode(b"latin-\xe9"),
    "n" * 255,
]
LINK_LENGTHS = (1, 58, 59, 60, 61, 200, 1000)

LABEL = b"system_u:object_r:etc_t:s0\0"

# Too long for an inode of 256 bytes: it gets a block of its own.
NOTE = b"kept" * 50

# The users of an ACL, as setxattr takes them: (tag, permissions, id) of u::rw-, u:1234:rwx, g::r--, m::rwx, o::---
_NOBODY = 0xFFFFFFFF
_ENTRIES = ((1, 6, _NOBODY), (2, 7, 1234), (4, 4, _NOBODY), (16, 7, _NOBODY), (32, 0, _NOBODY))
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in _ENTRIES)
# cap_net_raw=ep, as on /usr/bin/ping
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def furnish(root: Path) -> None:
    """Add what `make_partition` cannot say by files alone."""
    for name in AWKWARD:
        (root / "awkward" / name).write_bytes(os.fsencode(name))
        os.setxattr(root / "awkward" / name, "user.note", NOTE)
    for length in LINK_LENGTHS:
        (root / "links" / str(length)).symlink_to("x" * length)
    (root / "etc/relative").symlink_to("plain")
    (root / "etc/absolute").symlink_to("/etc/plain")
    (root / "etc/roundabout").symlink_to("../etc/" * 12 + "plain")
    (root / "etc/above").symlink_to("../../../../../etc/plain")
    (root / "etc/loop").symlink_to("loop")
    os.link(root / "etc/linked", root / "etc/also")
    (root / "etc/plain").chmod(0o4750)
    os.setxattr(root / "etc/labelled", "user.note", b"a note\0with a nul")
    os.setxattr(root / "etc/labelled", "user.large", bytes(range(256)) * 8)
    if os.geteuid() == 0:
        for name in ("labelled", "shared", "shown"):
            os.setxattr(root / "etc" / name, "system.posix_acl_access", ACL)
            os.setxattr(root / "etc" / name, "security.capability", CAPABILITY)
        os.mknod(root / "dev/block", stat.S_IFBLK | 0o666, os.makedev(7, 0))
        os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(root / "dev/fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(root / "dev", os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{folder}/socket")
        finally:
            os.close(folder)
    (root / "empty").mkdir()
    (root / "empty").chmod(0o2775)
    os.truncate(root / "huge", tree.READ_LIMIT + 1)


@pytest.fixture
def image(make_partition: Callable[..., Path]) -> Path:
    files = {
        "etc/plain": "plain\n",
        "etc/linked": "linked\n",
        "etc/labelled": "labelled\n",
        "etc/shared": "shared\n",
        "etc/shown": "shown\n",
        "etc/nothing": "",
        "etc/unwanted": "x" * 5000,
        "awkward/first": "",
        "links/first": "",
        "dev/first": "",
        "huge": "",
    }
    image = make_partition(files, fill=furnish)
    for path in ("/", "/etc", "/etc/plain", "/etc/relative", "/empty"):
        owner = (100005, 100007) if path == "/etc/plain" else (0, 0)  # whoever runs this test
        for field, value in zip(("uid", "gid"), owner):
            tool("debugfs", "-w", "-R", f"set_inode_field {path} {field} {value}", image)
    return image


@pytest.fixture(params=DRIVERS)
def guest(request: pytest.FixtureRequest, runner: Runner, image: Path) -> Iterator[GuestTree]:
    with ExitStack() as stack:
        yield stack.enter_context(opened(runner, image, request.param))


def test_lstat_tells_kind_mode_owner_and_size(guest: GuestTree) -> None:
    assert guest.lstat("/etc/plain") == tree.Entry("file", Attributes(0o4750, 100005, 100007), 6)
    assert guest.lstat("/etc/relative") == tree.Entry("symlink", Attributes(0o777), 5)
    found = guest.lstat("/empty")
    assert (found.kind, found.attributes) == ("directory", Attributes(0o2775))
    assert guest.lstat("/").kind == "directory"
    assert guest.lstat("/absent") is None
    assert guest.lstat("/absent/below") is None
    assert guest.lstat("/etc/plain/below") is None


def test_listdir_gives_every_name(guest: GuestTree) -> None:
    assert sorted(guest.listdir("/awkward")) == sorted([*AWKWARD, "first"])
    assert guest.listdir("/empty") == []
    assert {"etc", "awkward", "huge"} <= set(guest.listdir("/"))


@pytest.mark.parametrize("name", AWKWARD)
def test_files_with_awkward_names_are_read(guest: GuestTree, name: str) -> None:
    assert guest.read(f"/awkward/{name}") == os.fsencode(name)


def test_extended_attributes_are_read(guest: GuestTree) -> None:
    expected = {"user.note": b"a note\0with a nul", "user.large": bytes(range(256)) * 8}
    if os.geteuid() == 0:
        expected |= {"system.posix_acl_access": ACL, "security.capability": CAPABILITY}
    assert guest.xattrs("/etc/labelled") == expected
    assert guest.xattrs("/etc/relative") == guest.xattrs("/") == {}


@pytest.mark.parametrize("length", LINK_LENGTHS)
def test_links_of_any_length_are_read(guest: GuestTree, length: int) -> None:
    assert guest.readlink(f"/links/{length}") == "x" * length


@pytest.mark.parametrize("name", ["relative", "absolute", "roundabout", "above"])
def test_links_resolve_inside_the_guest(guest: GuestTree, name: str) -> None:
    assert tree.resolve(guest, f"/etc/{name}") == "/etc/plain"
    assert tree.read_text(guest, f"/etc/{name}") == "plain\n"


def test_a_loop_of_links_is_refused(guest: GuestTree) -> None:
    with pytest.raises(GuestError, match="too many symbolic links"):
        tree.resolve(guest, "/etc/loop")


@pytest.mark.parametrize("name", ["fifo", "socket", "null", "block"])
def test_what_is_no_file_is_never_opened(guest: GuestTree, name: str) -> None:
    """A FIFO would hold up whoever opens it; a device node reaches the builder's devices."""
    if name in ("null", "block") and os.geteuid() != 0:
        pytest.skip("only root can make device nodes")
    assert guest.lstat(f"/dev/{name}").kind == "other"
    with pytest.raises(GuestError, match="not a regular file"):
        guest.read(f"/dev/{name}")


def test_a_huge_file_is_refused(guest: GuestTree) -> None:
    with pytest.raises(GuestError, match="too many to read"):
        guest.read("/huge")


def test_digests_are_those_of_the_content(guest: GuestTree) -> None:
    contents = {
        "/etc/plain": b"plain\n",
        "/etc/nothing": b"",
        "/huge": bytes(tree.READ_LIMIT + 1),
        **{f"/awkward/{name}": os.fsencode(name) for name in AWKWARD},
    }
    expected = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    assert guest.digests(list(contents)) == expected
    for path in ("/etc/relative", "/dev/fifo", "/empty"):
        with pytest.raises(GuestError, match="not a regular file"):
            guest.digests([path])


def test_what_is_expected_is_seen_as_it_is(guest: GuestTree) -> None:
    guest.expect(["/awkward", "/empty", "/absent/below", "/etc/plain/below", "/etc/loop/below", "/dev", "/"])
    test_lstat_tells_kind_mode_owner_and_size(guest)
    test_listdir_gives_every_name(guest)


def test_a_file_of_the_builder_is_copied_in_once(guest: GuestTree, host_file: HostFile) -> None:
    def planned() -> Plan:
        plan = Plan(guest)
        plan.copy_in("/etc/relative", host_file)  # a link to plain
        plan.copy_in("/new/host", host_file, Attributes(0o600))
        return plan

    first = planned()
    changed = [(type(change), change.path) for change in first.changes()]
    assert sorted(changed, key=str) == sorted(
        [(PutHostFile, "/etc/plain"), (PutDirectory, "/new"), (PutHostFile, "/new/host")], key=str
    )
    first.apply()
    assert guest.lstat("/etc/plain") == tree.Entry("file", Attributes(0o4750, 100005, 100007), host_file.size)
    assert planned().changes() == []
    guest.apply([SetAttributes("/new/host", Attributes(0o644))])
    assert planned().changes() == [SetAttributes("/new/host", Attributes(0o600))]
    # Another content of the same size is no equal content.
    other = bytearray(Path(host_file.path).read_bytes())
    other[-1] ^= 1
    guest.apply([PutFile("/new/host", bytes(other), Attributes(0o600), replaces=True)])
    assert planned().changes() == [PutHostFile("/new/host", host_file, Attributes(0o600), replaces=True)]


def test_special_files_keep_their_kind(guest: GuestTree) -> None:
    """Permission bits can be set on files and directories only; see tree.SetAttributes."""
    plan = Plan(guest)
    with pytest.raises(GuestError, match="neither a file nor a directory"):
        plan.set_attributes("/dev/fifo", Attributes(0o600))


# What a batch does, in the drivers' own terms.


@pytest.fixture
def host_file(tmp_path: Path) -> HostFile:
    """Return a file of the builder, with a hole, an awkward name, and a mode of its own."""
    path = tmp_path / 'on "the" builder'
    with path.open("wb") as file:
        file.write(b"first")
        file.seek(3 << 20)
        file.write(b"last")
    path.chmod(0o400)
    return HostFile(str(path), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


LONG_TARGET = "../" * 30 + "etc/plain"


def batch(host_file: HostFile) -> list[tree.Change]:
    return [
        Delete("/etc/unwanted", "file"),
        Delete("/etc/relative", "symlink"),
        Delete("/links/200", "symlink"),
        Delete("/dev/fifo", "other"),
        Delete("/dev/socket", "other"),
        Delete("/etc/also", "file"),
        PutFile("/etc/new", b"new\n", Attributes(0o600, 3, 4), replaces=False),
        PutFile("/etc/large", os.fsencode("large\n" * 100_000), Attributes(), replaces=False),
        PutFile("/etc/zeros", bytes(70_000), Attributes(), replaces=False),
        PutFile("/etc/void", b"", Attributes(0o4755, 70_000, 80_000), replaces=False),
        PutFile("/etc/plain", b"replaced\n", Attributes(0o4750, 100005, 100007), replaces=True),
        PutFile("/etc/nothing", b"something\n", Attributes(), replaces=True),
        PutFile("/etc/labelled", b"replaced\n", Attributes(0o670), replaces=True),
        PutHostFile("/etc/host", host_file, Attributes(0o640, 5, 6), replaces=False),
        PutHostFile("/etc/shared", host_file, Attributes(0o600), replaces=True),
        *(PutFile(f"/awkward/{name}", b"replaced\n", Attributes(0o640), replaces=True) for name in AWKWARD),
        PutDirectory("/empty/new dir", Attributes(0o750, 8, 9)),
        *(PutFile(f"/empty/new dir/{name}", b"made\n", Attributes(), replaces=False) for name in AWKWARD),
        PutDirectory("/-dash", Attributes(0o755)),
        PutFile("/-dash/file", b"", Attributes(), replaces=False),
        PutSymlink("/-dash/-link", "-target with space"),
        PutSymlink("/etc/relative", LONG_TARGET),
        *(PutSymlink(f"/links/new-{length}", "y" * length) for length in LINK_LENGTHS),
        SetAttributes("/etc/shown", Attributes(0o700)),
        SetAttributes("/awkward", Attributes(0o1777, 11, 12)),
        SetAttributes("/etc/linked", Attributes(0o2711, 13, 100014)),
        SetAttributes("/awkward/-dash", Attributes(0o600, 1, 1)),
        *(
            SetXattr(path, "security.selinux", LABEL)
            for path in ("/etc/new", "/etc/plain", "/empty/new dir", "/etc/relative", "/awkward/-dash", "/etc/linked")
        ),
        SetXattr("/etc/labelled", "user.note", None),
        SetXattr("/etc/shown", "user.void", b""),
    ]


def snapshot(runner: Runner, image: Path) -> dict[str, tuple[object, ...]]:
    """Return everything about every entry, as the kernel sees it."""
    seen: dict[str, tuple[object, ...]] = {}
    with mounted(runner, whole(image), "ext4") as root:
        for folder, folders, files in os.walk(root):
            for name in (".", *folders, *files):
                path = posixpath.normpath(os.path.join(folder, name))
                found = os.lstat(path)
                content: object = found.st_rdev
                if stat.S_ISREG(found.st_mode):
                    content = Path(path).read_bytes()
                elif stat.S_ISLNK(found.st_mode):
                    content = os.readlink(path)
                extended = {key: os.getxattr(path, key, follow_symlinks=False) for key in _attributes(path)}
                owner = (found.st_mode, found.st_uid, found.st_gid, found.st_nlink)
                seen[os.path.relpath(path, root)] = (*owner, content, extended)
    return seen


def _attributes(path: str) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


@pytest.fixture
def results(runner: Runner, image: Path, tmp_path: Path, host_file: HostFile) -> dict[str, Path]:
    """Return the image after the batch, by driver."""
    images = {}
    for driver in ("ext", "mounted"):
        images[driver] = Path(shutil.copyfile(image, tmp_path / f"{driver}.img"))
        with opened(runner, images[driver], driver) as files:
            files.apply(batch(host_file))
    return images


@pytest.mark.root
def test_both_drivers_leave_the_same_tree(runner: Runner, results: dict[str, Path]) -> None:
    by_debugfs, by_mount = (snapshot(runner, results[driver]) for driver in ("ext", "mounted"))
    assert by_debugfs.keys() == by_mount.keys()
    assert [path for path in by_mount if by_debugfs[path] != by_mount[path]] == []
    for image in results.values():
        tool("e2fsck", "-f", "-n", image)


@pytest.mark.root
@pytest.mark.parametrize("driver", ["ext", "mounted"])
def test_a_batch_does_what_it_says(runner: Runner, results: dict[str, Path], host_file: HostFile, driver: str) -> None:
    """The two could also be wrong alike."""
    seen = snapshot(runner, results[driver])
    regular = stat.S_IFREG
    labelled = {"security.selinux": LABEL}
    assert seen["etc/new"] == (regular | 0o600, 3, 4, 1, b"new\n", labelled)
    assert seen["etc/void"] == (regular | 0o4755, 70_000, 80_000, 1, b"", {})
    assert seen["etc/plain"] == (regular | 0o4750, 100005, 100007, 1, b"replaced\n", labelled)
    assert seen["etc/linked"] == (regular | 0o2711, 13, 100014, 1, b"linked\n", labelled)
    assert seen["etc/large"][4] == b"large\n" * 100_000
    assert seen["etc/zeros"][4] == bytes(70_000)
    content = Path(host_file.path).read_bytes()
    assert seen["etc/host"] == (regular | 0o640, 5, 6, 1, content, {})
    assert seen["etc/shared"][4] == content
    assert seen["empty/new dir"][:4] == (stat.S_IFDIR | 0o750, 8, 9, 2)
    assert seen["etc/relative"][4] == LONG_TARGET
    assert seen["-dash/-link"][4] == "-target with space"
    assert {f"links/new-{length}": "y" * length for length in LINK_LENGTHS}.items() <= {
        path: entry[4] for path, entry in seen.items()
    }.items()
    assert all(seen[f"awkward/{name}"][4] == b"replaced\n" for name in AWKWARD)
    assert all(seen[f"empty/new dir/{name}"][4] == b"made\n" for name in AWKWARD)
    assert not {"etc/unwanted", "etc/also", "links/200", "dev/fifo", "dev/socket"} & seen.keys()


@pytest.mark.root
@pytest.mark.parametrize("driver", ["ext", "mounted"])
def test_a_replaced_file_keeps_its_extended_attributes(runner: Runner, results: dict[str, Path], driver: str) -> None:
    seen = snapshot(runner, results[driver])
    assert seen["etc/labelled"][5] == {
        "security.capability": CAPABILITY,
        "system.posix_acl_access": ACL,
        "user.large": bytes(range(256)) * 8,
    }
    assert seen["etc/shown"][5].keys() == {"security.capability", "system.posix_acl_access", "user.void"}
    assert all(seen[f"awkward/{name}"][5]["user.note"] == NOTE for name in AWKWARD)
    assert all(seen[path][5]["security.selinux"] == LABEL for path in ("etc/relative", "empty/new dir", "etc/plain"))


@pytest.mark.root
@pytest.mark.parametrize("driver", ["ext", "mounted"])
def test_an_access_control_list_grants_no_more_than_the_new_mode(
    runner: Runner, results: dict[str, Path], driver: str
) -> None:
    """As chmod does it: the mask takes the group's bits."""
    seen = snapshot(runner, results[driver])
    for name, mode in (("shared", 0o600), ("shown", 0o700)):
        assert stat.S_IMODE(seen[f"etc/{name}"][0]) == mode
        entries = struct.iter_unpack("<HHI", seen[f"etc/{name}"][5]["system.posix_acl_access"][4:])
        granted = {tag: permissions for tag, permissions, _id in entries}
        assert granted == {1: mode >> 6, 2: 7, 4: 4, 16: 0, 32: 0}
        assert seen[f"etc/{name}"][5]["security.capability"] == CAPABILITY


@pytest.mark.parametrize("driver", DRIVERS)
def test_other_hard_links_keep_their_content(runner: Runner, image: Path, driver: str) -> None:
    with opened(runner, image, driver) as files:
        files.apply([PutFile("/etc/also", b"mine\n", Attributes(), replaces=True)])
        assert (files.read("/etc/also"), files.read("/etc/linked")) == (b"mine\n", b"linked\n")
    tool("e2fsck", "-f", "-n", image)


@pytest.mark.root
@pytest.mark.parametrize("driver", DRIVERS)
def test_without_room_for_all_nothing_is_done(runner: Runner, image: Path, tmp_path: Path, driver: str) -> None:
    before = snapshot(runner, image)
    (tmp_path / "large").write_bytes(os.urandom(64 << 20))
    large = HostFile(str(tmp_path / "large"), 64 << 20, "")
    changes: list[tree.Change] = [
        Delete("/etc/also", "file"),
        PutFile("/etc/new", b"new\n", Attributes(), replaces=False),
        PutHostFile("/etc/large", large, Attributes(), replaces=False),
    ]
    with opened(runner, image, driver) as files, pytest.raises(SpaceError, match="the image is full") as caught:
        files.apply(changes)
    assert "were made" not in str(caught.value)
    assert snapshot(runner, image) == before
    tool("e2fsck", "-f", "-n", image)


@pytest.mark.parametrize("other", ["size", "inodes"])
def test_without_room_in_one_filesystem_nothing_is_done_to_another(
    runner: Runner, image: Path, make_partition: Callable[..., Path], other: str
) -> None:
    small = make_partition({}, size="4M", name="small.img", options=("-N", "16"))
    before = image.read_bytes(), small.read_bytes()
    count, content = (1, os.urandom(6 << 20)) if other == "size" else (30, b"x")
    with ExtTree(runner, whole(image)) as root, ExtTree(runner, whole(small)) as below:
        files = [PutFile(f"/etc/{number}", content, Attributes(), replaces=False) for number in range(count)]
        with pytest.raises(SpaceError, match="the image is full"):
            ComposedTree({"/": root, "/etc": below}).apply([PutSymlink("/first", "x"), *files])
    assert (image.read_bytes(), small.read_bytes()) == before


@pytest.mark.root
def test_attributes_in_a_shared_block_stay_whole(runner: Runner, make_partition: Callable[..., Path]) -> None:
    """Old guests have small inodes, whose attributes lie in blocks that files with the same ones share."""
    image = make_partition({name: name for name in "abcd"}, kind="ext3", options=("-I", "128"))
    with mounted(runner, whole(image), "ext3") as root:
        for name in "abcd":
            os.setxattr(f"{root}/{name}", "security.selinux", b"system_u:object_r:etc_t:s0\0")
    for change in (Delete("/a", "file"), PutFile("/b", b"new", Attributes(), replaces=True), Delete("/c", "file")):
        with ExtTree(runner, whole(image)) as files:
            files.apply([change])
        tool("e2fsck", "-f", "-n", image)
    with mounted(runner, whole(image), "ext3") as root:
        for name in "bd":
            assert os.getxattr(f"{root}/{name}", "security.selinux") == b"system_u:object_r:etc_t:s0\0"


@pytest.mark.parametrize("name", ["new\nline", "carriage\rreturn"])
def test_a_name_that_debugfs_cannot_express_is_refused_before_anything_is_done(
    runner: Runner, image: Path, name: str
) -> None:
    before = image.read_bytes()
    fine = PutFile("/etc/new", b"", Attributes(), replaces=False)
    with ExtTree(runner, whole(image)) as files, pytest.raises(GuestError, match="cannot express"):
        files.apply([fine, PutFile(f"/etc/{name}", b"", Attributes(), replaces=False)])
    assert image.read_bytes() == before


@pytest.mark.root
def test_a_mount_expresses_any_name(runner: Runner, image: Path) -> None:
    with opened(runner, image, "mounted") as files:
        files.apply([PutFile("/etc/new\nline", b"1", Attributes(), replaces=False)])
        assert files.read("/etc/new\nline") == b"1"


# Links of a hostile image.


@pytest.fixture
def host(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "canary").write_text("the builder's own\n")
    return folder


@pytest.fixture
def hostile(make_partition: Callable[..., Path], host: Path) -> Path:
    def fill(root: Path) -> None:
        (root / "etc").symlink_to(f"../../../../../../..{host}")
        (root / "absolute").symlink_to(host)
        (root / "file").symlink_to(host / "canary")
        (root / "magic").symlink_to("/proc/self/root")

    return make_partition({"opt/file": ""}, fill=fill, name="hostile.img")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("path", ["/etc/canary", "/absolute/canary", "/file", "/magic{host}/canary"])
def test_links_to_host_paths_never_reach_the_host(
    runner: Runner, hostile: Path, host: Path, driver: str, path: str
) -> None:
    path = path.format(host=host)
    with opened(runner, hostile, driver) as files:
        assert tree.read_text(files, path) is None
        plan = Plan(files)
        plan.write(path, b"the guest's\n")
        plan.apply()
        assert tree.read_text(files, path) == "the guest's\n"
        plan = Plan(files)
        plan.remove(tree.resolve(files, path))
        plan.apply()
    assert {name.name: name.read_text() for name in host.iterdir()} == {"canary": "the builder's own\n"}
    tool("e2fsck", "-f", "-n", hostile)


@pytest.mark.parametrize("driver", DRIVERS)
def test_drivers_themselves_follow_no_link(runner: Runner, hostile: Path, host: Path, driver: str) -> None:
    """A caller that forgot to resolve a path gets an error and not the host's file."""
    with opened(runner, hostile, driver) as files:
        for path in ("/etc/canary", "/absolute/canary"):
            assert files.lstat(path) is None
        for path in ("/etc/canary", "/file"):
            with pytest.raises((ImageError, OSError)):
                files.read(path)
        for change in (PutFile("/etc/new", b"", Attributes(), replaces=False), Delete("/absolute/canary", "file")):
            with pytest.raises((ImageError, OSError)):
                files.apply([change])
        with pytest.raises((ImageError, OSError)):
            files.apply([SetAttributes("/file", Attributes(0o777))])
    assert {name.name: name.read_text() for name in host.iterdir()} == {"canary": "the builder's own\n"}
    assert stat.S_IMODE((host / "canary").stat().st_mode) != 0o777
    tool("e2fsck", "-f", "-n", hostile)


# The mount itself.


@pytest.mark.root
@pytest.mark.parametrize("trouble", [False, True])
def test_a_mount_is_private_and_gone_afterwards(runner: Runner, image: Path, trouble: bool) -> None:
    namespace = os.readlink("/proc/self/ns/mnt")
    folder = os.getcwd()
    covered = os.listdir("/mnt")
    try:
        with mounted(runner, whole(image), "ext4") as root:
            assert os.readlink("/proc/self/ns/mnt") != namespace
            assert (Path(root) / "etc/plain").exists()
            assert len(loop_devices((image,))) == 1
            # pytest's parent is outside of this namespace.
            assert " /mnt " not in Path(f"/proc/{os.getppid()}/mountinfo").read_text()
            if trouble:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert trouble
    assert os.readlink("/proc/self/ns/mnt") == namespace
    assert os.getcwd() == folder
    assert os.listdir("/mnt") == covered
    assert loop_devices((image,)) == set()


@pytest.mark.root
def test_a_filesystem_that_cannot_be_mounted_leaves_nothing(runner: Runner, tmp_path: Path) -> None:
    namespace = os.readlink("/proc/self/ns/mnt")
    image = tmp_path / "zeros.img"
    image.write_bytes(bytes(1 << 20))
    with pytest.raises(ImageError, match="mount failed"), mounted(runner, whole(image), "ext4"):
        pytest.fail("it cannot be mounted")
    assert os.readlink("/proc/self/ns/mnt") == namespace
    assert loop_devices((image,)) == set()
