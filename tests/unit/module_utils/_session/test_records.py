"""Sessions are found by their images, as long as somebody holds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._session import records
from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner
from ansible_collections.voc.cluster.plugins.module_utils._session.records import Record

IMAGE = "/srv/images/disk.raw"


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "_SESSIONS", str(tmp_path / "sessions"))


def record() -> Record:
    return Record(IMAGE, 4242, True, Owner.of(os.getpid()), "guest")


def test_a_session_is_found_by_its_image_while_it_is_held() -> None:
    assert records.find(IMAGE) is None
    assert not records.is_opening(IMAGE)
    with records.own_folder(IMAGE) as (folder, descriptor):
        assert str(folder) == records.folder_of(IMAGE)
        assert records.find(IMAGE) is None
        assert records.is_opening(IMAGE)
        record().write(descriptor)
        assert records.find(IMAGE) == record()
        assert not records.is_opening(IMAGE)
        assert records.find("/srv/images/other.raw") is None
    assert records.find(IMAGE) is None
    assert not records.is_opening(IMAGE)
    assert not folder.exists()


def test_one_image_has_one_folder_and_another_has_another() -> None:
    assert records.folder_of(IMAGE) == records.folder_of("/srv//images/x/../disk.raw")
    assert records.folder_of(IMAGE) != records.folder_of("/srv/images/disk.raw2")


def test_there_is_no_second_session_and_the_first_keeps_its_folder() -> None:
    with records.own_folder(IMAGE) as (folder, descriptor):
        record().write(descriptor)
        with pytest.raises(InputError, match="a session of this image is open"), records.own_folder(IMAGE):
            pytest.fail("two sessions")
        assert records.remove_left(IMAGE) == ""
        assert records.find(IMAGE) == record()
    assert not folder.exists()


def test_what_a_killed_holder_left_is_no_session_and_is_removed() -> None:
    folder = Path(records.folder_of(IMAGE))
    folder.mkdir(parents=True)
    (folder / records.RECORD).write_text("{}")
    assert records.find(IMAGE) is None
    assert not records.is_opening(IMAGE)
    records.write_failure(IMAGE, "umount failed")
    assert records.remove_left(IMAGE) == "umount failed"
    assert not folder.exists()
    assert records.remove_left(IMAGE) == ""


def test_a_session_is_in_use_while_a_command_holds_its_lock(tmp_path: Path) -> None:
    (tmp_path / records.USED).touch()
    assert not records.in_use(tmp_path)
    with (tmp_path / records.USED).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert records.in_use(tmp_path)
    assert not records.in_use(tmp_path)
