"""Real keys from public repositories and AWS documents, with the right reading of each.

Free keys are checked by their hints. That a suggested declaration gives the same facts is checked
in the tests of `suggest`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.declarations import kind_word
from log_aggregator.core.layouts.hints import hint_of

KEYS: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("keys.jsonl").read_text(encoding="utf-8").splitlines()
]
PACKED = [entry for entry in KEYS if entry["expected_action"] == "pack"]
LEFT = [entry for entry in KEYS if entry["expected_action"] == "leave"]


def key_of(entry: dict[str, Any]) -> str:
    return str(entry["key"])


def test_the_corpus_is_complete() -> None:
    """Of its 217 keys most are packed, and most of these without a declaration."""
    certain = [entry for entry in PACKED if isinstance(parse_key(entry["key"]), Dated)]
    assert (len(KEYS), len(PACKED), len(certain)) == (217, 145, 91)


@pytest.mark.parametrize("entry", LEFT, ids=key_of)
def test_other_objects_are_never_packed(entry: dict[str, Any]) -> None:
    """This covers tables, inventories, query results, exports, backups and undated keys."""
    parsed = parse_key(entry["key"])
    assert not isinstance(parsed, Dated)
    assert parsed.reason


@pytest.mark.parametrize("entry", PACKED, ids=key_of)
def test_a_log_is_read_correctly(entry: dict[str, Any]) -> None:
    """A head or name gives facts; a search gives hints."""
    parsed = parse_key(entry["key"])
    said = parsed.facts if isinstance(parsed, Dated) else hint_of(entry["key"])
    assert str(said.date) == entry["expected_date"]
    assert said.log_type in entry["expected_type"].split("|")
    assert said.account == entry.get("expected_account", said.account)
    assert said.region == entry.get("expected_region", said.region)
    if entry.get("fault", "").startswith("D1"):  # a folder's name, taken for a Region's
        assert said.region is None
    assert kind_word(said.kind) == entry.get("expected_kind", kind_word(said.kind))
