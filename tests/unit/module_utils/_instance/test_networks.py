"""Reservations of libvirt networks: what is read, and what is changed; libvirt itself is tried with machines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._instance.networks import Reservation, plan, read, subnet

NETWORK = """
<network>
  <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host id='0:3:0:1' name='six' ip='fd00::5'/></dhcp></ip>
  <ip address='10.17.0.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.17.0.100' end='10.17.0.200'/>
      <host mac='02:56:4F:00:00:01' name='vm1' ip='10.17.0.5'/>
      <host mac='02:56:4f:00:00:02' ip='10.17.0.6'/>
      <host name='somebody' ip='10.17.0.7'/>
    </dhcp>
  </ip>
  <ip address='10.18.0.1' prefix='16'/>
</network>
"""
VM1 = Reservation("10.17.0.5", "02:56:4f:00:00:01", "vm1")
VM2 = Reservation("10.17.0.6", "02:56:4f:00:00:02")


def numbered(ip: int, mac: int, name: int) -> Reservation:
    return Reservation(f"10.17.0.{ip}", f"02:56:4f:00:00:{mac:02x}", f"vm{name}")


@st.composite
def reservations(draw: st.DrawFn) -> list[Reservation]:
    """Return some that share nothing, as a network can have them."""
    count = draw(st.integers(0, 6))
    ips, macs, names = (draw(st.permutations(range(8))) for _part in range(3))
    return [numbered(*each) for each in list(zip(ips, macs, names))[:count]]


def test_reservations_for_macs_are_read() -> None:
    assert read(NETWORK) == [VM1, VM2]
    assert read("<network/>") == []


@pytest.mark.parametrize(("address", "number"), [("10.17.0.5", 1), ("10.18.77.5", 2)])
def test_an_address_has_its_subnet(address: str, number: int) -> None:
    assert subnet(NETWORK, Reservation(address, VM1.mac)) == number


@pytest.mark.parametrize("address", ["10.19.0.5", "fd00::7", "router", ""])
def test_an_address_without_one_is_refused(address: str) -> None:
    with pytest.raises(InputError):
        subnet(NETWORK, Reservation(address, VM1.mac))


def test_others_are_left_alone_unless_told() -> None:
    moved = Reservation("10.17.0.8", VM1.mac, "vm1")
    assert plan([VM1, VM2], [moved], exclusive=False).remove == (VM1,)
    assert plan([VM1, VM2], [moved], exclusive=True).remove == (VM1, VM2)


@given(reservations(), reservations(), st.booleans())
def test_what_is_planned_leads_to_what_is_wanted(
    present: list[Reservation], wanted: list[Reservation], exclusive: bool
) -> None:
    changes = plan(present, wanted, exclusive=exclusive)
    left = [each for each in present if each not in changes.remove]
    after = [*left, *changes.add]
    for key in ("ip", "mac", "name"):  # which libvirt would refuse
        assert len({getattr(each, key) for each in after}) == len(after)
    assert set(wanted) <= set(after)
    assert not exclusive or set(after) == set(wanted)
    again = plan(after, wanted, exclusive=exclusive)
    assert again.remove == again.add == ()


@pytest.mark.parametrize("other", [numbered(1, 2, 2), numbered(2, 1, 2), numbered(2, 2, 1)])
def test_two_cannot_have_the_same(other: Reservation) -> None:
    with pytest.raises(InputError, match="would both have"):
        plan([], [numbered(1, 1, 1), other], exclusive=False)
