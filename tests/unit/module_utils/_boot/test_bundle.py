from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import bundle
from ansible_collections.voc.cluster.plugins.module_utils._boot.ustar import Member
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    GuestError,
    ImageError,
    SpaceError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, HostFile, PutHostFile
from ansible_collections.voc.cluster.tests.unit.bundles import FILES, KERNEL, MODULES, make_bundle, member
from ansible_collections.voc.cluster.tests.unit.images import tool
from ansible_collections.voc.cluster.tests.unit.memory_tree import ELF_X86_64, MemoryTree

LINK = (member(f"{MODULES}/kernel/b.ko.xz", kind=tarfile.SYMTYPE, target="a.ko.xz"), b"")
FOLDERS = [(member(f"{name}/", kind=tarfile.DIRTYPE), b"") for name in ("boot", "usr/lib/modules", f"{MODULES}/empty")]


def _unpack(runner: Runner, path: Path) -> bundle.Bundle:
    folder = path.parent / "work"
    folder.mkdir()
    return bundle.unpack(runner, str(path), str(folder))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2", "zstd"])
def test_a_bundle_is_unpacked_whatever_compresses_it(runner: Runner, tmp_path: Path, mode: str) -> None:
    path = make_bundle(tmp_path / "bundle", more=[LINK, *FOLDERS], mode="w" if mode == "zstd" else mode)
    if mode == "zstd":
        tool("zstd", "-q", "--rm", path, "-o", tmp_path / "packed")
        path = tmp_path / "packed"
    found = _unpack(runner, path)
    assert (found.manifest.kernel, found.size) == (KERNEL, sum(map(len, FILES.values())))
    content = {
        name: Path(file.path).read_bytes()[file.offset : file.offset + file.size] for name, file in found.files.items()
    }
    assert content == {f"/{name.replace('usr/lib', 'lib')}": data for name, data in FILES.items()}
    assert found.links == {f"/lib/modules/{KERNEL}/kernel/b.ko.xz": "a.ko.xz"}
    assert found.folders == {f"/lib/modules/{KERNEL}{below}" for below in ("", "/kernel", "/empty")}
    # Names in the archive are never names on the builder.
    assert [file.name for file in (tmp_path / "work").iterdir()] == ["archive"]


HOSTILE = [
    member("../outside"),
    member("/etc/passwd"),
    member("etc/passwd"),
    member("boot/grub/grub.cfg"),
    member("boot/vmlinuz-6.1.0"),
    member("usr/lib/modules/6.1.0/a.ko"),
    member(f"{MODULES}/../../../../etc/passwd"),
    member(f"{MODULES}//a"),
    member(f"{MODULES}/./a"),
    member(f"{MODULES}/.."),
    member(f"{MODULES}x/a"),
    member(MODULES),
    member("home/", kind=tarfile.DIRTYPE),
    member(f"boot/vmlinuz-{KERNEL}", kind=tarfile.SYMTYPE, target="/etc/shadow"),
    member(MODULES, kind=tarfile.SYMTYPE, target="/etc"),
    member("boot", kind=tarfile.SYMTYPE, target="usr/lib"),
    *(
        member(f"{MODULES}/build", kind=tarfile.SYMTYPE, target=target)
        for target in ("/usr/src/linux", "..", "../other", "a/../../other", "a/../..", "/")
    ),
]


@pytest.mark.parametrize("header", HOSTILE, ids=lambda header: f"{header.name} {header.linkname}")
def test_only_one_kernels_files_are_taken(runner: Runner, tmp_path: Path, header: tarfile.TarInfo) -> None:
    with pytest.raises(UnsafeImageError, match="no part of the kernel"):
        _unpack(runner, make_bundle(tmp_path / "bundle", more=[(header, b"")]))


def test_nothing_is_put_through_a_link_of_the_archive(runner: Runner, tmp_path: Path) -> None:
    files = {**FILES, f"{MODULES}/link/a": b"1"}
    link = member(f"{MODULES}/link", kind=tarfile.SYMTYPE, target="kernel")
    with pytest.raises(UnsafeImageError, match="a directory and something else"):
        _unpack(runner, make_bundle(tmp_path / "bundle", files, more=[(link, b"")]))


def test_nothing_is_taken_twice(runner: Runner, tmp_path: Path) -> None:
    again = member(f"lib/modules/{KERNEL}/modules.dep", kind=tarfile.SYMTYPE, target="kernel/a.ko.xz")
    with pytest.raises(UnsafeImageError, match="twice"):
        _unpack(runner, make_bundle(tmp_path / "bundle", more=[(again, b"")]))


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("MAX_MEMBERS", 3, "more than 3 files"), ("MAX_SIZE", 5000, "bytes")],
)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_bundle_that_is_too_large_is_refused(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str, mode: str
) -> None:
    monkeypatch.setattr(bundle, limit, value)
    with pytest.raises(UnsafeImageError, match=message):
        _unpack(runner, make_bundle(tmp_path / "bundle", mode=mode))


def test_a_file_that_differs_from_the_manifest_is_damage(runner: Runner, tmp_path: Path) -> None:
    said = {"files": dict.fromkeys(FILES, "0" * 64)}
    with pytest.raises(DamagedImageError, match=f"vmlinuz-{KERNEL} differs from the manifest".replace("+", r"\+")):
        _unpack(runner, make_bundle(tmp_path / "bundle", manifest=said))


def test_a_file_that_the_manifest_does_not_name_is_damage(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(DamagedImageError, match="differs from the manifest"):
        _unpack(runner, make_bundle(tmp_path / "bundle", more=[(member(f"{MODULES}/x"), b"")]))


@pytest.mark.parametrize("name", list(FILES))
def test_a_bundle_that_lacks_a_file_is_damaged(runner: Runner, tmp_path: Path, name: str) -> None:
    whole = make_bundle(tmp_path / "whole")
    with tarfile.open(whole) as archive:
        said = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
    fewer = {key: data for key, data in FILES.items() if key != name}
    with pytest.raises(DamagedImageError, match="missing in the archive"):
        _unpack(runner, make_bundle(tmp_path / "bundle", fewer, manifest=said))


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("a.ko.xz")])
def test_a_kernel_without_a_needed_part_is_refused(runner: Runner, tmp_path: Path, name: str) -> None:
    fewer = {key: data for key, data in FILES.items() if key != name}
    with pytest.raises(DamagedImageError, match="in the bundle"):
        _unpack(runner, make_bundle(tmp_path / "bundle", fewer))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_bundle_cut_short_is_damaged(runner: Runner, tmp_path: Path, mode: str) -> None:
    path = make_bundle(tmp_path / "bundle", mode=mode)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedImageError, match="bundle"):
        _unpack(runner, path)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"[" * 100_000, b'{"bundle": 2}', b'{"bundle": 1}', b"\xff"]
    + [
        json.dumps({**json.loads(good), key: value}).encode()
        for good in [
            '{"bundle": 1, "distribution": "d", "version": "1", "architecture": "x", "kernel": "1", "files": {}}'
        ]
        for key, value in [
            ("kernel", "../x"),
            ("kernel", ""),
            ("kernel", "a\nb"),
            ("kernel", "x" * 129),
            ("distribution", None),
            ("version", 13),
            ("files", []),
            ("files", {"a": "xyz"}),
            ("files", {"a": None}),
        ]
    ],
)
def test_a_bad_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedImageError):
        bundle.parse_manifest(data, "here")


@given(
    name=st.one_of(
        st.text(), st.lists(st.sampled_from(["usr", "lib", "modules", KERNEL, "..", ".", "", "a"])).map("/".join)
    ),
    kind=st.sampled_from(["file", "directory", "symlink"]),
    target=st.text("./a", max_size=9),
)
def test_every_path_is_below_boot_or_the_modules(name: str, kind: str, target: str) -> None:
    try:
        path = bundle.guest_path(Member(name, kind, target, 0, 0), KERNEL, "here")
    except ImageError:
        return
    assert ".." not in path.split("/")
    if kind != "directory":
        assert path.startswith((f"/lib/modules/{KERNEL}/", "/boot/"))


# Into a guest.


@pytest.fixture
def guest() -> MemoryTree:
    return MemoryTree(
        {
            "/etc/os-release": "ID=debian\nVERSION_ID=13\n",
            "/usr/bin/env": ELF_X86_64,
            "/lib": ("->", "usr/lib"),
            "/usr/lib/modules/6.1.0/modules.dep": "other",
            "/boot/vmlinuz-6.1.0": "other",
        }
    )


def test_a_bundle_is_laid_over_a_guest_once(runner: Runner, tmp_path: Path, guest: MemoryTree) -> None:
    found = _unpack(runner, make_bundle(tmp_path / "bundle", more=[LINK, *FOLDERS]))
    bundle.require_match(found.manifest, system.inspect(guest), "guest")
    bundle.plan_install(guest, found).apply()
    # A merged /usr leads there.
    assert guest.text(f"/{MODULES}/modules.dep") == "kernel/a.ko.xz:\n"
    assert guest.readlink(f"/{MODULES}/kernel/b.ko.xz") == "a.ko.xz"
    assert guest.text(f"/boot/vmlinuz-{KERNEL}") == "kernel"
    assert guest.text("/boot/vmlinuz-6.1.0") == "other"
    kernels = system.inspect(guest).kernels
    assert [kernel.version for kernel in kernels if kernel.initramfs and kernel.modules] == [KERNEL]
    assert bundle.plan_install(guest, found).changes() == []


def test_a_guests_own_links_lead_nowhere_else(runner: Runner, tmp_path: Path) -> None:
    guest = MemoryTree({"/lib/modules": ("->", "../../../../srv"), "/boot": ("->", "/srv")})
    found = _unpack(runner, make_bundle(tmp_path / "bundle"))
    bundle.plan_install(guest, found).apply()
    assert guest.text(f"/srv/{KERNEL}/modules.dep") == "kernel/a.ko.xz:\n"
    assert guest.text(f"/srv/vmlinuz-{KERNEL}") == "kernel"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"architecture": "aarch64"}, "for the architecture aarch64 but the guest is x86_64"),
        ({"distribution": "ubuntu"}, "for the distribution ubuntu but the guest is debian"),
        ({"version": "12"}, "for the version debian 12 but the guest is debian 13"),
    ],
)
def test_another_guest_is_refused_by_name(guest: MemoryTree, said: dict[str, str], message: str) -> None:
    manifest = {
        "distribution": "debian",
        "version": "13",
        "architecture": "x86_64",
        "kernel": KERNEL,
        "files": {},
        **said,
    }
    with pytest.raises(GuestError, match=message):
        bundle.require_match(bundle.Manifest(**manifest), system.inspect(guest), "guest")


def test_what_does_not_fit_is_refused_beforehand() -> None:
    change = PutHostFile("/a", HostFile("/b", 4097, ""), Attributes(), replaces=False)
    bundle.require_room([change], 8192, "image")
    bundle.require_room([change], None, "image")
    with pytest.raises(SpaceError, match="needs 8192 bytes but only 8191 are free"):
        bundle.require_room([change], 8191, "image")
