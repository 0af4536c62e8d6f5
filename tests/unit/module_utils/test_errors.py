from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, printable


def test_an_error_is_one_sentence_with_place_finding_and_advice() -> None:
    error = GuestError("the guest has no kernel", where="/a/disk.raw", hint="install one")
    assert str(error) == "/a/disk.raw: the guest has no kernel; install one."


def test_an_error_without_place_or_advice_is_still_a_sentence() -> None:
    assert str(ImageError("the file is empty")) == "the file is empty."


@given(st.text(), st.text(), st.text())
def test_an_error_never_lets_a_terminal_obey_what_an_image_said(found: str, where: str, hint: str) -> None:
    text = str(ImageError(found, where=where, hint=hint))
    assert text.isprintable()
    text.encode()


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_printable_escapes_and_keeps_what_is_plain(text: str) -> None:
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_printable_escapes_controls_and_bytes_that_are_no_text() -> None:
    assert printable("a\x1b[2J\nb\udcff") == "a\\x1b[2J\\nb\\udcff"
