"""JSON as it is stored: as short as possible, and readable without a table of code points."""

from __future__ import annotations

import pytest

from log_aggregator.core.jsontext import decode_json, encode_json, encode_json_line


def test_json_has_no_spaces_and_few_escapes() -> None:
    value = {"key": "AWSLogs/größe\n", "list": [1, None, True]}
    assert encode_json(value) == '{"key":"AWSLogs/größe\\n","list":[1,null,true]}'.encode()


def test_each_document_ends_its_line() -> None:
    assert b"".join(map(encode_json_line, ["a\nb", 2])) == b'"a\\nb"\n2\n'


@pytest.mark.parametrize("text", ["größe", "\x1b", "\x00", "\U0001f600", "\\u0041", "a\u2028b"])
def test_text_survives_encoding(text: str) -> None:
    assert decode_json(encode_json([text])) == [text]


@pytest.mark.parametrize(
    "data",
    [
        b'"\\ud800"',
        b'"\\uD83D"',
        b'{"\\udfff": 1}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"\xff\xfe[\x00]\x00",
    ],
)
def test_invalid_unicode_is_refused(data: bytes) -> None:
    """Half a surrogate pair, escaped or as bytes, and any encoding but UTF-8 are refused."""
    with pytest.raises(UnicodeError):
        decode_json(data)


def test_a_surrogate_pair_is_one_character() -> None:
    assert decode_json(b'"\\ud83d\\ude00"') == "\U0001f600"
