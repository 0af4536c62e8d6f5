"""Whichever driver changes a guest, nobody can tell afterwards: on every kind of ext, by any sequence of changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import posixpath
import shutil
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import (
    Attributes,
    Change,
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
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

from .drivers import opened, whole
from .machine import tool

# Without root there is one driver, and it does what the model says.
DRIVERS = ("ext", "mounted") if os.geteuid() == 0 else ("ext",)

OLD = 1_000_000_000  # seconds, in 2001
LABEL = b"system_u:object_r:etc_t:s0\0"
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw=ep

GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602  # linux/fs.h
IMMUTABLE, APPEND_ONLY, GIVES_PROJECT = 0x10, 0x20, 0x20000000

# What mke2fs makes of each: everything that a guest of the last twenty years may have.
FILESYSTEMS = {
    "ext4": ("-t", "ext4"),
    "small blocks": ("-t", "ext4", "-b", "1024"),
    "ext2": ("-t", "ext2"),
    "ext3 with small inodes": ("-t", "ext3", "-I", "128"),
    "without checksums": ("-t", "ext4", "-O", "^metadata_csum,uninit_bg"),
    "without extents": ("-t", "ext4", "-O", "^extents,^64bit"),
    "without indexes": ("-t", "ext4", "-O", "^dir_index"),
    "without groups of groups": ("-t", "ext4", "-O", "^flex_bg,meta_bg,^resize_inode"),
    "clusters": ("-t", "ext4", "-O", "bigalloc", "-C", "65536"),
    "inline data": ("-t", "ext4", "-O", "inline_data"),
    "large attributes": ("-t", "ext4", "-O", "ea_inode"),
    "large inodes": ("-t", "ext4", "-I", "512"),
    "orphan file": ("-t", "ext4", "-O", "orphan_file,metadata_csum_seed"),
}


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return a list as setxattr takes it: tag, permissions and user or group of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
SHARED = acl((1, 7, NOBODY), (2, 6, 1234), (4, 5, NOBODY), (8, 5, 77), (16, 7, NOBODY), (32, 1, NOBODY))
PLAIN = acl((1, 7, NOBODY), (4, 0, NOBODY), (32, 0, NOBODY))


def furnish(root: Path) -> None:
    """Fill a mounted filesystem with what edits meet, all of it old."""
    for name in ("plain", "linked", "replaced", "gone", "given", "opened"):
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / name).write_text(f"{name}\n")
    os.link(root / "etc/linked", root / "etc/other")
    os.link(root / "etc/gone", root / "etc/kept")
    os.setxattr(root / "etc/replaced", "system.posix_acl_access", SHARED)
    os.setxattr(root / "etc/replaced", "user.long", b"x" * 300)
    os.setxattr(root / "etc/gone", "security.selinux", LABEL)
    for name in ("given", "opened"):
        os.setxattr(root / "etc" / name, "security.capability", CAPABILITY)
        os.setxattr(root / "etc" / name, "system.posix_acl_access", SHARED)
    os.symlink("plain", root / "etc/short")
    os.symlink("../" * 40 + "etc/plain", root / "etc/long")
    for name, default in (("shared", SHARED), ("private", PLAIN)):
        (root / name).mkdir()
        os.setxattr(root / name, "system.posix_acl_default", default)
    (root / "group").mkdir()
    os.chown(root / "group", 0, 50)
    (root / "group").chmod(0o2775)
    for folder in ("many", "tree/a/b/c", "tree/d"):
        (root / folder).mkdir(parents=True)
    for number in range(400):
        (root / "many" / f"a name of some length {number}").write_bytes(b"x" * (number % 90))
    for path in ("tree/a/one", "tree/a/b/two\nlines", "tree/d/three"):
        (root / path).write_bytes(b"content " * 2000)
        os.setxattr(root / path, "user.long", b"y" * 300)
    os.link(root / "tree/a/one", root / "tree/d/one too")
    os.link(root / "tree/d/three", root / "etc/survivor")
    os.symlink("/" + "z" * 100, root / "tree/a/b/c/link")
    os.mkfifo(root / "tree/fifo")
    os.mknod(root / "tree/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*files, *folders):
            os.utime(os.path.join(folder, name), ns=(OLD * 10**9 + 123456789,) * 2, follow_symlinks=False)
    os.utime(root, ns=(OLD * 10**9 + 123456789,) * 2)


@pytest.fixture(scope="module")
def bases(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives an image by the name of its filesystem. Never write to it."""
    folder = tmp_path_factory.mktemp("bases")

    def base(name: str) -> Path:
        image = folder / f"{name}.img"
        if not image.exists():
            tool("mke2fs", "-q", "-F", *FILESYSTEMS[name], image, "64M")
            with mounted(runner, whole(image), "ext4") as root:
                furnish(Path(root))
            _next_second()  # so that what is done now can be told from what was done before
        return image

    return base


def _next_second() -> None:
    begin = int(time.time())
    while int(time.time()) == begin:
        time.sleep(0.02)


def snapshot(runner: Runner, image: Path, start: float) -> dict[str, tuple[object, ...]]:
    """Return everything about every entry as the kernel sees it; a time since `start` is just new."""
    seen: dict[str, tuple[object, ...]] = {}
    with mounted(runner, whole(image), "ext4", writable=False) as root:
        for folder, folders, files in os.walk(root):
            for name in (".", *folders, *files):
                path = posixpath.normpath(os.path.join(folder, name))
                found = os.lstat(path)
                owner = (found.st_mode, found.st_uid, found.st_gid, found.st_nlink)
                times = ["new" if ns >= int(start) * 10**9 else ns for ns in (found.st_mtime_ns, found.st_ctime_ns)]
                assert max(found.st_mtime, found.st_ctime, found.st_atime) < time.time() + 2
                extended = {key: os.getxattr(path, key, follow_symlinks=False) for key in _attributes(path)}
                seen[os.path.relpath(path, root)] = (*owner, *times, _content(path, found), extended)
    return seen


def _attributes(path: str) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


def _content(path: str, found: os.stat_result) -> object:
    if stat.S_ISREG(found.st_mode):
        return found.st_size, hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return os.readlink(path) if stat.S_ISLNK(found.st_mode) else found.st_rdev


@pytest.fixture
def host_file(tmp_path: Path) -> HostFile:
    path = tmp_path / "on the builder"
    path.write_bytes(os.urandom(100_000) + bytes(50_000) + b"end")
    return HostFile(str(path), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def batch(host_file: HostFile) -> list[Change]:
    """Return changes of every kind to what `furnish` made."""
    new = Attributes(0o640, 3, 70_004)
    fallen = [
        *("/tree/a/one", "/tree/a/b/two\nlines", "/tree/a/b/c/link", "/tree/a/b/c", "/tree/a/b", "/tree/a"),
        *("/tree/d/three", "/tree/d/one too", "/tree/d", "/tree/fifo", "/tree/null", "/tree"),
    ]
    kinds = {"/tree/a/b/c/link": "symlink", "/tree/fifo": "other", "/tree/null": "other"}
    directories = {"/tree", "/tree/a", "/tree/a/b", "/tree/a/b/c", "/tree/d"}
    return [
        *(Delete(path, "directory" if path in directories else kinds.get(path, "file")) for path in fallen),
        Delete("/etc/gone", "file"),
        Delete("/etc/short", "symlink"),
        Delete("/etc/long", "symlink"),
        *(Delete(f"/many/a name of some length {number}", "file") for number in range(0, 400, 3)),
        PutFile("/etc/replaced", b"new\n", Attributes(0o750, 5, 6), replaces=True),
        PutFile("/etc/linked", b"new\n", Attributes(), replaces=True),
        PutHostFile("/etc/plain", host_file, new, replaces=True),
        PutHostFile("/etc/host", host_file, new, replaces=False),
        PutHostFile("/shared/host", host_file, new, replaces=False),
        *(PutFile(f"/many/another name {number}", b"z" * number, new, replaces=False) for number in range(150)),
        *(PutSymlink(f"/{name}/link", "x" * length) for name, length in (("shared", 59), ("etc", 60), ("group", 900))),
        *(PutFile(f"/{name}/file", b"1" * 50, new, replaces=False) for name in ("shared", "private", "group")),
        *(PutDirectory(f"/{name}/sub", Attributes(0o751, 8, 9)) for name in ("shared", "private", "group", "many")),
        *(PutFile(f"/{name}/sub/file", b"", new, replaces=False) for name in ("shared", "private", "group")),
        PutFile("/etc/blocks", b"b" * 200_000, Attributes(), replaces=False),
        SetAttributes("/etc/given", Attributes(0o711, 9, 9)),
        SetAttributes("/etc/opened", Attributes(0o4755)),
        SetAttributes("/shared", Attributes(0o1770, 1, 2)),
        SetXattr("/etc", "security.selinux", LABEL),
        SetXattr("/shared/link", "security.selinux", LABEL),
        SetXattr("/shared/file", "user.note", b"\0\xff"),
        SetXattr("/etc/replaced", "user.long", None),
        SetXattr("/etc/other", "trusted.note", b"t" * 200),
    ]


@pytest.mark.root
@pytest.mark.parametrize("filesystem", FILESYSTEMS)
def test_both_drivers_leave_the_same_tree(
    runner: Runner, bases: Callable[[str], Path], tmp_path: Path, host_file: HostFile, filesystem: str
) -> None:
    start, seen, usage = time.time(), [], []
    before = snapshot(runner, bases(filesystem), start)
    for driver in ("ext", "mounted"):
        image = Path(shutil.copyfile(bases(filesystem), tmp_path / f"{driver}.img"))
        with opened(runner, image, driver) as files:
            files.apply(batch(host_file))
        tool("e2fsck", "-f", "-n", image)
        seen.append(snapshot(runner, image, start))
        usage.append(_usage(image))
    assert seen[0].keys() == seen[1].keys()
    assert {path: (seen[0][path], seen[1][path]) for path in seen[0] if seen[0][path] != seen[1][path]} == {}
    assert usage[0] == usage[1]
    # The two could also be wrong alike.
    untouched = ("etc/kept", "lost+found", "many/a name of some length 1")
    assert [seen[0][path][4] for path in untouched] == [before[path][4] for path in untouched]
    assert seen[0]["many/a name of some length 1"] == before["many/a name of some length 1"]
    assert [seen[0][path][4] for path in (".", "etc", "many", "shared", "etc/host")] == ["new"] * 5


@pytest.mark.root
def test_large_directories_are_listed_and_removed(runner: Runner, tmp_path: Path) -> None:
    """So large that their index has two levels."""
    image, names = tmp_path / "image", {f"a name of some length {number}" for number in range(8000)}
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "9000", image, "32M")
    with mounted(runner, whole(image), "ext4") as root:
        (Path(root) / "large").mkdir()
        for name in names:
            (Path(root) / "large" / name).touch()
    assert "Indirect levels: 1" in tool("debugfs", "-R", "htree_dump /large", image)
    for driver in ("ext", "mounted"):
        copy = Path(shutil.copyfile(image, tmp_path / driver))
        with opened(runner, copy, driver) as files:
            assert set(files.listdir("/large")) == names
            assert files.lstat("/large/a name of some length 77")
            plan = Plan(files)
            plan.remove("/large")
            plan.apply()
            assert files.listdir("/") == ["lost+found"]
        tool("e2fsck", "-f", "-n", copy)


def _usage(image: Path) -> list[str]:
    """Return how many inodes the filesystem has and counts as free."""
    return [line for line in tool("dumpe2fs", "-h", image).splitlines() if line.startswith(("Free inodes:", "Inode c"))]


# Any sequence of changes.

NAMES = ("a", "b c", "-d", "é\udcff", "<9>", 'q"\\')
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
ATTRIBUTES = st.builds(Attributes, st.integers(0, 0o7777), st.sampled_from((0, 7, 70_000)), st.sampled_from((0, 8)))
CONTENTS = st.one_of(st.binary(max_size=200), st.integers(0, 40_000).map(lambda size: b"\0x" * size))
TARGETS = st.one_of(PATHS, st.sampled_from(NAMES), st.sampled_from(("../a", "/", "x" * 60)))
VALUES = st.binary(max_size=120)
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, CONTENTS, st.one_of(st.none(), ATTRIBUTES)),
    st.tuples(st.just("make_directory"), PATHS, st.one_of(st.none(), ATTRIBUTES)),
    st.tuples(st.just("symlink"), PATHS, TARGETS),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("set_attributes"), PATHS, ATTRIBUTES),
    st.tuples(st.just("set_xattr"), PATHS, st.sampled_from(("user.a", "security.selinux")), VALUES),
)
BATCHES = st.lists(st.lists(STEPS, min_size=1, max_size=8), min_size=1, max_size=3)


def _do(files: GuestTree, steps: list[tuple]) -> list[str]:
    """Plan steps and apply them; return what was refused."""
    plan = Plan(files)
    refused = [_refusal(getattr(plan, name), arguments) for name, *arguments in steps]
    plan.apply()
    return refused


def _refusal(step: Callable[..., None], arguments: list[object]) -> str:
    try:
        step(*arguments)
    except GuestError as error:
        return str(error)
    return ""


def _walk(files: GuestTree, path: str = "/") -> dict[str, tuple[object, ...]]:
    entry = files.lstat(path)
    assert entry
    content: object = None
    if entry.kind == "file":
        content = files.read(path)
    elif entry.kind == "symlink":
        content = files.readlink(path)
    attributes = entry.attributes if entry.kind != "symlink" else None
    seen: dict[str, tuple[object, ...]] = {path: (entry.kind, attributes, content, files.xattrs(path))}
    if entry.kind == "directory":
        for name in files.listdir(path):
            if name != "lost+found":
                seen |= _walk(files, posixpath.join(path, name))
    return seen


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = tmp_path_factory.mktemp("empty") / "empty.img"
    tool("mke2fs", "-q", "-F", "-t", "ext4", image, "8M")
    return image


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
@example([[("symlink", "/a", "x")], [("remove", "/a"), ("write", "/a/b", b"", None)]])
@example([[("write", "/a", b"", None), ("set_xattr", "/a", "user.a", b""), ("symlink", "/a", "/a")]])
def test_any_changes_leave_the_same_tree(
    runner: Runner, empty: Path, tmp_path: Path, batches: list[list[tuple]]
) -> None:
    model = MemoryTree()
    refused = [_do(model, steps) for steps in batches]
    expected = _walk(model)
    for driver in DRIVERS:
        image = Path(shutil.copyfile(empty, tmp_path / f"{driver}.img"))
        with opened(runner, image, driver) as files:
            assert [_do(files, steps) for steps in batches] == refused
            assert _walk(files) == expected
        tool("e2fsck", "-f", "-n", image)


# What neither of them does.


def _set_flags(path: Path, flags: int) -> int:
    """Set the flags of a file as chattr does, and return those that it had."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        before = struct.unpack("=l", fcntl.ioctl(descriptor, GET_FLAGS, bytes(8))[:4])[0]
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=q", before | flags))
    finally:
        os.close(descriptor)
    return before


PROTECTED: dict[str, tuple[Change, ...]] = {
    "immutable": (
        PutFile("/file", b"", Attributes(), replaces=True),
        Delete("/file", "file"),
        SetAttributes("/file", Attributes(0o600)),
        SetXattr("/file", "user.a", b""),
        PutFile("/folder/new", b"", Attributes(), replaces=False),
        PutSymlink("/folder/new", "x"),
        Delete("/folder/old", "file"),
    ),
    "append-only": (
        PutFile("/file", b"", Attributes(), replaces=True),
        Delete("/file", "file"),
        SetAttributes("/file", Attributes(0o600)),
        PutFile("/folder/old", b"", Attributes(), replaces=True),
        Delete("/folder/old", "file"),
    ),
}


@pytest.mark.root
@pytest.mark.parametrize("driver", ["ext", "mounted"])
@pytest.mark.parametrize("kind", PROTECTED)
def test_what_the_guest_protects_is_left_alone(runner: Runner, tmp_path: Path, driver: str, kind: str) -> None:
    image = tmp_path / "image"
    tool("mke2fs", "-q", "-F", "-t", "ext4", image, "8M")
    with mounted(runner, whole(image), "ext4") as root:
        (Path(root) / "folder").mkdir()
        for path in ("file", "folder/old"):
            (Path(root) / path).write_text("old")
        for path in ("file", "folder"):
            _set_flags(Path(root) / path, IMMUTABLE if kind == "immutable" else APPEND_ONLY)
    start = time.time()
    before = snapshot(runner, image, start)
    fine = PutFile("/fine", b"", Attributes(), replaces=False)
    with opened(runner, image, driver) as files:
        for change in PROTECTED[kind]:
            with pytest.raises(GuestError, match=f"it is {kind}"):
                files.apply([fine, change])
        assert files.lstat("/fine") is None
        if kind == "append-only":
            files.apply([PutDirectory("/folder/new", Attributes(0o700))])
            assert files.lstat("/folder/new")
    if kind == "immutable":
        assert snapshot(runner, image, start) == before
    tool("e2fsck", "-f", "-n", image)


REFUSED: dict[str, Callable[[], Change]] = {
    "a name that is taken": lambda: PutFile("/etc/plain", b"", Attributes(), replaces=False),
    "a directory in its place": lambda: PutDirectory("/etc", Attributes(0o755)),
    "a link in its place": lambda: PutSymlink("/etc/plain", "x"),
    "nothing to remove": lambda: Delete("/etc/none", "file"),
    "nothing to replace": lambda: PutFile("/etc/none", b"", Attributes(), replaces=True),
    "nothing to change": lambda: SetAttributes("/etc/none", Attributes()),
    "no directory": lambda: PutFile("/none/new", b"", Attributes(), replaces=False),
    "a file for a directory": lambda: PutFile("/etc/plain/new", b"", Attributes(), replaces=False),
    "a link for a directory": lambda: PutFile("/etc/short/new", b"", Attributes(), replaces=False),
    "a directory with files": lambda: Delete("/tree", "directory"),
    "an attribute of the kernel's": lambda: SetXattr("/etc/plain", "system.posix_acl_access", SHARED),
    "no such attribute": lambda: SetXattr("/etc/plain", "user.none", None),
    "a name that is too long": lambda: PutFile("/etc/" + "x" * 256, b"", Attributes(), replaces=False),
    "the mode of a link": lambda: SetAttributes("/etc/short", Attributes()),
    "the mode of a FIFO": lambda: SetAttributes("/tree/fifo", Attributes()),
}


@pytest.mark.root
@pytest.mark.parametrize("driver", ["ext", "mounted"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_an_error_and_changes_nothing(
    runner: Runner, bases: Callable[[str], Path], tmp_path: Path, driver: str, case: str
) -> None:
    image = Path(shutil.copyfile(bases("ext4"), tmp_path / "image"))
    start = time.time()
    with opened(runner, image, driver) as files, pytest.raises(ImageError):
        files.apply([REFUSED[case]()])
    assert snapshot(runner, image, start) == snapshot(runner, bases("ext4"), start)
    tool("e2fsck", "-f", "-n", image)


@pytest.mark.parametrize("feature", ["encrypt", "casefold"])
def test_a_feature_that_debugfs_does_not_follow_is_named(runner: Runner, tmp_path: Path, feature: str) -> None:
    image = tmp_path / "image"
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-O", feature, image, "8M")
    with opened(runner, image, "ext") as files, pytest.raises(ImageError, match=f"feature {feature}.*access: mounted"):
        files.lstat("/etc")


def test_quotas_are_right_and_projects_refused_without_a_mount(
    runner: Runner, make_partition: Callable[..., Path], host_file: HostFile
) -> None:
    """Many kernels are built without quotas, and do not mount such a filesystem: only e2fsck says what is right."""
    options = ("-O", "quota,project", "-E", "quotatype=usrquota:grpquota:prjquota", "-I", "256")
    image = make_partition({"etc/plain": "x" * 9000, "etc/gone": "y" * 9000, "own/file": ""}, options=options)
    tool("debugfs", "-w", "-R", f"set_inode_field /own flags {GIVES_PROJECT | 0x80000:#x}", image)
    owned = Attributes(0o644, 1234, 0)
    with ExtTree(runner, whole(image)) as files:
        files.apply(
            [
                Delete("/etc/gone", "file"),
                PutFile("/etc/new", b"z" * 20_000, owned, replaces=False),
                PutHostFile("/etc/host", host_file, owned, replaces=False),
                SetAttributes("/etc/plain", owned),
            ]
        )
        with pytest.raises(GuestError, match=r"project.*access: mounted"):
            files.apply([PutFile("/own/new", b"", Attributes(), replaces=False)])
        files.apply([SetAttributes("/own/file", Attributes(0o600))])
    tool("e2fsck", "-f", "-n", image)  # compares them with what there is
    users = [line.split() for line in tool("debugfs", "-R", "list_quota user", image).splitlines()]
    assert next(words for words in users if words[:1] == ["1234"])[4] == "3"


FAR = 5 << 30  # bytes, more than 32 bits can say


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_file_beyond_4_gib_is_seen_as_it_is_and_removed(runner: Runner, tmp_path: Path, driver: str) -> None:
    """It is all hole, so that its content costs nothing; that of another stays where it was."""
    image, folder = tmp_path / "image", tmp_path / "root"
    folder.mkdir()
    (folder / "other").write_text("other\n")
    with (folder / "huge").open("wb") as file:
        file.truncate(FAR)
        os.pwrite(file.fileno(), b"end", FAR - 3)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-d", folder, image, "16M")
    with opened(runner, image, driver) as files:
        found = files.lstat("/huge")
        assert found
        assert found.size == FAR
        with pytest.raises(GuestError, match=f"{FAR} bytes, too many to read"):
            files.read("/huge")
        files.apply([SetAttributes("/huge", Attributes(0o600)), SetXattr("/huge", "user.a", b"1")])
        assert files.lstat("/huge").size == FAR
        files.apply([Delete("/huge", "file")])
        assert sorted(files.listdir("/")) == ["lost+found", "other"]
        assert files.read("/other") == b"other\n"
    tool("e2fsck", "-f", "-n", image)
