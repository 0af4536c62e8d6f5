"""Settings for tests of writers, as users give them."""

from __future__ import annotations

import typing as t

from ansible_collections.voc.cluster.plugins.module_utils._guest.network.settings import ARGUMENT_SPEC, Settings, parse


def options(**given: t.Any) -> dict[str, t.Any]:
    """Return all options, as a module has them."""
    return {**{name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}, **given}


def wanted(**given: t.Any) -> Settings:
    """Return the settings that options mean."""
    return parse(options(**given))


MAC = "52:54:00:00:2a:01"
STATIC: dict[str, t.Any] = {
    "method": "static",
    "addresses": ["192.0.2.5/24", "192.0.2.6/24", "2001:db8::5/64"],
    "gateways": ["192.0.2.1", "fe80::1"],
    "dns": ["192.0.2.2", "2001:db8::2"],
    "search": ["cluster.example", "example"],
    "mtu": 9000,
}
