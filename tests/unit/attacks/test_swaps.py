"""Sources that are exchanged between the look at them and their use."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import UnsafeImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import convert, extract, layout
from ansible_collections.voc.cluster.plugins.module_utils._image.layout import Extra, Options
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.attacks.hostile import (
    VERBS,
    Attack,
    make_overlay,
    overlay_header,
    plant,
)
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext, tool

CHANGED = "the file changed while it was read; let nobody write to it"


class Swapping(PopenRunner):
    """Exchanges a file for another just before a program starts."""

    def __init__(self, path: Path, other: Path, before: str) -> None:
        super().__init__()
        self.path, self.other, self.before = path, other, before

    def run(self, argv, **options):
        if argv[0] == self.before and self.other.exists():
            self.other.replace(self.path)
        return super().run(argv, **options)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=MIB))


@pytest.mark.parametrize("tool_name", ["e2fsck", "resize2fs"])
def test_a_layout_of_a_source_that_was_swapped_does_not_appear(disk: Path, out: Path, tool_name: str) -> None:
    other = disk.with_name("other")
    shutil.copy(disk, other)
    runner = Swapping(disk, other, tool_name)
    with pytest.raises(UnsafeImageError, match=CHANGED):
        layout.build(runner, layout.plan(runner, str(disk), None), str(out / "out"))
    assert os.listdir(out) == []


def test_nor_one_of_another_partition_that_was_swapped(disk: Path, out: Path) -> None:
    data, other = (make_ext(disk.with_name(name), size=MIB) for name in ("data", "other"))
    runner = Swapping(data, other, "e2fsck")
    options = Options(extras=(Extra("data", str(data)),))
    with pytest.raises(UnsafeImageError, match=CHANGED):
        layout.build(runner, layout.plan(runner, str(disk), None, options), str(out / "out"))
    assert os.listdir(out) == []


@pytest.mark.parametrize("swap", ["between", "content"])
def test_a_partition_of_a_disk_that_was_swapped_does_not_appear(disk: Path, out: Path, swap: str) -> None:
    """The second one only changes a byte and puts the times back, as far as one can."""
    runner = PopenRunner()
    planned = extract.plan(runner, str(disk), None)
    if swap == "between":
        shutil.copy(disk, disk.with_name("other"))
        disk.with_name("other").replace(disk)
    else:
        status = disk.stat()
        with disk.open("r+b") as file:
            file.seek(MIB + 200)
            file.write(b"x")
        os.utime(disk, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(UnsafeImageError, match=CHANGED):
        extract.build(runner, planned, str(out / "out"))
    assert os.listdir(out) == []


@contextmanager
def racing(path: Path, *others: Path) -> Iterator[None]:
    """Exchange a file for hard links to others, again and again, as fast as can be."""
    stop = threading.Event()
    link = path.with_name("link")

    def race() -> None:
        while not stop.is_set():
            for other in others:
                os.link(other, link)
                link.replace(path)

    writer = threading.Thread(target=race)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_a_race_for_the_source_is_never_won(secret: Path, attack: Attack, tmp_path: Path, out: Path) -> None:
    """The honest image and the overlay of the secret change places all the time: no run leaks, whatever it says."""
    raw, honest = tmp_path / "raw", tmp_path / "honest"
    raw.write_bytes(os.urandom(MIB))
    tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, honest)
    overlay, image = tmp_path / "overlay", tmp_path / "image"
    tool("qemu-img", "create", "-q", "-f", "qcow2", overlay, "4M")
    plant(overlay, overlay_header(str(secret)))
    os.link(honest, image)
    with racing(image, overlay, honest):
        results = [attack("image_convert", src=str(image), dest=str(out / f"{number}")) for number in range(20)]
    assert all(
        result.get("failed") or (out / str(number)).read_bytes() == raw.read_bytes()
        for number, result in enumerate(results)
    )


@pytest.mark.parametrize("verb", ["image_layout", "image_extract"])
def test_a_race_for_a_disk_is_never_won(verb: str, secret: Path, attack: Attack, disk: Path, out: Path) -> None:
    overlay = make_overlay(disk.with_name("overlay"), str(secret))
    honest = disk.with_name("honest")
    disk.rename(honest)
    os.link(honest, disk)
    with racing(disk, overlay, honest):
        for number in range(4):
            options = {**VERBS[verb](str(disk), out), "dest": str(out / str(number))}
            assert attack(verb, **options).get("failed") or (out / str(number)).exists()
    assert all(path.name.isdigit() for path in out.iterdir())


def test_a_swap_back_is_noticed_too(tmp_path: Path, out: Path) -> None:
    """The file that qemu-img read was another one, though the first is there again in the end."""
    image, overlay, kept = (tmp_path / name for name in ("image", "overlay", "kept"))
    tool("qemu-img", "create", "-q", "-f", "qcow2", image, "4M")
    tool("qemu-img", "create", "-q", "-f", "qcow2", overlay, "4M")

    class There(PopenRunner):
        def run(self, argv, **options):
            if argv[1] == "check":  # meanwhile, and of the right one
                return super().run(argv, **options)
            image.rename(kept)
            overlay.rename(image)
            try:
                return super().run(argv, **options)
            finally:
                image.rename(overlay)
                kept.rename(image)

    with pytest.raises(UnsafeImageError, match=CHANGED):
        convert.convert(There(), str(image), str(out / "out"), Output())
    assert os.listdir(out) == []
