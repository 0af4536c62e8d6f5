"""Images that refer to other files, or are two things at once.

CVE-2015-5163, CVE-2022-47951, CVE-2024-4467, CVE-2024-32498, CVE-2024-40767, CVE-2026-24708.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import (
    SENTINEL,
    VERBS,
    Attack,
    aliases,
    flat_descriptor,
    leaks,
    make_data_file_image,
    make_overlay,
    overlay_header,
    plant,
)
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext, tool


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return an ordinary partition image and a disk of it."""
    folder = tmp_path_factory.mktemp("honest")
    part = make_ext(folder / "part", size=MIB)
    return {"partition": part.read_bytes(), "disk": make_disk(folder / "disk", part).read_bytes()}


NAMES = ("path", "json", "protocol", "folder", "network")


def test_the_secret_is_found_where_qemu_is_left_alone(secret: Path, tmp_path: Path) -> None:
    """The proof that the attacks below would work: unguarded, each of these leaks."""
    images = {
        "qcow2": make_overlay(tmp_path / "overlay", aliases(secret)["json"]),
        "vmdk": tmp_path / "descriptor",
    }
    images["vmdk"].write_text(flat_descriptor("monolithicFlat", secret))
    for form, image in images.items():
        leak = tmp_path / "leak"
        tool("qemu-img", "convert", "-f", form, "-O", "raw", image, leak)
        assert leak in leaks(tmp_path)
        leak.unlink()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_backing_file_of_any_name_is_refused(
    verb: str, name: str, secret: Path, attack: Attack, tmp_path: Path, out: Path
) -> None:
    """CVE-2015-5163; by json: and protocol names as well."""
    image = make_overlay(tmp_path / "image", aliases(secret)[name])
    result = attack(verb, **VERBS[verb](str(image), out))
    if verb == "image_release_info":  # takes any file for a source, and only its digest
        return
    assert "backing file" in result["msg"] or "it is a qcow2 file; convert it to raw" in result["msg"]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_file_of_any_name_is_refused(name: str, secret: Path, attack: Attack, tmp_path: Path, out: Path) -> None:
    """CVE-2024-32498; CVE-2024-4467 by json: and protocol names."""
    image = make_data_file_image(tmp_path / "image", aliases(secret)[name])
    for verb in ("image_info", "image_convert"):
        result = attack(verb, **VERBS[verb](str(image), out))
        assert "keeps its data in another file" in result["msg"]


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentFlat", "vmfs"])
def test_a_vmdk_descriptor_is_refused(kind: str, secret: Path, attack: Attack, tmp_path: Path, out: Path) -> None:
    """CVE-2022-47951."""
    image = tmp_path / "image"
    image.write_text(flat_descriptor(kind, secret))
    for verb in ("image_info", "image_convert", "image_layout"):
        result = attack(verb, **VERBS[verb](str(image), out))
        assert "only describes other files" in result["msg"] or "it is a vmdk file" in result["msg"]


@pytest.mark.parametrize("declared", [{}, {"src_format": "raw"}])
@pytest.mark.parametrize("first", ["\n", "# anything\n", " # Disk DescriptorFile\n", "version=1\n"])
def test_a_descriptor_in_disguise_is_never_followed(
    first: str, declared: dict[str, str], secret: Path, attack: Attack, tmp_path: Path, out: Path
) -> None:
    """CVE-2024-40767: qemu-img would guess VMDK; here it is raw, by its bytes and for every program after."""
    image = tmp_path / "image"
    image.write_text((first + flat_descriptor("monolithicFlat", secret).partition("\n")[2]).ljust(1024))
    assert not attack("image_convert", **VERBS["image_convert"](str(image), out), **declared).get("failed")
    assert (out / "out").read_bytes() == image.read_bytes()
    result = attack("image_convert", src=str(image), dest=str(out / "b"), format="qcow2", **declared)
    assert not result.get("failed")
    assert "neither a known filesystem" in attack("image_layout", src=str(image), dest=str(out / "c"))["msg"]


def test_a_vmdk_image_whose_own_descriptor_names_a_file_is_refused(
    secret: Path, attack: Attack, tmp_path: Path, out: Path
) -> None:
    """CVE-2022-47951, with the descriptor inside a sparse image."""
    image = tmp_path / "image"
    tool("qemu-img", "create", "-q", "-f", "vmdk", image, "4M")
    content = image.read_bytes()
    (descriptor,) = struct.unpack_from("<Q", content, 28)
    plant(image, flat_descriptor("monolithicFlat", secret).encode().ljust(10240, b"\0"), descriptor * 512)
    assert "monolithicFlat are not accepted" in attack("image_convert", src=str(image), dest=str(out / "a"))["msg"]


@pytest.mark.parametrize("form", ["disk", "partition"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_planted_header_is_seen_by_every_verb(
    verb: str, form: str, honest: dict[str, bytes], secret: Path, attack: Attack, tmp_path: Path, out: Path
) -> None:
    """CVE-2024-40767, CVE-2026-24708: a guest that owns a raw disk writes a qcow2 header into it."""
    image = tmp_path / "image"
    image.write_bytes(honest[form])
    plant(image, overlay_header(str(secret)))
    content = image.read_bytes()
    result = attack(verb, **VERBS[verb](str(image), out))
    assert image.read_bytes() == content
    assert not (out / "out").exists()
    if verb != "image_release_info":
        assert "backing file" in result["msg"] or "it is a qcow2 file" in result["msg"]


@pytest.mark.parametrize(
    "magic", [b"KDMV", b"COWD", b"vhdxfile", b"conectix", b"QED\0", b"WithoutFreeSpace", b"LUKS\xba\xbe"]
)
def test_a_disk_that_is_something_else_too_is_no_working_image(
    magic: bytes, attack: Attack, tmp_path: Path, out: Path
) -> None:
    image = plant(make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=MIB)), magic)
    for verb in ("image_layout", "image_extract", "image_boot", "image_edit", "image_release"):
        assert attack(verb, **VERBS[verb](str(image), out))["failed"]
    assert attack("image_convert", src=str(image), src_format="raw", dest=str(out / "out"))["failed"]


def test_a_planted_footer_is_seen(attack: Attack, tmp_path: Path, out: Path) -> None:
    """The last sector of a raw disk is the guest's too: that of a VHD would make it one."""
    vhd = tmp_path / "vhd"
    tool("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed,force_size=on", vhd, "4M")
    image = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=MIB))
    plant(image, vhd.read_bytes()[-512:], -512)
    for verb in ("image_layout", "image_edit", "image_release"):
        assert "it is" in attack(verb, **VERBS[verb](str(image), out))["msg"]
    assert "declared to be raw" in attack("image_convert", src=str(image), src_format="raw", dest=str(out / "a"))["msg"]
    assert "cut short" in attack("image_convert", src=str(image), dest=str(out / "a"))["msg"]


def test_what_is_unpacked_is_judged_anew(secret: Path, attack: Attack, tmp_path: Path, out: Path) -> None:
    """A raw disk in a qcow2 image may itself begin like an overlay: it does not become a working image."""
    raw = tmp_path / "raw"
    raw.write_bytes(overlay_header(str(secret)).ljust(MIB, b"\0"))
    tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, tmp_path / "image")
    attack("image_convert", src=str(tmp_path / "image"), dest=str(out / "a"))
    assert (out / "a").read_bytes() == raw.read_bytes()
    for verb in ("image_layout", "image_edit", "image_release"):
        assert "it is a qcow2 file" in attack(verb, **VERBS[verb](str(out / "a"), out))["msg"]


def test_the_sentinel_is_no_word_of_an_ordinary_image(tmp_path: Path) -> None:
    assert SENTINEL not in make_ext(tmp_path / "part", size=MIB).read_bytes()
