"""The entries of a ledger, and their keys."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.backfill.entries import (
    BackfillPlan,
    Entry,
    EntryPlace,
    Kind,
    Totals,
    backfill_folder,
    check_name,
    decode_entry,
    decode_plan,
    encode_entry,
    encode_plan,
    parse_place,
)
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import BadPack, SettingsError
from log_aggregator.model import Target

WINDOW = DateWindow(date(2025, 4, 1), date(2025, 4, 7))
FOLDER = backfill_folder(Target("dest", "aggregated/"), "history")
PLACE = EntryPlace(WINDOW, 2, Kind.DONE)
ENTRY = Entry(PLACE, "host-1-ab", Totals(objects=3, dollars=0.25), ("a: b: c",), ("custody/1",))
PLAN = BackfillPlan("history", WINDOW, 7, ("a", "b"), datetime(2025, 5, 1, tzinfo=UTC))


@given(kind=st.sampled_from(Kind), attempt=st.integers(1, 999_999), number=st.integers(1, 999_999))
def test_a_key_identifies_its_entry(kind: Kind, attempt: int, number: int) -> None:
    """parse(key(place)) == place, for every kind."""
    place = EntryPlace(WINDOW, attempt, kind, number if kind is Kind.BEAT else 0)
    assert parse_place(FOLDER, place.key(FOLDER)) == place


@pytest.mark.parametrize(
    "key",
    [
        "plan.json",
        "windows/2025-04-01_2025-04-07/000001-beat.json",
        "windows/2025-04-01_2025-04-07/000001-done-000001.json",
        "windows/2025-04-07_2025-04-01/000001-done.json",
        "windows/2025-02-30_2025-04-01/000001-done.json",
        "windows/2025-04-01_2025-04-07/1-done.json",
        "windows/2025-04-01_2025-04-07/000001-done.json.bak",
    ],
)
def test_other_keys_are_ignored(key: str) -> None:
    """Other objects in the folder are ignored."""
    assert parse_place(FOLDER, f"{FOLDER}{key}") is None


def test_an_entry_survives_encoding() -> None:
    """decode(encode(entry)) == entry, and likewise for a plan."""
    assert decode_entry(PLACE, encode_entry(ENTRY)) == ENTRY
    assert decode_plan("history", encode_plan(PLAN)) == PLAN


@pytest.mark.parametrize(
    "other",
    [
        EntryPlace(WINDOW, 1, Kind.DONE),
        EntryPlace(WINDOW, 2, Kind.FAILED),
        EntryPlace(DateWindow(date(2025, 4, 1), date(2025, 4, 6)), 2, Kind.DONE),
    ],
)
def test_an_entry_counts_only_at_its_own_place(other: EntryPlace) -> None:
    """An entry copied to another window, attempt or kind is a BadPack."""
    with pytest.raises(BadPack):
        decode_entry(other, encode_entry(ENTRY))


@pytest.mark.parametrize(
    "change",
    [{"format": "x"}, {"version": 2}, {"worker": 7}, {"failures": [1]}, {"totals": {"objects": 1}}],
)
def test_invalid_entries_are_not_read(change: dict[str, object]) -> None:
    """Another format and invalid values are refused."""
    with pytest.raises(BadPack):
        decode_entry(PLACE, json.dumps(json.loads(encode_entry(ENTRY)) | change).encode())


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"window_days": 0}, {"first_date": "2025-05-01"}, {"sources": [1]}],
)
def test_a_plan_must_match_its_name(change: dict[str, object]) -> None:
    """A plan must match its name and make sense."""
    with pytest.raises(BadPack):
        decode_plan("history", json.dumps(json.loads(encode_plan(PLAN)) | change).encode())


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 101, "a b", "ä"])
def test_a_name_must_be_one_part_of_a_key(name: str) -> None:
    """Any other name is refused before it is used."""
    with pytest.raises(SettingsError, match="--name"):
        check_name(name)
