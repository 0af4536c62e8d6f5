"""The modules lease and lease_info, on SQLite."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from .run_module import MODULES, run_module

POOLS = [{"name": "ip", "network": "10.16.0.0/29"}, {"name": "lun", "type": "number", "first": "0", "last": "9"}]

Call = Callable[..., t.Any]


@pytest.fixture
def lease(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*holders: str, check: bool = False, **options: t.Any) -> t.Any:
        database = options.pop("database", str(tmp_path / "voc" / "leases.db"))
        given = {"holders": list(holders)} if holders else {}
        pools = options.pop("pools", POOLS)
        return run_module("lease", capsys, check=check, database=database, pools=pools, **given, **options)

    return call


@pytest.fixture
def listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(**options: t.Any) -> t.Any:
        return run_module("lease_info", capsys, database=str(tmp_path / "voc" / "leases.db"), **options)

    return call


@contextmanager
def at(seconds: int) -> Iterator[None]:
    """Let the module lease think that it is another time, in seconds since the epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULES}.lease.time", SimpleNamespace(time=lambda: seconds))
        yield


def test_holders_get_an_address_of_each_pool_once(lease: Call, listed: Call) -> None:
    first = lease("vm0", "vm1")
    assert first["leases"] == {"vm0": {"ip": "10.16.0.1", "lun": "0"}, "vm1": {"ip": "10.16.0.2", "lun": "1"}}
    assert first["changed"]
    assert first["diff"]["after"].splitlines()[0] == "ip: 10.16.0.1 vm0"
    again = lease("vm0", "vm1", lifetime=60)
    assert not again["changed"]
    assert again["leases"] == first["leases"]
    assert listed()["leases"] == first["leases"]


def test_check_mode_tells_and_keeps_nothing(lease: Call, listed: Call, tmp_path: Path) -> None:
    told = lease("vm0", check=True)
    assert told["changed"]
    assert told["leases"]["vm0"]["ip"] == "10.16.0.1"
    assert not (tmp_path / "voc").exists()
    assert listed()["pools"] == {}


@pytest.mark.parametrize("check", [True, False])
def test_a_pool_that_is_named_twice_counts_once(lease: Call, check: bool) -> None:
    told = lease("vm0", pools=[POOLS[0], POOLS[0]], check=check)
    assert [change["address"] for change in told["changes"]] == ["10.16.0.1"]
    other = {**POOLS[0], "network": "10.17.0.0/29"}
    assert "pool ip: it is given twice" in lease("vm0", pools=[POOLS[0], other], check=check)["msg"]


def test_a_full_pool_gives_nobody_anything(lease: Call, listed: Call) -> None:
    failed = lease(*(f"vm{number}" for number in range(7)))
    assert "pool ip: all its 6 addresses are leased, none is left for vm6" in failed["msg"]
    assert listed()["leases"] == {}


def test_released_addresses_are_free_again(lease: Call, listed: Call) -> None:
    lease("vm0", "vm1")
    released = lease("vm0", pools=[{"name": "ip"}, {"name": "lun"}], state="absent")
    assert [(change["action"], change["address"]) for change in released["changes"]] == [
        ("release", "10.16.0.1"),
        ("release", "0"),
    ]
    assert not lease("vm0", pools=[{"name": "ip"}], state="absent")["changed"]
    assert listed(pools=["ip"])["leases"] == {"vm1": {"ip": "10.16.0.2"}}


def test_holders_that_are_not_expected_are_orphans(lease: Call, listed: Call) -> None:
    lease("vm0", "vm2", "vm1")
    with at(0):
        lease("gone", lifetime=1)
    assert listed(expected=["vm0", "other"])["orphans"] == ["vm1", "vm2"]
    assert listed(pools=["none"], expected=[])["orphans"] == []
    assert listed()["orphans"] == []


def test_expired_leases_are_listed_until_they_are_swept(lease: Call, listed: Call) -> None:
    with at(0):
        lease("vm0", lifetime=1)
    (entry,) = listed()["pools"]["lun"]
    assert entry["expired"]
    assert listed()["leases"] == {}
    assert lease(state="expired")["changed"]
    assert not lease(state="expired")["changed"]
    assert listed()["pools"]["lun"] == []


@pytest.mark.parametrize("lifetime", [0, -5])
def test_no_lease_has_ended_when_it_is_given(lease: Call, listed: Call, lifetime: int) -> None:
    assert f"a lifetime of {lifetime} s would end leases at once" in lease("vm0", lifetime=lifetime)["msg"]
    assert listed()["pools"] == {}


def test_what_is_no_database_is_one_sentence(lease: Call, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not a database, but long enough to have a header" * 20)
    assert "no lease database" in lease("vm0", database=str(other))["msg"]
    assert "cannot be used" in lease("vm0", database=str(tmp_path))["msg"]
    assert other.read_text().startswith("not a database")


def test_postgresql_that_is_away_is_one_sentence(lease: Call, tmp_path: Path) -> None:
    failed = lease("vm0", database=f"postgresql://voc:secret@/leases?host={tmp_path}")
    assert "psycopg2 is not installed" in failed["msg"] or "cannot be used" in failed["msg"]
    assert "secret" not in failed["msg"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_holders_are_needed(lease: Call, state: str) -> None:
    assert "holders" in lease(state=state)["msg"]
