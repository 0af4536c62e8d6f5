from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._guest.network import clients
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.module_utils._guest.network.wanted import wanted

SERVERS = {"dns": ["192.0.2.2", "192.0.2.3"], "search": ["a.example", "b.example"]}


def test_dhclient_sends_the_mac() -> None:
    before = "send host-name = gethostname();"
    text = clients.dhclient(before, wanted(**SERVERS))
    assert text == (
        "send host-name = gethostname();\n# BEGIN voc.cluster network\n"
        "send dhcp-client-identifier = hardware;\n"
        "supersede domain-name-servers 192.0.2.2, 192.0.2.3;\n"
        'supersede domain-search "a.example", "b.example";\n'
        "# END voc.cluster network\n"
    )
    assert clients.dhclient(text, wanted()).endswith(
        "network\nsend dhcp-client-identifier = hardware;\n# END voc.cluster network\n"
    )


def test_dhcpcd_sends_the_mac_and_no_duid() -> None:
    text = clients.dhcpcd("hostname\nduid\npersistent\n", wanted(**SERVERS))
    assert text == (
        "hostname\n#duid\npersistent\n# BEGIN voc.cluster network\nclientid\n"
        "static domain_name_servers=192.0.2.2 192.0.2.3\nstatic domain_search=a.example b.example\n"
        "# END voc.cluster network\n"
    )


@given(st.text())
def test_a_second_time_changes_nothing(text: str) -> None:
    for write in (clients.dhclient, clients.dhcpcd):
        once = write(text, wanted())
        assert write(once, wanted()) == once


def test_each_client_is_told_where_it_reads() -> None:
    guest = MemoryTree({"/sbin/dhclient": "", "/etc/dhcp3/dhclient.conf": "", "/etc/dhcpcd.conf": "duid\n"})
    guest.add("/sbin/udhcpc", "")
    plan = Plan(guest)
    clients.configure(plan, wanted(**SERVERS))
    plan.apply()
    assert clients.installed(guest) == ["dhclient", "udhcpc"]
    assert "hardware" in guest.text("/etc/dhcp3/dhclient.conf")
    assert guest.text("/etc/dhcpcd.conf").startswith("#duid\n")
    assert guest.text("/etc/udhcpc/udhcpc.conf") == "RESOLV_CONF=no\n"
