from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _user_network
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._user_network import resolver
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner

SERVER = "nameserver 10.0.2.3"


def test_the_name_server_is_the_networks_and_the_rest_the_builders() -> None:
    text = "# by DHCP\nsearch example.org\nnameserver 127.0.0.53\noptions edns0\n"
    assert resolver(text) == f"search example.org\noptions edns0\n{SERVER}\n"


@given(st.text())
def test_any_resolver_gives_one_name_server(text: str) -> None:
    servers = [line for line in resolver(text).splitlines() if line.split()[:1] == ["nameserver"]]
    assert servers == [SERVER]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EPERM, "needs root"), (errno.EMFILE, r"no network can be made .*Too many open files")]
)
def test_a_namespace_that_cannot_be_had_is_told(number: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_user_network.ctypes, "CDLL", lambda *_a, **_o: SimpleNamespace(unshare=lambda _flags: 0))
    monkeypatch.setattr(_user_network.os, "open", refuse)
    with pytest.raises(InputError, match=words), _user_network.user_network(ScriptedRunner()):
        pass
