from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest import references
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.references import Renaming
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import assert_clean, make_ext, plant, whole

OpenExt = Callable[[Volume], ExtTree]

OLD = "0f2c4a6e-1111-4222-8333-944455566677"
NEW = "aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb"
ROOT = Renaming("UUID", "root", 1, OLD, NEW)
ESP = Renaming("UUID", "esp", 2, "12AB-34CD", "9999-EEEE")
DOS = Renaming("PARTUUID", "root", 1, "1234abcd-01", "cafe0001-02")
DISK = Renaming("PTUUID", "disk", None, "1234abcd", "cafe0001")
ALL = (ROOT, ESP, DOS, DISK)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"UUID={OLD} / ext4 ro 0 1\n", f"UUID={NEW} / ext4 ro 0 1\n"),
        (f'UUID="{OLD}"', f'UUID="{NEW}"'),
        (f"/dev/disk/by-uuid/{OLD}", f"/dev/disk/by-uuid/{NEW}"),
        (f"root=UUID={OLD.upper()}", f"root=UUID={NEW.upper()}"),
        (f"search --fs-uuid --set=root {OLD}\n", f"search --fs-uuid --set=root {NEW}\n"),
        (f"x{OLD}x", f"x{NEW}x"),
        (f"a{OLD}", f"a{OLD}"),
        (f"{OLD}0", f"{OLD}0"),
        ("UUID=12AB-34CD /boot/efi vfat", "UUID=9999-EEEE /boot/efi vfat"),
        ("UUID=12ab-34cd", "UUID=9999-eeee"),
        ("/dev/disk/by-uuid/12AB-34CD", "/dev/disk/by-uuid/9999-EEEE"),
        ("search --no-floppy --fs-uuid --set=root 12AB-34CD", "search --no-floppy --fs-uuid --set=root 9999-EEEE"),
        ("search.fs_uuid 12AB-34CD root", "search.fs_uuid 9999-EEEE root"),
        ("PARTUUID=12AB-34CD", "PARTUUID=12AB-34CD"),
        ("PARTLABEL=12AB-34CD 12AB-34CD", "PARTLABEL=12AB-34CD 12AB-34CD"),
        ("UUID=12AB-34CDE", "UUID=12AB-34CDE"),
        ("root=PARTUUID=1234abcd-01 ro", "root=PARTUUID=cafe0001-02 ro"),
        ("/dev/disk/by-partuuid/1234ABCD-01", "/dev/disk/by-partuuid/CAFE0001-02"),
        ("UUID=1234abcd-01", "UUID=1234abcd-01"),
        ("PARTUUID=1234abcd-011 1234abcd 1234abcd-01", "PARTUUID=1234abcd-011 1234abcd 1234abcd-01"),
    ],
)
def test_a_reference_follows_where_it_is_one(before: str, after: str) -> None:
    assert references.follow(before, ALL) == after


def test_of_two_with_one_identifier_the_last_counts() -> None:
    other = Renaming("UUID", "data", 2, OLD, str(uuid.uuid4()))
    assert references.follow(OLD, (other, ROOT)) == NEW


@given(st.text(), st.text(), st.uuids(), st.uuids())
def test_all_other_text_stays(before: str, after: str, old: uuid.UUID, new: uuid.UUID) -> None:
    item = Renaming("UUID", "root", 1, str(old), str(new))
    text = f"{before} {old}\n{after}"
    assert references.follow(text, ()) == text
    assert references.follow(text, (item,)) == text.replace(str(old), references.follow(str(old), (item,)))


@given(st.binary())
def test_files_of_any_bytes_are_kept(content: bytes) -> None:
    assert references.follow_file("/etc/fstab", content, ALL) == content


@pytest.mark.parametrize("new", [NEW, "cafe0001-02"])
def test_the_environment_of_grub_keeps_its_size(new: str) -> None:
    text = f"# GRUB Environment Block\nkernelopts=root=PARTUUID={OLD} ro\n"
    followed = references.follow_file(
        "/boot/grub/grubenv", text.ljust(1024, "#").encode(), [Renaming("PARTUUID", "root", 1, OLD, new)]
    )
    assert followed.decode() == text.replace(OLD, new).ljust(1024, "#")


def test_wildcards_are_looked_up() -> None:
    tree = {"/EFI": ["debian", "BOOT"], "/etc": ["b.conf", "a.cfg", "*.conf"]}
    patterns = ["/etc/fstab", "/EFI/*/grub.cfg", "/etc/*.conf", "/none/*/x"]
    assert list(references.matching(patterns, lambda folder: tree.get(folder, []))) == [
        *("/etc/fstab", "/EFI/debian/grub.cfg", "/EFI/BOOT/grub.cfg", "/etc/b.conf"),
    ]


def test_files_of_a_guest_follow_and_others_stay(open_ext: OpenExt, tmp_path: Path) -> None:
    names = ("/etc/fstab", "/etc/default/grub", "/etc/kernel/cmdline", "/etc/initramfs-tools/conf.d/resume")
    boot = ("/boot/grub/grub.cfg", "/boot/loader/entries/a.conf", "/grub2/grub.cfg", "/boot/efi/EFI/debian/grub.cfg")
    others = ("/etc/notes", "/boot/loader/entries/a.txt")
    folder = plant(tmp_path / "tree", dict.fromkeys((*names, *boot, *others), f"UUID={OLD}\n"))
    (folder / "boot/grub/menu.lst").symlink_to("/boot/grub/menu.lst")
    (folder / "syslinux").write_text(OLD)
    (folder / "etc/crypttab").mkdir()
    image = make_ext(tmp_path / "part", folder)
    files = open_ext(whole(image))
    references.follow_tree(files, ALL)
    assert {files.read(name) for name in (*names, *boot)} == {f"UUID={NEW}\n".encode()}
    assert {files.read(name) for name in others} == {f"UUID={OLD}\n".encode()}
    assert_clean(image)


@pytest.mark.parametrize("subvolume", ["@", "@rootfs", "root"])
def test_the_root_of_a_btrfs_is_found_in_its_subvolume(open_ext: OpenExt, tmp_path: Path, subvolume: str) -> None:
    folder = plant(tmp_path / "tree", {f"/{subvolume}/etc/fstab": OLD})
    files = open_ext(whole(make_ext(tmp_path / "part", folder)))
    references.follow_tree(files, ALL)
    assert files.read(f"/{subvolume}/etc/fstab").decode() == OLD
    references.follow_tree(files, ALL, subvolumes=True)
    assert files.read(f"/{subvolume}/etc/fstab").decode() == NEW
