from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._generalize import registry
from ansible_collections.voc.cluster.plugins.modules import image_generalize

NAMES = [operation.name for operation in registry.OPERATIONS]
DEFAULTS = [operation.name for operation in registry.OPERATIONS if operation.default]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["defaults"], DEFAULTS),
        (["all", "-logs"], [name for name in NAMES if name != "logs"]),
        (["logs", "machine-id"], ["machine-id", "logs"]),
        (["defaults", "root-password"], [name for name in NAMES if name in (*DEFAULTS, "root-password")]),
        (["-logs"], []),
        (["logs", "-all"], []),
        ([], []),
    ],
)
def test_words_select_operations_in_their_fixed_order(words: list[str], chosen: list[str]) -> None:
    assert [operation.name for operation in registry.select(words)] == chosen


@pytest.mark.parametrize("word", ["log", "-none", "", "-", "--logs"])
def test_an_unknown_operation_is_refused_with_the_known_ones(word: str) -> None:
    with pytest.raises(InputError, match="choose from all, authorized-keys, "):
        registry.select([word])


def test_the_module_documents_each_operation_with_its_reason_and_whether_it_is_a_default() -> None:
    options = yaml.safe_load(image_generalize.DOCUMENTATION)["options"]
    table = [
        line for line in options["operations"]["description"] if re.match(r"V\([a-z-]+\)( \(not a default\))? - ", line)
    ]
    assert table == [
        f"V({operation.name}){'' if operation.default else ' (not a default)'} - {operation.reason}."
        for operation in registry.OPERATIONS
    ]


def test_names_are_unique_and_each_operation_does_one_thing() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all((operation.clean is None) != (operation.wipe is None) for operation in registry.OPERATIONS)
