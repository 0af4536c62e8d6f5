"""File names that some program would take for more than a name: protocols, options, lines, lists."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import VERBS, Attack, Options
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_efi_disk, make_ext, plant

# Each is a relative path, as seen from the current folder.
SHELL = "-o loop,ro 'q' $(touch pwned)`touch pwned`;touch pwned;@@0*\n%s\x1b[2J"
PROTOCOL = 'json:{"driver":"null-co"}'
OFFSET = "fat:rw?offset=512"
NAMES = (SHELL, PROTOCOL, OFFSET)
# Those that start QEMU's programs, or show how e2fsprogs' own syntax is kept off.
WITH_ALL = ("image_info", "image_convert", "image_layout", "image_release")
PLAIN = "disk.raw"
KERNEL: dict[str, str | bytes] = {
    "/etc/os-release": "ID=debian\nVERSION_ID=13\n",
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": "initramfs",
    "/lib/modules/6.1.0/modules.dep": "",
    "/usr/bin/apt-get": "",
    "/var/lib/dpkg/status": "Package: present\nStatus: install ok installed\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    part = make_ext(folder / "part", plant(folder / "tree", KERNEL), size=4 * MIB)
    return make_efi_disk(folder / "disk", part)


def _options(verb: str, name: str, folder: Path) -> Options:
    options = VERBS[verb](name, folder)
    return {**options, "firmware": "both"} if verb == "image_boot" else options


def _run(
    verb: str, name: str, disk: Path, folder: Path, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> tuple[t.Any, bytes, dict[str, bytes]]:
    """Run a verb on an image of a relative name; return its result, the image, and what was written beside it."""
    written = folder / "written"
    written.mkdir(parents=True)
    monkeypatch.chdir(folder)
    shutil.copy(disk, folder / name)
    result = attack(verb, **_options(verb, name, written))
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, "written"])
    out = written / "out"
    files = {path.name: path.read_bytes() for path in ([out] if out.is_file() else out.glob("*"))}
    return result, (folder / name).read_bytes(), files


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_is_only_a_name(
    verb: str, disk: Path, attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verb does to a file of any name what it does to one of a plain name, or says what is wrong with the name."""
    expected, image, files = _run(verb, PLAIN, disk, tmp_path / "plain", attack, monkeypatch)
    assert not expected.get("failed"), expected
    for number, name in enumerate(NAMES if verb in WITH_ALL else (SHELL,)):
        folder = tmp_path / str(number)
        result, changed, made = _run(verb, name, disk, folder, attack, monkeypatch)
        if result.get("failed"):
            assert result["msg"].endswith("rename it.")
            assert changed == disk.read_bytes()
            assert made == {}
        else:
            assert _plain(result, name, folder) == _plain(expected, PLAIN, tmp_path / "plain")
            assert len(changed) == len(image)
            assert made.keys() == files.keys()


def _plain(result: t.Any, name: str, folder: Path) -> t.Any:
    """Return a result without what differs between any two runs."""
    quoted = json.dumps(name)[1:-1]
    text = json.dumps(result).replace(str(folder), "FOLDER").replace(quoted, "NAME")
    document = json.loads(text)
    for key in ("path", "manifest", "source", "allocated"):
        document.pop(key, None)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_a_target_of_any_name_is_that_file(
    name: str, disk: Path, attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, (verb, options) in enumerate(
        [("image_convert", {"format": "qcow2"}), ("image_convert", {}), ("image_extract", {}), ("image_layout", {})]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        result = attack(verb, src=str(disk), dest=name, **options)
        assert [path.name for path in folder.iterdir()] == ([] if result.get("failed") else [name])
        if result.get("failed"):
            assert "its name contains" in result["msg"]


@pytest.mark.parametrize("name", ["", ".", "..", "../above", "a/b", ".hidden", "current"])
def test_a_release_has_no_name_that_leads_elsewhere(name: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    image = make_ext(tmp_path / "part", size=MIB)
    options = {**VERBS["image_release"](str(image), out), "name": name}
    before = sorted(tmp_path.rglob("*"))
    result = attack("image_release", **options)
    if name == "current":  # a name like any other: releases are one folder further down
        assert result["path"].startswith(str(out / "releases/current/"))
        return
    assert "cannot be the name of an image" in result["msg"]
    assert sorted(tmp_path.rglob("*")) == before
