"""Lines, blocks and replacements do what ansible.builtin's own modules do to the same file."""

from __future__ import annotations

import importlib
import io
import typing as t
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import lines
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import Anchor, LineSearch, Markers

WORDS = st.sampled_from(["a", "b", "ab", "", "#a", "a b", "é"])
# What a carriage return means differs between the releases of Ansible.
ENDS = st.just("\n")
TEXTS = st.lists(st.tuples(WORDS, ENDS), max_size=6).map(lambda pairs: "".join(word + end for word, end in pairs))
PATTERNS = st.sampled_from(["a", "^a", "b$", "^#?a", "x", "(a)|(b)"])
PLACES = st.one_of(st.none(), st.sampled_from(["BOF", "EOF"]), PATTERNS)
ANY_TEXT = st.text(st.sampled_from("ab#=\r\n {é\udc80"), max_size=30)


@pytest.fixture(scope="module")
def builtin(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that lets one of Ansible's modules edit a text."""
    path = tmp_path_factory.mktemp("oracle") / "file"

    def edit(module: str, text: str, **options: t.Any) -> str:
        path.write_bytes(text.encode())
        given_ = {name: value for name, value in options.items() if value is not None}
        main = importlib.import_module(f"ansible.modules.{module}").main
        arguments = patch_module_args({"path": str(path), **given_})
        with arguments, redirect_stdout(io.StringIO()) as output, pytest.raises(SystemExit):
            main()
        assert '"failed": true' not in output.getvalue(), output.getvalue()
        return Path(path).read_bytes().decode()

    return edit


@settings(max_examples=80)
@given(
    TEXTS, st.sampled_from(["a", "b", "new", ""]), PATTERNS | st.none(), PLACES, PLACES, st.booleans(), st.booleans()
)
def test_a_line_goes_where_lineinfile_puts_it(
    builtin: Callable[..., str],
    text: str,
    line: str,
    regexp: str | None,
    after: str | None,
    before: str | None,
    first: bool,
    absent: bool,
) -> None:
    assume(not (after and before) and before != "EOF")
    search = LineSearch(line, None if regexp is None else lines.compiled(regexp), first=first)
    where = {} if absent else {"insertafter": after, "insertbefore": before, "firstmatch": first}
    state = "absent" if absent else "present"
    theirs = builtin("lineinfile", text, line=line, regexp=regexp, state=state, **where)
    if absent:
        assert lines.without_line(text, search) == theirs
        return
    anchor = Anchor.of(after, before, first=first)
    ours = lines.with_line(text, search, anchor)
    assert ours == theirs


@settings(max_examples=40)
@given(TEXTS, st.sampled_from(["a b", "new", "[a] \\1"]))
def test_groups_of_the_pattern_fill_the_line_as_in_lineinfile(
    builtin: Callable[..., str], text: str, line: str
) -> None:
    pattern = "^(a|b)$"
    theirs = builtin("lineinfile", text, line=line, regexp=pattern, backrefs=True)
    assert lines.with_line(text, LineSearch(line, lines.compiled(pattern)), Anchor(), backrefs=True) == theirs


@settings(max_examples=80)
@given(TEXTS, st.sampled_from(["a", "a\nb\n", "", "new\n\n"]), PLACES, PLACES, st.booleans())
def test_a_block_goes_where_blockinfile_puts_it(
    builtin: Callable[..., str], text: str, block: str, after: str | None, before: str | None, again: bool
) -> None:
    assume(not (after and before) and after != "BOF" and before != "EOF")
    if again:
        text = builtin("blockinfile", text, block="old", insertafter=after, insertbefore=before)
    theirs = builtin("blockinfile", text, block=block, insertafter=after, insertbefore=before)
    ours = lines.with_block(text, Markers.of("# {mark} ANSIBLE MANAGED BLOCK"), block, Anchor.of(after, before))
    assert ours == theirs
    assert lines.with_block(ours, Markers.of("# {mark} ANSIBLE MANAGED BLOCK"), block, Anchor.of(after, before)) == ours


@pytest.mark.parametrize("option", ["insertafter", "insertbefore"])
def test_a_block_can_be_placed_by_several_lines(builtin: Callable[..., str], option: str) -> None:
    text = "x\na\nb\ny\n"
    where = {"insertafter": None, "insertbefore": None, option: "(?m)a\nb"}
    ours = lines.with_block(
        text, Markers.of("# {mark} ANSIBLE MANAGED BLOCK"), "c", Anchor.of(where["insertafter"], where["insertbefore"])
    )
    assert ours == builtin("blockinfile", text, block="c", **where)


@given(TEXTS, PATTERNS, st.sampled_from(["", "x", "[\\g<0>]"]), st.none() | st.just("a"), st.none() | st.just("^#"))
def test_replacements_are_those_of_replace(
    builtin: Callable[..., str], text: str, pattern: str, replacement: str, after: str | None, before: str | None
) -> None:
    theirs = builtin("replace", text, regexp=pattern, replace=replacement, after=after, before=before)
    assert lines.replaced(text, pattern, replacement, after, before) == theirs


@given(ANY_TEXT, st.text("ab#=\r {é", max_size=5), PATTERNS | st.none(), PLACES, st.booleans())
@example("a", "b", None, "a", False)
def test_a_line_that_was_put_stays_and_no_other_is_harmed(
    text: str, line: str, regexp: str | None, after: str | None, first: bool
) -> None:
    assume(not line.endswith("\r"))
    anchor = Anchor.of(after, None, first=first)
    search = LineSearch(line, None if regexp is None else lines.compiled(regexp), first=first)
    once = lines.with_line(text, search, anchor)
    assert f"{line}\n" in once
    assert len(lines.split(once)) - len(lines.split(text)) in (0, 1)
    if regexp is None or search.matches(line):
        assert lines.with_line(once, search, anchor) == once


@given(ANY_TEXT)
def test_a_text_is_made_of_its_lines(text: str) -> None:
    assert "".join(lines.split(text)) == text
    assert all("\n" not in line[:-1] and line for line in lines.split(text))


def test_a_last_line_without_an_end_is_ended_before_something_follows_it() -> None:
    """Where lineinfile would write both into one line."""
    assert lines.with_line("a", LineSearch("b"), Anchor.of("a", None)) == "a\nb\n"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: lines.compiled("("),
        lambda: lines.with_line("", LineSearch("a\nb"), Anchor()),
        lambda: lines.with_line("a\n", LineSearch("\\9", lines.compiled("a")), Anchor(), backrefs=True),
        lambda: lines.replaced("a", "a", "\\9"),
        lambda: lines.replaced("a", "a", "x", after="("),
        lambda: Markers.of("no mark"),
        lambda: Markers.of("# {mark}", "SAME", "SAME"),
        lambda: lines.with_block("", Markers.of("# {mark}"), "x\n# BEGIN\n", Anchor()),
    ],
)
def test_what_cannot_be_meant_is_refused(bad: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        bad()
