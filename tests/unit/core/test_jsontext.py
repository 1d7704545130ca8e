"""JSON as it is stored: as short as it can be, and readable without a table of code points."""

from __future__ import annotations

from log_aggregator.core.jsontext import encode_json, encode_json_line


def test_there_are_no_spaces_and_no_escapes_but_those_that_json_demands() -> None:
    value = {"key": "AWSLogs/größe\n", "list": [1, None, True]}
    assert encode_json(value) == '{"key":"AWSLogs/größe\\n","list":[1,null,true]}'.encode()


def test_a_line_ends_where_the_next_one_begins() -> None:
    assert b"".join(map(encode_json_line, ["a\nb", 2])) == b'"a\\nb"\n2\n'
