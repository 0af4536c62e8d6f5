"""Decisions on leases: nobody shares, nobody loses, and a full pool says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils import _leases
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._leases import Lease, Pool, acquire, make_pool

NUMBERS = Pool("lun", "number", 1, 4)

Table = dict[int, Lease]


def apply(table: Table, leases: list[Lease]) -> None:
    table.update({lease.number: lease for lease in leases})


def test_addresses_are_given_in_order_and_kept() -> None:
    first = acquire(NUMBERS, [], ["a", "b"], 0)
    assert [lease.address for lease in first] == ["1", "2"]
    again = acquire(NUMBERS, first, ["b", "c", "b"], 5)
    assert [lease.address for lease in again] == ["2", "3", "2"]
    assert again[0].acquired == 0


def test_what_was_given_back_longest_ago_comes_after_what_nobody_had() -> None:
    table: Table = {}
    apply(table, acquire(NUMBERS, [], ["a", "b", "c"], 0))
    apply(table, _leases.release(table.values(), ["b"], 1))
    apply(table, _leases.release(table.values(), ["a"], 2))
    given = acquire(NUMBERS, list(table.values()), ["d", "e", "f"], 3)
    assert [lease.address for lease in given] == ["4", "2", "1"]


def test_who_comes_back_gets_the_same_address() -> None:
    table: Table = {}
    apply(table, acquire(NUMBERS, [], ["a", "b"], 0, lifetime=10))
    assert acquire(NUMBERS, list(table.values()), ["b"], 100)[0] == Lease("lun", 2, "2", "b", 100)


def test_a_lease_ends_by_itself_unless_it_is_renewed() -> None:
    table: Table = {}
    apply(table, acquire(NUMBERS, [], ["a", "b", "c", "d"], 0, lifetime=10))
    apply(table, acquire(NUMBERS, list(table.values()), ["a", "b", "d"], 9, lifetime=10))
    assert acquire(NUMBERS, list(table.values()), ["e"], 10)[0].address == "3"
    assert [lease.holder for lease in _leases.expire(table.values(), 10)] == ["c"]


def test_a_full_pool_is_an_error_that_names_it() -> None:
    full = acquire(NUMBERS, [], ["a", "b", "c", "d"], 0)
    with pytest.raises(SpaceError) as caught:
        acquire(NUMBERS, full, ["e"], 1)
    assert "pool lun" in str(caught.value)
    assert "all its 4 addresses" in str(caught.value)
    assert "none is left for e" in str(caught.value)


def test_a_lease_that_left_its_pool_is_not_taken_for_one_of_it() -> None:
    leases = acquire(NUMBERS, [], ["a"], 0)
    with pytest.raises(InputError, match="not in it any more"):
        acquire(Pool("lun", "number", 2, 4), leases, ["a"], 1)


@pytest.mark.parametrize("holder", ["", "a\nb", "\x1b[2J", "a" * 256])
def test_odd_holders_are_refused(holder: str) -> None:
    with pytest.raises(InputError, match="cannot hold a lease"):
        acquire(NUMBERS, [], [holder], 0)


NAMES = st.sampled_from("abcdefgh")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.lists(NAMES, max_size=4), st.sampled_from([None, 1, 5])),
        st.tuples(st.just("release"), st.lists(NAMES, max_size=3), st.none()),
        st.tuples(st.just("expire"), st.just([]), st.none()),
    ),
    max_size=30,
)


@given(steps=STEPS)
def test_nobody_shares_an_address_and_nobody_loses_one(steps: list[tuple[str, list[str], int | None]]) -> None:
    pool = Pool("lun", "number", 1, 6, frozenset({3}))
    table: Table = {}
    held: dict[str, tuple[int, float]] = {}  # holder -> address and end, as a client would remember
    for now, (action, holders, lifetime) in enumerate(steps):
        held = {holder: (number, end) for holder, (number, end) in held.items() if end > now}
        if action == "release":
            apply(table, _leases.release(table.values(), holders, now))
            held = {holder: lease for holder, lease in held.items() if holder not in holders}
        elif action == "expire":
            apply(table, _leases.expire(table.values(), now))
        else:
            try:
                given_now = acquire(pool, list(table.values()), holders, now, lifetime)
            except SpaceError:
                assert len(held.keys() | set(holders)) > 5
                continue
            apply(table, given_now)
            for holder, lease in zip(holders, given_now):
                assert lease.number in pool
                if holder in held:
                    assert lease.number == held[holder][0]
                held[holder] = (lease.number, lease.expires if lease.expires is not None else float("inf"))
        numbers = [number for number, _end in held.values()]
        assert len(set(numbers)) == len(numbers)
        assert all(table[number].holder == holder for holder, (number, _end) in held.items())


@pytest.mark.parametrize(
    ("kind", "bounds", "first", "last", "count"),
    [
        ("ip", {"network": "10.16.0.0/24"}, "10.16.0.1", "10.16.0.254", 254),
        ("ip", {"network": "10.16.0.0/24", "exclude": ["10.16.0.1"]}, "10.16.0.2", "10.16.0.254", 253),
        ("ip", {"network": "10.16.0.4/31"}, "10.16.0.4", "10.16.0.5", 2),
        ("ip", {"network": "10.16.0.4/32"}, "10.16.0.4", "10.16.0.4", 1),
        ("ip", {"network": "fd00::/120"}, "fd00::1", "fd00::ff", 255),
        ("ip", {"first": "10.16.0.9", "last": "10.16.0.10"}, "10.16.0.9", "10.16.0.10", 2),
        (
            "mac",
            {"first": "02:00:00:00:00:FE", "last": "02-00-00-00-01-01"},
            "02:00:00:00:00:fe",
            "02:00:00:00:01:01",
            4,
        ),
        ("number", {"first": "0", "last": "15"}, "0", "15", 16),
    ],
)
def test_pools_hold_what_hosts_can_have(kind: str, bounds: dict[str, str], first: str, last: str, count: int) -> None:
    pool = make_pool("p", kind, **bounds)  # type: ignore[arg-type]
    shown = [_leases.show(pool, number) for number in pool.addresses()]
    assert (shown[0], shown[-1], len(shown)) == (first, last, count)


@pytest.mark.parametrize(
    ("kind", "bounds", "words"),
    [
        ("ip", {}, "needs either a network"),
        ("ip", {"network": "10.0.0.0/8", "first": "10.0.0.1", "last": "10.0.0.2"}, "needs either"),
        ("ip", {"first": "10.0.0.1"}, "needs either"),
        ("ip", {"network": "ten"}, "no network"),
        ("ip", {"first": "10.0.0.2", "last": "10.0.0.1"}, "comes after"),
        ("ip", {"first": "10.0.0.1", "last": "fd00::1"}, "one of IPv6"),
        ("ip", {"first": "x", "last": "y"}, "no address of type ip"),
        ("ip", {"network": "10.0.0.0/24", "exclude": ["x"]}, "no address of type ip"),
        ("mac", {"network": "10.0.0.0/8"}, "no network"),
        ("mac", {"first": "01:00:00:00:00:00", "last": "01:00:00:00:00:0f"}, "single interfaces"),
        ("mac", {"first": "02:00:00:00:00:00", "last": "04:00:00:00:00:0f"}, "single interfaces"),
        ("mac", {"first": "02:00", "last": "02:01"}, "no address of type mac"),
        ("number", {"first": "-1", "last": "2"}, "no address of type number"),
        ("number", {"first": "\u0661", "last": "2"}, "no address of type number"),
    ],
)
def test_what_is_no_pool_is_refused(kind: str, bounds: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_pool("p", kind, **bounds)  # type: ignore[arg-type]


@given(number=st.integers(0, 2**128 - 1))
def test_ip_addresses_are_shown_as_they_are_read(number: int) -> None:
    pool = Pool("p", "ip", 0, 2**128 - 1)
    assert _leases.parse("ip", _leases.show(pool, number)) == number
