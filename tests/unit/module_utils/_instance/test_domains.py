from __future__ import annotations

import types

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._instance import domains

MISSING = 42


class FailingError(Exception):
    """As libvirt's binding raises it."""

    def __init__(self, number: int) -> None:
        super().__init__("the socket was closed")
        self.number = number

    def get_error_code(self) -> int:
        return self.number


def test_what_libvirt_does_not_have_is_none_and_any_other_failure_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # The binding may not be installed here, and then there is no such name.
    monkeypatch.setattr(domains, "libvirt", types.SimpleNamespace(libvirtError=FailingError), raising=False)

    def fail(name: str) -> None:
        raise FailingError(MISSING if name == "gone" else MISSING + 1)

    assert domains.look_up(str.upper, "there", MISSING) == "THERE"
    assert domains.look_up(fail, "gone", MISSING) is None
    with pytest.raises(ToolError, match="libvirt failed: the socket was closed"):
        domains.look_up(fail, "other", MISSING)
