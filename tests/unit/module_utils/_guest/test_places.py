from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab, places
from ansible_collections.voc.cluster.plugins.module_utils._image.contents import Contents, Region
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Filesystem, Volume
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import Partition, Table

KINDS = ("vfat", "ext4", "swap", "xfs", "ext3", None)  # of the partitions 1 to 6; the root is the fourth
ROOT = 4


def region(number: int, kind: str | None) -> Region:
    found = Filesystem(kind, uuid=f"uuid-{number}", label=f"l{number}") if kind else None
    return Region(Volume("disk", number << 20, 1 << 20), found, number)


REGIONS = tuple(region(number, kind) for number, kind in enumerate(KINDS, start=1))
PARTITIONS = tuple(
    Partition(number, number * 2048, 2048, "83", uuid=f"PART-{number}", name=f"p{number}") for number in range(1, 7)
)
DISK = Contents(10 << 20, Table("gpt", PARTITIONS), REGIONS)


def placed(text: str, seen: Contents = DISK) -> dict[str, int | None]:
    found = places.from_fstab(seen, REGIONS[ROOT - 1], fstab.parse(text))
    return {place.path: place.region.partition for place in found}


@pytest.mark.parametrize(
    "source",
    [
        "UUID=uuid-2",
        'UUID="uuid-2"',
        "LABEL=l2",
        "PARTUUID=part-2",
        "PARTUUID=PART-2",
        "PARTLABEL=p2",
        "/dev/disk/by-uuid/uuid-2",
        "/dev/disk/by-partuuid/part-2",
        "/dev/vda2",
        "/dev/xvda2",
        "/dev/nvme0n1p2",
        "/dev/mmcblk0p2",
    ],
)
def test_a_filesystem_is_placed_by_every_name_of_it(source: str) -> None:
    assert placed(f"{source} /boot ext4 defaults 0 2\n") == {"/boot": 2}


@pytest.mark.parametrize(
    "text",
    [
        "/dev/vda2 /boot xfs",  # it is ext4
        "/dev/vda9 /boot ext4",  # there is none
        "/dev/vda /boot ext4",
        "/dev/mapper/vg-boot /boot ext4",
        "/dev/vda2 /boot ext4\n/dev/vdb1 /data ext4",  # of several disks
        "/dev/vda1 / xfs\n/dev/vda2 /boot ext4",  # the root has another number
        "UUID=uuid-4 / xfs\n/dev/vdb2 /boot ext4",  # of a second disk, for the root is not said to be on it
        "UUID=gone / xfs\n/dev/nvme0n2p2 /boot ext4",
        "UUID=uuid-4 /again xfs",  # it is the root
        "UUID=uuid-1 /boot/efi vfat",
        "UUID=uuid-3 none swap",
        "UUID=uuid-6 /nothing ext4",
        "UUID=uuid-2 /home btrfs subvol=home",
        "UUID=uuid-2 / ext4",
        "UUID=uuid-2 boot ext4",
        "UUID=uuid-2 /boot/../.. ext4",
        "# UUID=uuid-2 /boot ext4",
    ],
)
def test_what_is_no_filesystem_of_the_tree_is_not_placed(text: str) -> None:
    assert placed(text) == {}


def test_parents_come_first_and_nothing_comes_twice() -> None:
    text = "UUID=uuid-5 /boot/deep ext3\nLABEL=l2 //boot/ ext4\nUUID=uuid-2 /again ext4\nUUID=uuid-5 /boot ext3\n"
    assert list(placed(text).items()) == [("/boot", 2), ("/boot/deep", 5)]


def test_a_name_that_two_share_is_nobodys() -> None:
    twins = (REGIONS[0], REGIONS[1], region(3, "ext4"), REGIONS[3], Region(REGIONS[4].volume, REGIONS[1].filesystem, 5))
    assert placed("UUID=uuid-2 /boot ext4", Contents(10 << 20, DISK.table, twins)) == {}
    assert placed("PARTUUID=part-2 /boot ext4", Contents(10 << 20, DISK.table, twins)) == {"/boot": 2}


def test_a_partition_image_has_no_places() -> None:
    alone = region(1, "ext4")
    entries = fstab.parse("/dev/vda1 / ext4\n/dev/vda2 /boot ext4\nUUID=uuid-1 /x ext4\n")
    assert places.from_fstab(Contents(1, None, (alone,)), alone, entries) == []


def test_partitions_of_a_dos_table_have_identifiers_of_the_disks() -> None:
    seen = Contents(10 << 20, Table("dos", PARTITIONS, id="0x00c0ffee"), REGIONS)
    assert placed("PARTUUID=00c0ffee-02 /boot ext4", seen) == {"/boot": 2}
    assert placed("PARTUUID=00C0FFEE-05 /boot ext3", seen) == {"/boot": 5}
    for other in ("00c0ffef-02", "00c0ffee-2", "00c0ffee-07"):
        assert placed(f"PARTUUID={other} /boot ext4", seen) == {}


SOURCES = st.one_of(
    st.builds("/dev/{}{}".format, st.sampled_from(["vda", "sdb", "nvme0n1p"]), st.integers(0, 999)),
    st.builds("{}={}".format, st.sampled_from(["UUID", "LABEL"]), st.sampled_from(["uuid-2", "uuid-5", "l5", ""])),
    st.text(max_size=8),
)
ENTRIES = st.builds(
    fstab.FstabEntry,
    SOURCES,
    st.one_of(st.sampled_from(["/", "/boot", "/boot/", "none", "/var/log"]), st.text(max_size=8)),
    st.sampled_from(["ext4", "ext3", "xfs", "auto", "swap", ""]),
)


@given(st.lists(ENTRIES, max_size=8))
def test_any_fstab_gives_sound_places(entries: list[fstab.FstabEntry]) -> None:
    found = places.from_fstab(DISK, REGIONS[ROOT - 1], entries)
    paths = [place.path for place in found]
    assert len(set(paths)) == len(paths)
    assert len({place.region.partition for place in found}) == len(found)
    for place in found:
        assert place.path.startswith("/")
        assert ".." not in place.path.split("/")
        assert place.region.kind in ("ext4", "ext3")


@pytest.mark.parametrize(
    "text",
    [
        "/dev/sdb4 /scratch xfs",
        "/dev/sda4 /scratch auto",
        "UUID=gone / xfs\n/dev/sdb4 /scratch xfs",
        "UUID=gone / xfs\n/dev/sda4 /scratch xfs",
        "PARTUUID=gone / xfs\n/dev/sda4 /scratch xfs",
        "/dev/sda4 / xfs\n/dev/sda4 /scratch xfs",
        "/dev/sda4 /scratch xfs\n/dev/sda4 / xfs",
    ],
)
def test_no_entry_of_another_path_comes_to_mean_the_root(text: str) -> None:
    """A job that empties its scratch would empty the guest."""
    entries = fstab.parse(text)
    assert places.by_device(DISK, REGIONS[ROOT - 1], entries) == {}


def test_device_names_become_lasting_ones_once() -> None:
    root = fstab.FstabEntry("UUID=uuid-4", "/", "xfs")
    text = (
        "/dev/sda4 / ext4 errors=remount-ro 0 1\n/dev/sda2 /boot ext4 noatime 0 2\n/dev/sda3 none swap sw 0 0\n"
        "UUID=uuid-3 none swap sw 0 0\n/dev/sda9 /data ext4 defaults 0 2\n"
    )
    entries = fstab.parse(text)
    renamed = {
        source: f"UUID={found.filesystem.uuid}"
        for source, found in places.by_device(DISK, REGIONS[ROOT - 1], entries).items()
        if found.filesystem
    }
    there = {f"UUID=uuid-{number}" for number in range(1, 6)}
    adapted, switched_off = fstab.adapt(text, root, there, renamed)
    assert switched_off == ["/dev/sda3", "/data"]
    # The options of ext4 would keep xfs from being mounted.
    assert adapted == (
        "UUID=uuid-4 / xfs defaults 0 0\nUUID=uuid-2 /boot ext4 noatime 0 2\n"
        "# voc.cluster: no such device in this image: /dev/sda3 none swap sw 0 0\nUUID=uuid-3 none swap sw 0 0\n"
        "# voc.cluster: no such device in this image: /dev/sda9 /data ext4 defaults 0 2\n"
    )
    assert fstab.adapt(adapted, root, there, renamed) == (adapted, [])


@given(st.lists(ENTRIES.filter(lambda entry: entry.source.isprintable() and entry.path.isprintable()), max_size=6))
def test_an_adapted_fstab_is_left_as_it_is(entries: list[fstab.FstabEntry]) -> None:
    text = "".join(f"{entry.line}\n" for entry in entries if all((entry.source, entry.path, entry.type)))
    root = fstab.FstabEntry("UUID=uuid-4", "/", "xfs")
    there = {f"UUID=uuid-{number}" for number in range(1, 6)}

    def adapt(before: str) -> str:
        devices = places.by_device(DISK, REGIONS[ROOT - 1], fstab.parse(before))
        renamed = {source: f"UUID=uuid-{found.partition}" for source, found in devices.items()}
        return fstab.adapt(before, root, there, renamed)[0]

    adapted = adapt(text)
    assert adapt(adapted) == adapted
    named = [entry.source for entry in fstab.parse(adapted) if entry.source.startswith("/dev/")]
    assert all("noauto" in entry.options for entry in fstab.parse(adapted) if entry.source in named)
