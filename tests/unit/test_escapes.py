"""Which characters are escaped, and that escaped text can be read back."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.errors import (
    AccessDenied,
    IncompleteSearch,
    LogAggregatorError,
    RequestFailed,
    SettingsError,
)
from log_aggregator.escapes import escape, escape_json, escape_lines, is_harmless

HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
INVISIBLE = {
    0x034F,
    *(0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
}
"""Default_Ignorable_Code_Point that is none of these categories."""


def test_which_characters_are_harmless() -> None:
    """The category decides for every character: letters, marks, digits, punctuation and symbols are
    harmless, unless invisible.
    """
    wrong = [
        hex(number)
        for number in range(sys.maxunicode + 1)
        if is_harmless(chr(number))
        is (
            number in INVISIBLE
            or (number != ord(" ") and unicodedata.category(chr(number)) in HARMFUL)
        )
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("junk\x1b]0;owned\x07", r"junk\x1b]0;owned\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202egz.exe\u2066", r"\u202egz.exe\u2066"),
        ("a\u200bb\u200d\ufeff\xad", r"a\u200bb\u200d\ufeff\xad"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\udc9b\ud83d", r"\udc9b\ud83d"),
        ("\U000e0001\U000e0041\U000e0100", r"\U000e0001\U000e0041\U000e0100"),
        ("\u2764\ufe0f", "\u2764\\ufe0f"),
        ("a\xa0b\u3000", r"a\xa0b\u3000"),
        ("Jürgen/é/e\u0301/日本語/🙂/שלום/C:\\x", "Jürgen/é/e\u0301/日本語/🙂/שלום/C:\\x"),
    ],
)
def test_characters_are_escaped_as_in_python(text: str, shown: str) -> None:
    """Harmful characters are escaped as Python writes them; all else is unchanged."""
    assert escape(text) == shown


def test_own_line_breaks_stay() -> None:
    assert escape_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\r\n"


@given(st.text())
def test_escaped_text_is_harmless(text: str) -> None:
    """Escaping again changes nothing."""
    shown = escape(text)
    assert is_harmless(shown)
    assert escape(shown) == shown
    assert escape_lines(text) == "\n".join(map(escape, text.split("\n")))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values, st.sampled_from([None, 2]))
def test_escaped_json_has_the_same_meaning(value: object, indent: int | None) -> None:
    """Even lone surrogates come back, and the JSON has no harmful character."""
    document = escape_json(json.dumps(value, indent=indent, ensure_ascii=False))
    assert all(map(is_harmless, document.split("\n")))
    assert json.loads(document) == json.loads(json.dumps(value))


@pytest.mark.parametrize("kind", [LogAggregatorError, SettingsError, RequestFailed, AccessDenied])
def test_the_text_of_an_error_is_escaped(kind: type[LogAggregatorError]) -> None:
    """This holds for any parts of the message."""
    assert str(kind("s3://b/k\n\x1b[2J: no")) == "s3://b/k\\n\\x1b[2J: no"


def test_an_error_can_have_several_lines() -> None:
    """Only lines passed as lines break, and each stays a single one."""
    error = IncompleteSearch("two\ngaps:", lines=["  a\x9b", "  b\nc"])
    assert str(error) == "two\\ngaps:\n  a\\x9b\n  b\\nc"
