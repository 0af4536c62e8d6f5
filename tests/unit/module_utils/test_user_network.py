from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._user_network import resolver

SERVER = "nameserver 10.0.2.3"


def test_the_name_server_is_the_networks_and_the_rest_the_builders() -> None:
    text = "# by DHCP\nsearch example.org\nnameserver 127.0.0.53\noptions edns0\n"
    assert resolver(text) == f"search example.org\noptions edns0\n{SERVER}\n"


@given(st.text())
def test_any_resolver_gives_one_name_server(text: str) -> None:
    servers = [line for line in resolver(text).splitlines() if line.split()[:1] == ["nameserver"]]
    assert servers == [SERVER]
