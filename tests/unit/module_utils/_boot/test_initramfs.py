from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import initramfs
from ansible_collections.voc.cluster.plugins.module_utils._boot.initramfs import Drivers
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.system import Kernel
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant, tool, whole
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

KERNEL = Kernel("6.1-cloud-amd64", "/boot/vmlinuz", "/boot/initrd", "/lib/modules/6.1-cloud-amd64")
BLK = "usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko.xz"


def entry(name: bytes, data: bytes = b"") -> bytes:
    """Return one file of a cpio archive, as the kernel's documentation describes it."""
    fields = [1, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def archive(files: dict[str, bytes]) -> bytes:
    return b"".join(entry(name.encode("utf-8", "surrogateescape"), data) for name, data in files.items()) + entry(
        b"TRAILER!!!"
    )


def scan(content: bytes) -> tuple[set[str], int]:
    drivers: set[str] = set()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return drivers, initramfs.scan(file, drivers)


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
FILES = st.dictionaries(NAMES.filter(lambda name: name != "TRAILER!!!"), st.binary(max_size=50), max_size=5)


@given(st.lists(st.tuples(FILES, st.integers(0, 40).map(lambda count: 4 * count)), max_size=4))
def test_the_end_of_the_archives_and_all_drivers_in_them_are_found(parts: list[tuple[dict[str, bytes], int]]) -> None:
    content = b"".join(archive(files) + bytes(padding) for files, padding in parts)
    wanted = {initramfs.driver(name) for files, _padding in parts for name in files} - {None}
    assert scan(content) == (wanted, len(content))
    assert scan(content + b"\x28\xb5\x2f\xfdrest") == (wanted, len(content))


@given(FILES, st.data())
def test_a_changed_or_cut_archive_is_read_or_refused(files: dict[str, bytes], data: st.DataObject) -> None:
    content = bytearray(archive({BLK: b"", **files}))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with contextlib.suppress(DamagedImageError):
        assert scan(bytes(content))[1] <= len(content)


@given(st.binary(max_size=400))
def test_anything_is_read_or_refused(content: bytes) -> None:
    for text in (content, b"070701" + content, archive({"a": b""}) + content):
        with contextlib.suppress(DamagedImageError):
            assert scan(text)[1] <= len(text)


def test_an_archive_with_endless_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "_ENTRY_LIMIT", 10)
    with pytest.raises(DamagedImageError, match="more than 10 files"):
        scan(entry(b"a") * 11)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (BLK, "virtio_blk"),
        ("kernel/drivers/char/virtio-rng.ko", "virtio_rng"),
        ("a/b.ko.zst", "b"),
        ("a/b.ko.txt", None),
        ("a.ko/b", None),
        ("", None),
    ],
)
def test_a_driver_is_told_by_its_file(path: str, name: str | None) -> None:
    assert initramfs.driver(path) == name


def _compressed(name: str, data: bytes, folder: Path) -> bytes:
    if name == "gzip":
        return gzip.compress(data)
    if name == "lzma":
        return lzma.compress(data, format=lzma.FORMAT_ALONE)
    plain, packed = folder / "plain", folder / "out"
    plain.write_bytes(data)
    commands = {
        "xz": ("xz", "-k", "--check=crc32", "-c", plain),
        "bzip2": ("bzip2", "-k", "-c", plain),
        "zstd": ("zstd", "-q", "-f", plain, "-o", packed),
        "lz4": ("lz4", "-q", "-l", "-f", plain, packed),
    }
    if name in ("xz", "bzip2"):
        tool("sh", "-c", f'"$@" > {packed}', "sh", *commands[name])
    else:
        tool(*commands[name])
    return packed.read_bytes()


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz", "zstd", "lz4", "lzma"])
@pytest.mark.parametrize("early", [b"", archive({"early/nvme.ko": b"x"}) + bytes(512)])
def test_drivers_are_found_behind_every_compression(
    runner: Runner, tmp_path: Path, compression: str, early: bytes
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    path = tmp_path / "initrd"
    path.write_bytes(early + _compressed(compression, archive({BLK: b"x" * 5000, "init": b"#!"}), tmp_path))
    assert initramfs.carried(runner, str(path), str(folder)) == {"virtio_blk", *(["nvme"] if early else [])}


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"text", "at 0 bytes is neither a cpio archive nor known compressed data"),
        (gzip.compress(b"text", mtime=0), "at 0 bytes of what it unpacks to is no cpio archive"),
        (gzip.compress(archive({BLK: b"x" * 99}), mtime=0)[:-20], "the gzip data"),
        (b"\x28\xb5\x2f\xfdrest", "the zstd data is damaged"),
        (b"\x02\x21\x4c\x18rest", "lz4 failed"),
        (archive({BLK: b"x" * 99})[:200], "the cpio archive ends inside the file at 0 bytes"),
    ],
)
def test_a_damaged_initramfs_is_refused(runner: Runner, content: bytes, finding: str) -> None:
    files = MemoryTree({"/boot/initrd": content})
    with pytest.raises(GuestError) as caught:
        initramfs.look(runner, files, KERNEL)
    message = str(caught.value)
    assert message.startswith("/boot/initrd: its initramfs cannot be read (")
    assert finding in message
    assert message.endswith("; rebuild it in the guest.")


def test_an_initramfs_that_unpacks_without_end_is_refused(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "UNPACKED_LIMIT", 1 << 20)
    files = MemoryTree({"/boot/initrd": gzip.compress(bytes(2 << 20))})
    with pytest.raises(GuestError, match="unpacks to more than 1048576 bytes"):
        initramfs.look(runner, files, KERNEL)


def _guest(initrd: bytes) -> MemoryTree:
    return MemoryTree(
        {
            "/boot/initrd": initrd,
            "/usr/lib/modules/6.1-cloud-amd64/modules.builtin": "kernel/drivers/virtio/virtio_pci.ko\n",
            "/usr/lib/modules/6.1-cloud-amd64/modules.dep": (
                "kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz\n"
                "kernel/drivers/scsi/virtio_scsi.ko.xz:\n"
            ),
            "/lib": ("->", "usr/lib"),
        }
    )


@pytest.mark.parametrize(
    ("wanted", "finding"),
    [
        (["virtio_blk", "virtio-pci", "virtio_net"], None),
        ([], None),
        (["virtio_pci", "e1000", "mptspi"], "the kernel 6.1-cloud-amd64 has no driver e1000, mptspi; install linux-"),
        (["virtio-scsi"], "the initramfs of the kernel 6.1-cloud-amd64 has no driver virtio-scsi; name it in"),
    ],
)
def test_a_driver_that_is_needed_must_be_there_in_time(runner: Runner, wanted: list[str], finding: str | None) -> None:
    files = _guest(archive({BLK: b""}))
    if finding is None:
        initramfs.require(runner, files, KERNEL, wanted, "disk")
        return
    with pytest.raises(GuestError) as caught:
        initramfs.require(runner, files, KERNEL, wanted, "disk")
    assert str(caught.value).startswith(f"disk: {finding}")


def test_an_initramfs_is_unpacked_only_when_something_is_missing_before(runner: Runner) -> None:
    files = _guest(archive({BLK: b""}) + b"\x28\xb5\x2f\xfddamaged")
    initramfs.require(runner, files, KERNEL, ["virtio_blk", "virtio_pci"], "disk")
    with pytest.raises(GuestError, match="the zstd data is damaged"):
        initramfs.require(runner, files, KERNEL, ["virtio_scsi"], "disk")
    files.add("/boot/initrd", b"damaged")
    initramfs.require(runner, files, KERNEL, ["virtio_net", "virtio_pci"], "disk")


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("6.12.107+deb13-cloud-amd64", "install linux-image-amd64 instead"),
        ("6.8.0-51-generic", "install linux-modules-extra-6.8.0-51-generic"),
        ("5.14.0-503.el9.x86_64", "install kernel-modules and kernel-modules-extra of the same version"),
        ("6.4.0-150600.23-kvmsmall", "install kernel-default instead"),
        ("6.6.31-0-virt", "install linux-lts instead"),
        ("6.1.0", "install a kernel that has it"),
    ],
)
def test_the_advice_fits_the_distribution(version: str, advice: str) -> None:
    assert initramfs.remedy(version) == advice


@given(st.lists(st.sampled_from("abcd")), *[st.sets(st.sampled_from("abcd"))] * 3)
def test_every_driver_is_there_absent_or_late(wanted: list[str], builtin: set, modules: set, early: set) -> None:
    paths = {name: f"kernel/drivers/{'net' if name == 'a' else 'scsi'}/{name}.ko" for name in modules}
    drivers = Drivers(builtin, paths, early)
    absent, late = set(drivers.absent(wanted)), set(drivers.late(wanted))
    assert not absent & late
    assert set(wanted) - absent - late == set(wanted) & (builtin | early | (modules & {"a"}))


def test_a_large_initramfs_is_copied_out_of_an_image(
    runner: Runner, open_ext: Callable[[Volume], ExtTree], tmp_path: Path
) -> None:
    """Larger than what is read into memory at once."""
    content = archive({BLK: os.urandom(17 << 20)})
    tree = plant(tmp_path / "tree", {"/boot/initrd": content})
    files = open_ext(whole(make_ext(tmp_path / "part", tree, size=32 << 20)))
    assert initramfs.look(runner, files, KERNEL).early == {"virtio_blk"}
    with pytest.raises(GuestError, match="too many to read"):
        files.copy_out("/boot/initrd", str(tmp_path / "copy"), 1 << 20)


def test_reading_stops_at_the_end_of_the_file() -> None:
    assert scan(b"") == (set(), 0)
    assert scan(bytes(10)) == (set(), 10)


MODULES = "/lib/modules/6.1-cloud-amd64"


@pytest.mark.parametrize(
    ("kind", "builtin", "modules", "needed"),
    [
        ("xfs", "", "kernel/fs/xfs/xfs.ko.xz:", ["xfs"]),
        ("ext3", "kernel/fs/ext4/ext4.ko", "", ["ext4"]),
        ("ext3", "", "kernel/fs/ext3/ext3.ko:", ["ext3"]),
        ("btrfs", "kernel/fs/ext4/ext4.ko", "", ["btrfs"]),
        ("btrfs", None, "kernel/fs/xfs/xfs.ko:", []),  # what old kernels have built in is not known
    ],
)
def test_the_driver_of_the_root_filesystem_is_needed(
    kind: str, builtin: str | None, modules: str, needed: list[str]
) -> None:
    files = MemoryTree({f"{MODULES}/modules.dep": modules})
    if builtin is not None:
        files.add(f"{MODULES}/modules.builtin", builtin)
    assert initramfs.filesystem_drivers(files, KERNEL, kind) == needed


def test_an_initramfs_without_the_root_filesystems_driver_is_refused(runner: Runner) -> None:
    files = MemoryTree(
        {"/boot/initrd": archive({BLK: b""}), f"{MODULES}/modules.dep": "kernel/fs/xfs/xfs.ko.xz:\n"},
    )
    needed = initramfs.filesystem_drivers(files, KERNEL, "xfs")
    with pytest.raises(GuestError, match=r"the initramfs of the kernel 6.1-cloud-amd64 has no driver xfs; .* rebuild"):
        initramfs.require(runner, files, KERNEL, needed, "disk")
    files.add("/boot/initrd", archive({"usr/lib/modules/6.1/kernel/fs/xfs/xfs.ko.xz": b""}))
    initramfs.require(runner, files, KERNEL, needed, "disk")
