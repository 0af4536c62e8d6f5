from __future__ import annotations

import configparser
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import ini
from ansible_collections.voc.cluster.plugins.module_utils._guest.ini import Style

NAMES = st.sampled_from(["a", "b", "other"])
LINES = st.sampled_from(["", "# a comment", "; b = 5", "#a=7", "a = 1", "a=2", "b = 1", "  b=3", "[s]", "[t]", "other"])
TEXTS = st.lists(LINES, max_size=12).map(lambda lines: "".join(f"{line}\n" for line in lines))
ANY_TEXT = st.text(st.sampled_from("[]ab#;= \r\n\udc80"), max_size=40)
SECTIONS = st.sampled_from(["s", "t", "new"])
STYLES = st.builds(Style, st.booleans(), st.booleans())


def _parsed(text: str) -> dict[str, dict[str, t.Any]]:
    """Read a text with the standard library, where what comes last counts."""
    parser = configparser.RawConfigParser(
        allow_no_value=True, strict=False, empty_lines_in_values=False, delimiters=("=",), default_section="-"
    )
    parser.read_string("[top]\n" + "".join(line.lstrip(" ") + "\n" for line in text.split("\n")))
    return {section: dict(parser[section]) for section in parser.sections()}


@given(TEXTS, SECTIONS | st.none(), NAMES, st.sampled_from(["1", "2", "x = y", ""]), STYLES)
def test_an_option_gets_its_value_and_no_other_changes(
    text: str, section: str | None, option: str, value: str, style: Style
) -> None:
    # Only the first of several sections of one name is looked at.
    lines = text.split("\n")
    text = "\n".join(line for number, line in enumerate(lines) if line[:1] != "[" or line not in lines[:number])
    once = ini.with_option(text, section, option, [value], style)
    expected = _parsed(text)
    expected.setdefault(section or "top", {})[option] = value
    assert _parsed(once) == expected
    assert ini.with_option(once, section, option, [value], style) == once
    assert ini.without_option(once, section, "none") == once


@given(TEXTS, SECTIONS, NAMES)
def test_an_option_that_is_removed_is_gone_and_no_other(text: str, section: str, option: str) -> None:
    without = ini.without_option(text, section, option)
    assert ini.without_option(without, section, option) == without
    kept = iter(text.split("\n"))
    assert all(line in kept for line in without.split("\n"))


@given(ANY_TEXT, SECTIONS | st.none(), STYLES, st.lists(st.sampled_from(["1", "2", ""]), min_size=1, max_size=3))
def test_any_text_can_be_edited_twice_with_the_same_end(
    text: str, section: str | None, style: Style, values: list[str]
) -> None:
    once = ini.with_option(text, section, "a", values, style)
    assert ini.with_option(once, section, "a", values, style) == once


@given(ANY_TEXT, SECTIONS)
def test_a_section_comes_and_goes(text: str, section: str) -> None:
    there = ini.with_section(text, section)
    assert f"[{section}]" in there
    assert ini.with_section(there, section) == there
    if there != text:
        assert ini.without_section(there, section).rstrip("\n") == text.rstrip("\n")


def test_several_values_are_a_line_each() -> None:
    text = "[Resolve]\nDNS=1.1.1.1\n#Domains=\n\n[Other]\nDNS=x\n"
    style = Style(spaces=False)
    edited = ini.with_option(text, "Resolve", "DNS", ["2.2.2.2", "1.1.1.1"], style)
    assert edited == "[Resolve]\nDNS=1.1.1.1\nDNS=2.2.2.2\n#Domains=\n\n[Other]\nDNS=x\n"
    assert ini.with_option(edited, "Resolve", "DNS", ["2.2.2.2"], style) == text.replace("1.1.1.1", "2.2.2.2")


def test_an_option_goes_before_the_comments_and_space_that_end_a_section() -> None:
    assert ini.with_option("[a]\nx = 1\n\n# of b:\n[b]\n", "a", "y", ["2"], Style()) == (
        "[a]\nx = 1\ny = 2\n\n# of b:\n[b]\n"
    )


def test_an_option_can_have_no_value() -> None:
    assert ini.with_option("[mysqld]\nskip = 1\n", "mysqld", "skip", [None], Style()) == "[mysqld]\nskip\n"


def test_a_comment_is_revived_unless_it_is_unwanted() -> None:
    text = "[main]\n#plugins=old\n"
    assert ini.with_option(text, "main", "plugins", ["new"], Style(spaces=False)) == "[main]\nplugins=new\n"
    kept = ini.with_option(text, "main", "plugins", ["new"], Style(spaces=False, revive=False))
    assert kept == "[main]\nplugins=new\n#plugins=old\n"


@pytest.mark.parametrize(("section", "option", "value"), [("a\nb", "c", "d"), ("a", "b\nc", "d"), ("a", "b", "c\nd")])
def test_what_no_line_can_hold_is_refused(section: str, option: str, value: str) -> None:
    with pytest.raises(InputError):
        ini.with_option("", section, option, [value], Style())
