"""The process for which a session is open is told apart from every other."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner


def test_a_process_is_there_until_it_has_ended() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        owner = Owner.of(process.pid)
        assert owner is not None
        assert not owner.is_gone
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.is_gone  # a zombie
    assert owner.is_gone
    assert Owner.of(process.pid) is None


def test_another_process_with_the_same_number_is_another_one() -> None:
    me = Owner.of(os.getpid())
    assert me is not None
    assert replace(me, started=me.started + 1).is_gone


def test_nothing_is_known_of_another_machine() -> None:
    me = Owner.of(os.getpid())
    assert me is not None
    for elsewhere in (replace(me, boot="another", pid=1), replace(me, namespace="pid:[1]", pid=1)):
        assert not elsewhere.is_gone


def test_it_goes_through_json() -> None:
    me = Owner.of(os.getpid())
    assert me is not None
    assert Owner.read(json.loads(json.dumps(me.as_data()))) == me
