from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    ToolError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._release import Manifest, Order, SourceId
from ansible_collections.voc.cluster.plugins.module_utils._version import VERSION
from ansible_collections.voc.cluster.tests.unit.images import MIB
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

SOURCE = SourceId("/srv/vo/a.img", "ab" * 32, 5, 6, 7, 8)
MANIFEST = Manifest("a", "1", "2026", VERSION, "disk.raw", "raw", 1, 2, "cd" * 32, SOURCE, {"site": "x"})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(MIB))
    return path


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


def _order(**changes: t.Any) -> Order:
    return replace(Order("a", Output("raw"), source=SOURCE, inputs={"site": "x"}), **changes)


def test_a_release_is_whole_and_current(image: Path, releases: Path) -> None:
    folder, manifest = _release.publish(ScriptedRunner(), str(image), str(releases), _order())
    path = Path(folder, manifest.file)
    assert sorted(os.listdir(folder)) == ["disk.raw", "manifest.json"]
    assert path.read_bytes() == image.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o444
    assert (manifest.sha256, manifest.size) == (hashlib.sha256(path.read_bytes()).hexdigest(), MIB)
    assert (manifest.source, manifest.inputs, manifest.collection) == (SOURCE, {"site": "x"}, VERSION)
    assert _release.read_current(str(releases), "a") == (folder, manifest)
    assert os.readlink(releases / "a" / "current") == manifest.id
    assert sorted(os.listdir(releases / "a")) == sorted([manifest.id, "current"])


def test_a_qcow2_release_keeps_the_virtual_size(runner: Runner, image: Path, releases: Path) -> None:
    folder, manifest = _release.publish(
        runner, str(image), str(releases), _order(output=Output("qcow2", compress=True))
    )
    assert manifest.file == "disk.qcow2"
    assert manifest.virtual_size == MIB
    assert Path(folder, "disk.qcow2").read_bytes()[:4] == b"QFI\xfb"


@pytest.mark.parametrize("inputs", [{"site": "y"}, {"site": "x"}])
def test_a_second_release_keeps_the_first(image: Path, releases: Path, inputs: dict[str, str]) -> None:
    first, _manifest = _release.publish(ScriptedRunner(), str(image), str(releases), _order())
    content = {path: path.read_bytes() for path in Path(first).iterdir()}
    image.write_bytes(b"second")
    second, manifest = _release.publish(ScriptedRunner(), str(image), str(releases), _order(inputs=inputs))
    assert second != first
    assert {path: path.read_bytes() for path in Path(first).iterdir()} == content
    assert _release.read_current(str(releases), "a") == (second, manifest)


def test_a_source_that_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"what was checked")
    taken = _release.identify_source(str(path))
    _release.require_same(taken)
    other = tmp_path / "other"
    other.write_bytes(b"what was swapped")
    os.utime(other, ns=(taken.modified, taken.modified))
    kept = tmp_path / "kept"
    path.rename(kept)
    other.rename(path)
    with pytest.raises(UnsafeImageError, match="source changed while it was worked on; let nobody write to it"):
        _release.require_same(taken)
    kept.rename(path)  # and swapped back
    with pytest.raises(UnsafeImageError):
        _release.require_same(taken)


def test_a_failed_release_leaves_nothing_and_the_current_one_alone(image: Path, releases: Path) -> None:
    first, manifest = _release.publish(ScriptedRunner(), str(image), str(releases), _order())
    failing = ScriptedRunner(("qemu-img", completed(1, errors=b"no\n")))
    with pytest.raises(ToolError):
        _release.publish(failing, str(image), str(releases), _order(output=Output("qcow2"), inputs={}))
    assert sorted(os.listdir(releases / "a")) == sorted([manifest.id, "current"])
    assert _release.read_current(str(releases), "a") == (first, manifest)


def test_what_a_killed_run_left_is_removed(image: Path, releases: Path) -> None:
    left = releases / "a" / ".unfinished-20260101T000000Z-00000000"
    left.mkdir(parents=True)
    (left / "disk.raw").write_bytes(b"half")
    (releases / "a" / ".unfinished-current").symlink_to("somewhere")
    _folder, manifest = _release.publish(ScriptedRunner(), str(image), str(releases), _order())
    assert sorted(os.listdir(releases / "a")) == sorted([manifest.id, "current"])


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_a_name_that_is_no_folder_is_refused(image: Path, releases: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of an image"):
        _release.publish(ScriptedRunner(), str(image), str(releases), _order(name=name))
    assert not releases.exists()


def test_there_is_no_current_release_before_the_first(releases: Path) -> None:
    assert _release.read_current(str(releases), "a") is None
    (releases / "a").mkdir(parents=True)
    (releases / "a" / "current").symlink_to("gone")
    assert _release.read_current(str(releases), "a") is None


def _document(**changes: t.Any) -> dict[str, t.Any]:
    return {**asdict(MANIFEST), **changes}


def test_a_manifest_comes_back_as_it_was_written() -> None:
    assert _release.parse_manifest(json.loads(json.dumps(asdict(MANIFEST)))) == MANIFEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        "\udcff",
        json.dumps(_document(schema=2)),
        json.dumps(_document(extra=1)),
        json.dumps(_document(source=None)),
        json.dumps(_document(inputs=None)),
        json.dumps({"schema": 1}),
    ],
    ids=lambda text: text[:12],
)
def test_a_damaged_manifest_is_named(releases: Path, text: str) -> None:
    (releases / "a" / "1").mkdir(parents=True)
    (releases / "a" / "current").symlink_to("1")
    (releases / "a" / "1" / "manifest.json").write_text(text, errors="surrogateescape")
    with pytest.raises(DamagedImageError, match=r"manifest\.json: .*cannot be read; remove the link named current"):
        _release.read_current(str(releases), "a")


def test_a_release_without_a_manifest_is_damaged(releases: Path) -> None:
    (releases / "a" / "1").mkdir(parents=True)
    (releases / "a" / "current").symlink_to("1")
    with pytest.raises(DamagedImageError):
        _release.read_current(str(releases), "a")


@pytest.mark.parametrize(
    ("manifest", "source", "inputs", "reasons"),
    [
        (MANIFEST, SOURCE, {"site": "x"}, []),
        (MANIFEST, replace(SOURCE, path="/moved", inode=9, changed=9), {"site": "x"}, []),
        (MANIFEST, replace(SOURCE, digest="00"), {"site": "x"}, ["the source image"]),
        (MANIFEST, SOURCE, {"site": "y"}, ["site"]),
        (MANIFEST, SOURCE, {"other": "x"}, ["other", "site"]),
        (replace(MANIFEST, collection="0.0.1"), SOURCE, {"site": "x"}, [f"the collection (0.0.1 -> {VERSION})"]),
    ],
)
def test_differences_are_words(manifest: Manifest, source: SourceId, inputs: dict, reasons: list[str]) -> None:
    assert _release.differences(manifest, source, inputs) == reasons


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_only_equal_inputs_have_no_difference(before: dict[str, str], after: dict[str, str]) -> None:
    reasons = _release.differences(replace(MANIFEST, inputs=before), SOURCE, after)
    assert (reasons == []) == (before == after)


def test_a_source_is_read_only_when_it_may_have_changed(image: Path) -> None:
    seen = _release.identify_source(str(image))
    known = replace(seen, digest="not read again")
    assert _release.identify_source(str(image), known).digest == "not read again"
    status = image.stat()
    image.write_bytes(bytes(MIB))
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = _release.identify_source(str(image), known)
    assert again.modified == seen.modified
    assert again.digest not in (seen.digest, "not read again")
