from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import edits
from ansible_collections.voc.cluster.plugins.module_utils._guest.kinds.kind import parse_mode
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, PutHostFile
from ansible_collections.voc.cluster.tests.unit.every_edit import EACH_KIND, FILES, validated
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def _guest() -> MemoryTree:
    return MemoryTree(dict(FILES))


def _do(guest: MemoryTree, *wanted: dict[str, t.Any]) -> list[str]:
    plan = Plan(guest)
    edits.plan_edits(plan, validated(list(wanted)))
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
    assert guest.readlink("/etc/link") == "/usr/share/zoneinfo/UTC"
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
    edits.plan_edits(plan, validated(wanted))
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


def test_what_edits_made_is_gone_when_it_is_to_be_absent() -> None:
    guest = _guest()
    _do(guest, *EACH_KIND)
    undo = [
        {"line": {"path": "/etc/ssh/sshd_config", "regexp": "^PermitRootLogin", "state": "absent"}},
        {"block": {"path": "/etc/rc.local", "state": "absent"}},
        {"ini": {"path": "/etc/app.ini", "section": "main", "option": "a", "state": "absent"}},
        {"ini": {"path": "/etc/app.ini", "section": "main", "state": "absent"}},
        {"sysctl": {"name": "vm.swappiness", "state": "absent"}},
        {"user": {"name": "jobs", "state": "absent", "remove": True}},
        {"group": {"name": "cluster", "state": "absent"}},
        {"authorized_key": {"user": "grid", "key": "ssh-ed25519 AAAA", "state": "absent"}},
        {"hosts": {"address": "10.0.0.1", "state": "absent"}},
        {"ca_certificate": {"name": "site", "state": "absent"}},
    ]
    for edit in undo:
        assert _do(guest, edit), edit
        assert _do(guest, edit) == []


def test_a_secret_is_for_its_owner_and_never_shown() -> None:
    guest = _guest()
    guest.add("/etc/token", "old word", Attributes(0o644, 5, 6))
    plan = Plan(guest)
    edits.plan_edits(plan, validated([{"secret": {"path": "/etc/token", "content": "new word"}}]))
    assert "word" not in str(plan.diff())
    plan.apply()
    entry = guest.lstat("/etc/token")
    assert entry
    assert entry.attributes == Attributes(0o640, 5, 6)
    _do(guest, *EACH_KIND)
    made = guest.lstat("/etc/condor/tokens.d/pool")
    assert made
    assert (made.attributes, guest.text("/etc/condor/tokens.d/pool")) == (Attributes(0o600), "token\n")


def test_permissions_below_a_directory_keep_their_modes() -> None:
    guest = _guest()
    guest.add("/srv/a/b", "x", Attributes(0o600))
    guest.add("/srv/link", ("->", "/etc"))
    _do(guest, {"permissions": {"path": "/srv", "mode": "0700", "owner": "grid", "recurse": True}})
    shown = {path: entry.attributes for path, (entry, *_rest) in guest.nodes.items() if path.startswith("/srv")}
    assert shown == {
        "/srv": Attributes(0o700, 1001),
        "/srv/a": Attributes(0o755, 1001),
        "/srv/a/b": Attributes(0o600, 1001),
        "/srv/link": Attributes(0o777),
    }


def test_a_large_file_of_the_builder_is_copied_without_being_held(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(100_000))
    plan = Plan(_guest())
    edits.plan_edits(plan, validated([{"file": {"path": "/f", "source": str(tmp_path / "source")}}]))
    assert [type(change) for change in plan.changes()] == [PutHostFile]


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
        {"file": {"path": "/f", "content": "", "mode": 0o10000}},
        {"file": {"path": "/f", "content": "", "mode": True}},
        {"file": {"path": "/f", "content": "", "mode": [420]}},
        {"secret": {"path": "/s", "content": "x", "mode": 0o644}},
        {"file": {"path": "/f", "content": "", "owner": "nobody-here"}},
        {"file": {"path": "/f", "source": "/no/such/file"}},
        {"file": {"path": "/etc", "content": ""}},
        {"symlink": {"path": "/etc", "target": "x"}},
        {"symlink": {"path": "/link", "target": ""}},
        {"absent": {"path": "/"}},
        {"fstab": {"source": "a\nb", "path": "/x", "type": "nfs"}},
        {"fstab": {"source": "nfs1:/x", "path": "none", "type": "nfs"}},
        {"fstab": {"path": "none", "state": "absent"}},
        {"hosts": {"address": "192.0.2.9", "names": []}},
        {"environment": {"A-B": "x"}},
        {"service": {"name": "none", "enabled": True}},
        {"authorized_key": {"user": "none", "key": "x"}},
        {"secret": {"path": "/s", "content": "x", "mode": "0644"}},
        {"secret": {"path": "/s", "content": "no base64!", "encoding": "base64"}},
        {"permissions": {"path": "/none", "mode": "0644"}},
        {"line": {"path": "/none", "line": "x"}},
        {"line": {"path": "/etc", "line": "x", "create": True}},
        {"line": {"path": "/etc/passwd", "line": "x", "regexp": "("}},
        {"block": {"path": "/none", "block": "x"}},
        {"replace": {"path": "/none", "regexp": "x"}},
        {"ini": {"path": "/i", "section": "a", "option": "b", "value": "c\nd"}},
        {"kernel_module": {"name": "a b", "load": True}},
        {"user": {"name": "a:b"}},
        {"group": {"name": "cluster", "gid": 1002}},
        {"timezone": {"name": "Mars"}},
        {"ca_certificate": {"name": "x", "content": "x"}},
        {"ca_certificate": {"name": "x", "source": "/no/such/file"}},
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


def test_a_mode_without_quotes_is_the_number_that_yaml_makes_of_it() -> None:
    guest = _guest()
    (told,) = yaml.safe_load("[{file: 0640, directory: 01777, secret: 0400, permissions: 0604}]")
    _do(
        guest,
        {"file": {"path": "/f", "content": "", "mode": told["file"]}},
        {"directory": {"path": "/d", "mode": told["directory"]}},
        {"secret": {"path": "/s", "content": "x", "mode": told["secret"]}},
        {"permissions": {"path": "/etc/passwd", "mode": told["permissions"]}},
    )
    modes = {path: guest.nodes[path][0].attributes.mode for path in ("/f", "/d", "/s", "/etc/passwd")}
    assert modes == {"/f": 0o640, "/d": 0o1777, "/s": 0o400, "/etc/passwd": 0o604}


@pytest.mark.parametrize("mode", [0, 0o644, 0o7777])
def test_a_mode_that_is_a_number_is_itself(mode: int) -> None:
    assert parse_mode(mode) == mode


def test_swap_areas_are_written_and_taken_out_by_their_source() -> None:
    guest = _guest()
    guest.add("/etc/fstab", "UUID=a none swap sw 0 0\n/x /x ext4\n")
    before = set(guest.nodes)
    swap = {"path": "none", "source": "UUID=b", "type": "swap", "options": ["sw", "nofail"]}
    assert _do(guest, {"fstab": swap}) == ["/etc/fstab"]
    assert set(guest.nodes) == before
    assert _do(guest, {"fstab": swap}) == []
    assert guest.text("/etc/fstab") == "UUID=a none swap sw 0 0\n/x /x ext4\nUUID=b none swap sw,nofail 0 0\n"
    _do(guest, {"fstab": {"path": "swap", "source": "UUID=a", "state": "absent"}})
    assert guest.text("/etc/fstab") == "/x /x ext4\nUUID=b none swap sw,nofail 0 0\n"


def test_hosts_without_names_are_refused() -> None:
    validator = ArgumentSpecValidator(edits.ARGUMENT_SPEC)
    assert validator.validate({"hosts": {"address": "192.0.2.9"}}).error_messages
    assert not validator.validate({"hosts": {"address": "192.0.2.9", "state": "absent"}}).error_messages
