from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import edits
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import parse_mode
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

EACH_KIND: list[dict[str, t.Any]] = [
    {"file": {"path": "/etc/motd", "content": "é\n", "mode": "0640", "owner": "grid", "group": "4"}},
    {"directory": {"path": "/srv/data", "mode": "1777"}},
    {"symlink": {"path": "/etc/localtime", "target": "/usr/share/zoneinfo/UTC"}},
    {"absent": {"path": "/etc/old"}},
    {"fstab": {"source": "nfs1:/app", "path": "/grid/app/", "type": "nfs", "options": ["ro", "_netdev"]}},
    {"fstab": {"path": "/gone", "state": "absent"}},
    {"environment": {"OSG_APP": "/grid/app", "N": 5}},
    {"service": {"name": "cron", "enabled": True}},
    {"service": {"name": "rival", "masked": True, "enabled": False}},
    {"authorized_key": {"user": "grid", "key": "ssh-ed25519 AAAA me"}},
    {"network": {}},
]


def _guest() -> MemoryTree:
    units = "/usr/lib/systemd/system"
    return MemoryTree(
        {
            "/etc/passwd": "grid:x:1001:1002::/home/grid:/bin/sh\n",
            "/etc/fstab": "a /gone ext4\n",
            "/etc/old/file": "x",
            f"{units}/cron.service": "[Install]\nWantedBy=multi-user.target\n",
            f"{units}/rival.service": "[Install]\nWantedBy=multi-user.target\n",
            f"{units}/systemd-networkd.service": "[Install]\nWantedBy=multi-user.target\n",
            "/usr/lib/systemd/systemd-networkd": "",
        }
    )


def _validated(wanted: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Fill in defaults as a module does."""
    validator = ArgumentSpecValidator({"edits": {"type": "list", "elements": "dict", "options": edits.ARGUMENT_SPEC}})
    outcome = validator.validate({"edits": wanted})
    assert not outcome.error_messages
    return outcome.validated_parameters["edits"]


def _do(guest: MemoryTree, *wanted: dict[str, t.Any]) -> list[str]:
    plan = Plan(guest)
    edits.plan_edits(plan, _validated(list(wanted)))
    paths = [change.path for change in plan.changes()]
    plan.apply()
    return paths


def test_there_is_an_example_of_every_kind_here() -> None:
    assert {kind for edit in EACH_KIND for kind in edit} == set(edits.ARGUMENT_SPEC)


@pytest.mark.parametrize("edit", EACH_KIND, ids=lambda edit: next(iter(edit)))
def test_an_edit_changes_the_guest_once(edit: dict[str, t.Any]) -> None:
    guest = _guest()
    assert _do(guest, edit)
    assert _do(guest, edit) == []


def test_edits_in_one_batch_do_what_they_say() -> None:
    guest = _guest()
    _do(guest, *EACH_KIND)
    motd, data = guest.lstat("/etc/motd"), guest.lstat("/srv/data")
    assert motd
    assert data
    assert motd.attributes == Attributes(0o640, 1001, 4)
    assert guest.text("/etc/motd") == "é\n"
    assert data.attributes == Attributes(0o1777)
    assert guest.readlink("/etc/localtime") == "/usr/share/zoneinfo/UTC"
    assert guest.lstat("/etc/old") is None
    assert guest.text("/etc/fstab") == "nfs1:/app /grid/app nfs ro,_netdev 0 0\n"
    assert guest.lstat("/grid/app")
    assert "N='5'" in guest.text("/etc/profile.d/voc-cluster.sh")
    assert guest.readlink("/etc/systemd/system/rival.service") == "/dev/null"
    assert _do(guest, *EACH_KIND) == []


def test_the_summary_says_which_edits_changed_what() -> None:
    plan = Plan(_guest())
    wanted = [
        {"file": {"path": "/a", "content": "1"}},
        {"fstab": {"path": "/gone", "state": "absent"}},
        {"fstab": {"source": "x", "path": "/x", "type": "nfs"}},
        {"fstab": {"source": "x", "path": "/x", "type": "nfs"}},
    ]
    edits.plan_edits(plan, _validated(wanted))
    assert plan.summary() == [
        {"path": "/a", "action": "write", "edits": [1]},
        {"path": "/x", "action": "make directory", "edits": [3]},
        {"path": "/etc/fstab", "action": "write", "edits": [2, 3]},
    ]


def test_a_file_can_come_from_the_builder(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"\0\xff")
    guest = _guest()
    _do(guest, {"file": {"path": "/f", "source": str(tmp_path / "source")}})
    assert guest.read("/f") == b"\0\xff"


def test_what_an_edit_does_not_name_is_kept() -> None:
    guest = _guest()
    guest.add("/f", "old", Attributes(0o600, 7, 8))
    _do(guest, {"file": {"path": "/f", "content": "new", "mode": "0644"}})
    entry = guest.lstat("/f")
    assert entry
    assert entry.attributes == Attributes(0o644, 7, 8)


@pytest.mark.parametrize(
    "bad",
    [
        {"file": {"path": "relative", "content": ""}},
        {"file": {"path": "/f", "content": "", "mode": "u+x"}},
        {"file": {"path": "/f", "content": "", "owner": "nobody-here"}},
        {"file": {"path": "/f", "source": "/no/such/file"}},
        {"file": {"path": "/etc", "content": ""}},
        {"symlink": {"path": "/etc", "target": "x"}},
        {"symlink": {"path": "/link", "target": ""}},
        {"absent": {"path": "/"}},
        {"fstab": {"source": "a\nb", "path": "/x", "type": "nfs"}},
        {"environment": {"A-B": "x"}},
        {"service": {"name": "none", "enabled": True}},
        {"authorized_key": {"user": "none", "key": "x"}},
    ],
    ids=str,
)
def test_an_edit_that_cannot_be_done_is_named_by_its_number(bad: dict[str, t.Any]) -> None:
    (kind,) = bad
    with pytest.raises(ImageError, match=rf"^edit 2 \({kind}\)"):
        _do(_guest(), {"directory": {"path": "/d"}}, bad)


@given(st.text(max_size=8))
def test_a_mode_is_octal_or_refused(text: str) -> None:
    try:
        mode = parse_mode(text)
    except InputError:
        return
    assert 0 <= mode <= 0o7777
    assert mode == int(text, 8)
