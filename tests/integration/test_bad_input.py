"""Bad input gets one clear sentence, and nothing is left behind."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .playbooks import contextualize, listing

Maker = Callable[[Path], Path]


def make_partition(folder: Path, mebibytes: int = 8) -> Path:
    image = folder / "partition.img"
    tree = folder / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/os-release").write_text('ID=debian\nVERSION_ID="13"\n')
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, f"{mebibytes}M"], check=True)
    return image


def no_such_file(folder: Path) -> Path:
    return folder / "absent.img"


def empty_file(folder: Path) -> Path:
    image = folder / "empty.img"
    image.touch()
    return image


def text_file(folder: Path) -> Path:
    image = folder / "notes.img"
    image.write_text("This is no image at all.\n" * 1000)
    return image


def truncated_gzip(folder: Path) -> Path:
    image = folder / "cut.img.gz"
    packed = gzip.compress(make_partition(folder).read_bytes() + random.Random(1).randbytes(1 << 20))
    image.write_bytes(packed[: len(packed) // 2])
    return image


def text_in_gzip(folder: Path) -> Path:
    image = folder / "notes.gz"
    image.write_bytes(gzip.compress(text_file(folder).read_bytes()))
    return image


def backing_file(folder: Path) -> Path:
    image, secret = folder / "overlay.qcow2", make_partition(folder)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", image], check=True)
    return image


def qcow2(folder: Path) -> Path:
    image = folder / "really.qcow2"
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", make_partition(folder), image],
        check=True,
    )
    return image


def truncated_partition(folder: Path) -> Path:
    image = make_partition(folder)
    os.truncate(image, 5 << 20)
    return image


def lvm_disk(folder: Path) -> Path:
    """Make a disk whose ext filesystem is /boot, and whose root is on LVM: Red Hat's default."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(32 << 20)
        file.seek(1 << 20)
        file.write(make_partition(folder).read_bytes())
        file.seek((9 << 20) + 536)
        file.write(b"LVM2 001")
    subprocess.run(["sfdisk", "-q", image], input=b"label: dos\n2048,8M\n,,8e\n", check=True)
    return image


def no_root_directory(folder: Path) -> Path:
    image = make_partition(folder)
    subprocess.run(["debugfs", "-w", "-R", "clri <2>", image], check=True, capture_output=True)
    return image


def shared_blocks(folder: Path) -> Path:
    """Let two files claim the same block: e2fsck needs somebody's decision to part them."""
    image, tree = folder / "partition.img", folder / "tree"
    tree.mkdir()
    for name in ("a", "b"):
        (tree / name).write_text(name * 2000)
    subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", tree, image, "8M"], check=True)
    asked = subprocess.run(["debugfs", "-R", "bmap /a 0", image], check=True, capture_output=True, text=True)
    request = f"set_inode_field /b block[0] {asked.stdout.strip()}"
    subprocess.run(["debugfs", "-w", "-R", request, image], check=True, capture_output=True)
    return image


CASES: list[tuple[Maker, dict[str, object], str]] = [
    (no_such_file, {}, "there is no such file; check the path"),
    (empty_file, {}, "the file is empty; fetch the image again"),
    (text_file, {}, "neither a known filesystem nor a partition table; give a disk or partition image"),
    (truncated_gzip, {}, "the gzip data ends too early; fetch the image again"),
    (text_in_gzip, {}, "neither a known filesystem nor a partition table; give a disk or partition image"),
    (backing_file, {}, "the qcow2 image has a backing file; flatten it"),
    (qcow2, {"image_format": "raw"}, "declared to be raw but its bytes are those of qcow2; declare the format"),
    (truncated_partition, {}, "the filesystem has 8388608 bytes but the file only 5242880; fetch the image again"),
    (lvm_disk, {}, "partition 2 is a physical volume of LVM, which is not supported; activate its volume group"),
    (make_partition, {"site_hypervisor": {"disk_size": "4M"}}, "too small for a partition of 8388608 bytes; ask for"),
    (no_root_directory, {}, "the filesystem cannot be read (debugfs: "),
    (shared_blocks, {}, "errors that e2fsck cannot repair safely"),
    (make_partition, {"site_hypervisor": {"format": "qed"}}, "site_hypervisor"),
    (make_partition, {"site_kernel_packages": []}, "the guest has no package manager that is known"),
]


@pytest.mark.parametrize(
    ("make", "variables", "sentence"), CASES, ids=[f"{case[0].__name__}{i}" for i, case in enumerate(CASES)]
)
def test_bad_input_is_refused(tmp_path: Path, make: Maker, variables: dict[str, object], sentence: str) -> None:
    (tmp_path / "vo").mkdir()
    source = make(tmp_path / "vo")
    before = snapshot(source)

    play = contextualize(tmp_path / "build", source, **variables)

    message = failure(play.output)
    about_the_site = "site_hypervisor" in sentence or "package manager" in sentence
    assert play.status != 0
    assert sentence in message
    assert "Traceback" not in play.output
    assert str(source) in message or about_the_site
    assert snapshot(source) == before
    assert not (tmp_path / "build/releases").exists()
    assert listing(tmp_path / "build") <= {"work"}


def test_full_builder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vo").mkdir()
    (tmp_path / "build").mkdir()
    source = make_partition(tmp_path / "vo", mebibytes=64)
    # Allocated for real: a hole would need no space.
    with source.open("r+b") as file:
        file.seek(32 << 20)
        file.write(random.Random(1).randbytes(16 << 20))
    with small_filesystem(tmp_path / "build"):
        play = contextualize(tmp_path / "build", source)
        assert listing(tmp_path / "build") <= {"work"}
    assert play.status != 0
    assert re.search(
        r"\d+ bytes are needed, and \d+ more shall stay free, but only \d+ are free; free some space",
        failure(play.output),
    )


@contextmanager
def small_filesystem(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def failure(output: str) -> str:
    """Return the one message that a user reads."""
    messages = re.findall(r'FAILED! => .*?"msg": "(.*?)"[,}]', output, re.DOTALL)
    details = re.findall(r'"argument_errors": \[(.*?)\]', output, re.DOTALL)
    assert len(messages) == 1, output
    return "".join([messages[0], *details])


def snapshot(path: Path) -> tuple[str, int] | None:
    if not path.exists():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
