from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._image import blocks
from ansible_collections.voc.cluster.tests.unit.images import (
    MIB,
    UUID,
    assert_clean,
    debugfs,
    make_disk,
    make_ext,
    make_xfs_head,
    plant,
)
from ansible_collections.voc.cluster.tests.unit.modules.run_module import run_module


def test_check_mode_tells_what_a_run_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "src": str(make_ext(tmp_path / "part")),
        "dest": str(tmp_path / "disk"),
        "table": "gpt",
        "esp": "40M",
        "size": "64M",
    }
    told = run_module("image_layout", capsys, check=True, **options)
    assert not (tmp_path / "disk").exists()
    done = run_module("image_layout", capsys, **options)
    assert [part.pop("uuid") for part in told["partitions"]] == [None, None, None]
    # A new FAT's serial number is known when it is made.
    bios, esp, root = (part.pop("uuid") for part in done["partitions"])
    assert (bios, bool(esp), root) == (None, True, UUID)
    assert {**done, **told} == done
    assert told == {
        "changed": True,
        "renamed": [],
        "dest": str(tmp_path / "disk"),
        "size": 64 * MIB,
        "offset": 42 * MIB,
        "uuid": UUID,
        "table": "gpt",
        "sector_size": 512,
        "partitions": [
            {"number": 1, "role": "bios", "offset": MIB, "size": MIB, "path": None},
            {"number": 2, "role": "esp", "offset": 2 * MIB, "size": 40 * MIB, "path": None},
            {"number": 3, "role": "root", "offset": 42 * MIB, "size": 21 * MIB, "path": None},
        ],
    }
    assert not run_module("image_layout", capsys, **options)["changed"]


def test_check_mode_tells_what_gets_new_identifiers_but_not_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/etc/fstab": f"UUID={UUID} / ext4 ro 0 1\n"}))
    options = {"src": str(source), "dest": str(tmp_path / "disk"), "new_uuids": True}
    told = run_module("image_layout", capsys, check=True, **options)
    assert told["uuid"] is None
    assert told["renamed"] == [{"kind": "UUID", "role": "root", "number": 1, "old": UUID, "new": None}]
    assert not (tmp_path / "disk").exists()
    done = run_module("image_layout", capsys, **options)
    assert done["renamed"] == [{**told["renamed"][0], "new": done["uuid"]}]
    assert done["uuid"] != UUID
    assert debugfs(tmp_path / "disk", "cat /etc/fstab", offset=MIB) == f"UUID={done['uuid']} / ext4 ro 0 1\n"
    again = run_module("image_layout", capsys, **options)
    assert (again["changed"], again["uuid"], again["renamed"]) == (False, done["uuid"], [])


def test_another_table_gives_partitions_another_identifier_and_filesystems_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_disk(tmp_path / "source", make_ext(tmp_path / "part"))
    options = {"src": str(source), "dest": str(tmp_path / "disk"), "table": "gpt"}
    told = run_module("image_layout", capsys, check=True, **options)
    assert told["uuid"] == UUID
    assert [(item["kind"], item["role"], item["new"]) for item in told["renamed"]] == [
        ("PTUUID", "disk", None),
        ("PARTUUID", "root", None),
    ]
    done = run_module("image_layout", capsys, **options)
    assert done["uuid"] == UUID
    seen = run_module("image_info", capsys, path=str(tmp_path / "disk"))
    _disk, part = (item["new"] for item in done["renamed"])
    assert part in [each["uuid"].lower() for each in seen["partition_table"]["partitions"]]


def test_bad_input_names_what_the_user_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_ext(tmp_path / "part")
    options = {"src": str(source), "src_name": "/srv/vo.img.gz", "dest": str(tmp_path / "disk")}
    result = run_module("image_layout", capsys, **options, size="2M")
    assert result["failed"]
    assert result["msg"].startswith("/srv/vo.img.gz: a disk of 2097152 bytes is too small for a partition of 4194304")
    result = run_module("image_layout", capsys, **options, esp="1M")
    assert result["msg"].startswith("an EFI system partition of 1048576 bytes is too small")
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitions": [{"type": "swap", "size": "0"}]}, "partitions: size: '0' is too small; give 1048576 bytes at"),
        (
            {"partitions": [{"type": "swap", "size": "1K"}]},
            "partitions: size: '1K' is too small; give 1048576 bytes at",
        ),
        ({"partitions": [{"type": "swap", "size": "-1G"}]}, "partitions: size: '-1G' is"),
        (
            {"size": "17179869184T", "table": "gpt"},
            "size: '17179869184T' is too large; give 9223372036854775807 bytes at",
        ),
        ({"size": "17179869184T", "table": "dos"}, "size: '17179869184T' is too large"),
        ({"partitions": [{"type": "swap", "size": "17179869184T"}]}, "partitions: size: '17179869184T' is too large"),
    ],
)
def test_a_size_that_cannot_be_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, object], message: str
) -> None:
    source, dest = make_ext(tmp_path / "part"), tmp_path / "disk"
    for check in (True, False):
        result = run_module("image_layout", capsys, check=check, src=str(source), dest=str(dest), **options)
        assert result["failed"]
        assert result["msg"].startswith(message)
    assert not dest.exists()


@pytest.mark.parametrize("size", ["7E", "8191P"])
def test_a_disk_that_no_filesystem_can_hold_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    source, dest = make_ext(tmp_path / "part"), tmp_path / "disk"
    result = run_module("image_layout", capsys, src=str(source), dest=str(dest), size=size, table="gpt")
    assert result["failed"]
    assert str(tmp_path) in result["msg"]
    assert not dest.exists()


def test_a_disk_that_another_run_works_on_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dest = make_disk(tmp_path / "disk", make_ext(tmp_path / "part"))
    before = dest.read_bytes()
    options = {"src": str(tmp_path / "part"), "dest": str(dest), "force": True}
    with blocks.locked(str(dest)):
        result = run_module("image_layout", capsys, **options)
    assert result["msg"].startswith(f"{dest}: another run is working on this file")
    assert dest.read_bytes() == before
    assert run_module("image_layout", capsys, **options)["changed"]


def test_sectors_of_4096_bytes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_ext(tmp_path / "part", options=("-b", "4096"))
    options = {"src": str(source), "dest": str(tmp_path / "disk"), "table": "gpt", "sector_size": 4096}
    assert run_module("image_layout", capsys, **options)["sector_size"] == 4096
    seen = run_module("image_info", capsys, path=str(tmp_path / "disk"))
    assert seen["partition_table"]["sector_size"] == 4096
    assert [(fs["offset"], fs["uuid"], fs["block_size"]) for fs in seen["filesystems"]] == [(MIB, UUID, 4096)]
    assert seen["summary"][0] == "disk (gpt), 6 MiB, sectors of 4096 bytes"
    assert run_module("image_extract", capsys, src=str(tmp_path / "disk"), dest=str(tmp_path / "root"))["changed"]
    assert (tmp_path / "root").stat().st_size == 4 * MIB


OLD_FSTAB = "/dev/xvda1 / ext4 noatime 0 1\n/dev/xvda2 none swap sw 0 0\n/dev/xvda3 /srv/data ext3 ro 0 2\n"


@pytest.mark.parametrize("table", ["dos", "gpt"])
def test_the_guest_is_told_of_what_its_disk_got(tmp_path: Path, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"/etc/fstab": OLD_FSTAB, "/usr/a": ""}
    root = make_ext(tmp_path / "part", plant(tmp_path / "tree", dict(files)), size=8 * MIB)
    extras = {name: make_ext(tmp_path / name, options=("-U", "random")) for name in ("data", "below")}
    disk = tmp_path / "disk"
    wanted = [
        {"type": "swap", "size": "2M"},
        {"type": "data", "src": str(extras["below"]), "path": "/srv/data/below it"},
        {"type": "data", "src": str(extras["data"]), "path": "/srv/data/"},
    ]
    done = run_module("image_layout", capsys, src=str(root), dest=str(disk), table=table, size="64M", partitions=wanted)

    by_path = {part["path"]: part for part in done["partitions"]}
    text = debugfs(disk, "cat /etc/fstab", offset=done["offset"])
    assert text.splitlines() == [
        *OLD_FSTAB.splitlines()[:2],
        f"UUID={by_path['/srv/data']['uuid']} /srv/data ext4 defaults 0 2",
        f"UUID={by_path['none']['uuid']} none swap sw 0 0",
        f"UUID={by_path['/srv/data/below it']['uuid']} /srv/data/below\\040it ext4 defaults 0 2",
    ]
    # A mount point lies on the filesystem that is mounted above it.
    assert "data" in debugfs(disk, "ls /srv", offset=done["offset"])
    assert "below it" not in debugfs(disk, "ls /srv/data", offset=done["offset"])
    assert "below it" in debugfs(disk, "ls /", offset=by_path["/srv/data"]["offset"])
    for path in ("/srv/data", "/srv/data/below it"):
        assert_clean(disk, by_path[path]["offset"])

    edits = [{"file": {"path": "/srv/data/below it/x", "content": "y"}}]
    assert run_module("image_edit", capsys, image=str(disk), edits=edits)["changed"]
    assert debugfs(disk, "cat /x", offset=by_path["/srv/data/below it"]["offset"]) == "y"


def test_a_disk_with_boot_and_swap_is_made_to_boot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"/etc/fstab": OLD_FSTAB, "/usr/a": "", "/lib/modules/6.1/modules.dep": ""}
    root = make_ext(tmp_path / "part", plant(tmp_path / "tree", dict(files)), size=8 * MIB)
    kernels = plant(tmp_path / "kernels", {"/vmlinuz-6.1": "", "/initrd.img-6.1": ""})
    boot = make_ext(tmp_path / "boot", kernels, options=("-U", "random"))
    disk = tmp_path / "disk"
    wanted = [{"type": "boot", "src": str(boot), "path": "/boot"}, {"type": "swap", "size": "2M"}]
    done = run_module("image_layout", capsys, src=str(root), dest=str(disk), partitions=wanted)
    booted = run_module("image_boot", capsys, image=str(disk), drivers=[])
    # The numbers in its fstab are those of another disk: there, 2 was swap; here it is swap by chance.
    assert booted["switched_off"] == ["/dev/xvda2", "/srv/data"]
    boot_offset, swap_offset, root_offset = (part["offset"] for part in done["partitions"])
    assert swap_offset == 5 * MIB
    assert "linux /vmlinuz-6.1 " in debugfs(disk, "cat /grub/grub.cfg", offset=boot_offset)
    text = debugfs(disk, "cat /etc/fstab", offset=root_offset)
    boot_uuid, swap_uuid, _root_uuid = (part["uuid"] for part in done["partitions"])
    assert f"\nUUID={boot_uuid} /boot ext4 defaults 0 2\n" in text
    assert f"\nUUID={swap_uuid} none swap sw 0 0\n" in text
    assert run_module("image_info", capsys, path=str(disk), verify=True)["missing"] == []


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (
            {"type": "swap", "size": "2M", "path": "/swap"},
            "partitions: /swap is no mount point for a partition",
        ),
        ({"type": "data", "src": "data", "path": "data"}, "partitions: data is no mount point"),
        ({"type": "boot", "src": "data", "path": "/boot/.."}, "partitions: /boot/.. is no mount point"),
        ({"type": "data", "src": "nothing", "path": "/data"}, "it has no filesystem with a UUID"),
    ],
)
def test_a_partition_that_fstab_cannot_name_is_refused(
    tmp_path: Path, partition: dict, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_ext(tmp_path / "part")
    make_ext(tmp_path / "data")
    (tmp_path / "nothing").write_bytes(bytes(MIB))
    if "src" in partition:
        partition = {**partition, "src": str(tmp_path / partition["src"])}
    result = run_module("image_layout", capsys, src=str(root), dest=str(tmp_path / "disk"), partitions=[partition])
    assert message in result["msg"]
    assert not (tmp_path / "disk").exists()


def test_only_root_can_tell_a_guest_on_xfs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    xfs = make_xfs_head(tmp_path / "part")
    swap = [{"type": "swap", "size": "2M"}]
    result = run_module("image_layout", capsys, src=str(xfs), dest=str(tmp_path / "disk"), partitions=swap)
    assert result["msg"].startswith(f"{xfs}: the fstab on xfs can only be written in a mount, which needs root;")
    assert not (tmp_path / "disk").exists()
