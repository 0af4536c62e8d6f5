from __future__ import annotations

import types

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._instance import domain_xml, domains

from .definitions import PLAIN

MISSING = 42


class FailingError(Exception):
    """As libvirt's binding raises it."""

    def __init__(self, number: int) -> None:
        super().__init__("the socket was closed")
        self.number = number

    def get_error_code(self) -> int:
        return self.number


# As libvirt's header numbers them (virDomainState, virDomainPausedReason).
STATES = {
    "VIR_DOMAIN_PAUSED": 3,
    "VIR_DOMAIN_SHUTOFF": 5,
    "VIR_DOMAIN_CRASHED": 6,
    "VIR_DOMAIN_PMSUSPENDED": 7,
    "VIR_DOMAIN_PAUSED_IOERROR": 5,
    "VIR_DOMAIN_PAUSED_CRASHED": 10,
}
PAUSED = STATES["VIR_DOMAIN_PAUSED"]


def domain(state: int, reason: int) -> types.SimpleNamespace:
    """Return one of ours as libvirt's binding has it, in a state."""
    return types.SimpleNamespace(
        state=lambda: [state, reason],
        XMLDesc=lambda flags: domain_xml.domain(PLAIN, "kvm"),
        name=lambda: PLAIN.name,
        UUIDString=lambda: PLAIN.uuid,
    )


@pytest.mark.parametrize(
    ("state", "reason", "active", "paused"),
    [
        (1, 1, True, False),  # it runs
        (4, 1, True, False),  # it is shutting down
        (STATES["VIR_DOMAIN_CRASHED"], 0, False, False),
        (STATES["VIR_DOMAIN_SHUTOFF"], 1, False, False),
        (STATES["VIR_DOMAIN_PMSUSPENDED"], 0, True, True),
        (PAUSED, STATES["VIR_DOMAIN_PAUSED_IOERROR"], False, False),
        (PAUSED, STATES["VIR_DOMAIN_PAUSED_CRASHED"], False, False),
        *((PAUSED, reason, True, True) for reason in (0, 1, 2, 3, 4, 6, 7, 9)),  # users, dumps, snapshots, migrations
    ],
)
def test_only_what_cannot_go_on_is_dead(
    state: int, reason: int, active: bool, paused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    libvirt = types.SimpleNamespace(libvirtError=FailingError, **STATES)
    monkeypatch.setattr(domains, "libvirt", libvirt, raising=False)
    connection = types.SimpleNamespace(listAllDomains=lambda: [domain(state, reason)])
    (found,) = domains.Domains(connection).all()
    assert (found.active, found.paused) == (active, paused)


def test_what_libvirt_does_not_have_is_none_and_any_other_failure_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # The binding may not be installed here, and then there is no such name.
    monkeypatch.setattr(domains, "libvirt", types.SimpleNamespace(libvirtError=FailingError), raising=False)

    def fail(name: str) -> None:
        raise FailingError(MISSING if name == "gone" else MISSING + 1)

    assert domains.look_up(str.upper, "there", MISSING) == "THERE"
    assert domains.look_up(fail, "gone", MISSING) is None
    with pytest.raises(ToolError, match="libvirt failed: the socket was closed"):
        domains.look_up(fail, "other", MISSING)
