"""How the result of a killed run may differ from that of an undisturbed one: terms may be missing,
but none differ; tables have the terms that exist; and a rebuilt index lacks the hash of its whole
pack.
"""

from __future__ import annotations

from collections.abc import Iterable

from log_aggregator.steps.packs.index import PACK_SHA256

Entry = tuple[object, ...]
"""(bucket, key, ...) of a store's contents."""


def assert_same_but_for_terms(
    found: Iterable[Entry], undisturbed: Iterable[Entry], where: object = ""
) -> None:
    """Everything else is the same, and all terms are among those that the undisturbed run wrote,
    byte for byte. If written twice, there are two versions.
    """
    (terms, others), (all_terms, all_others) = (
        _part(entry for entry in entries if not is_table(str(entry[1])))
        for entries in (found, undisturbed)
    )
    assert others == all_others, where
    assert set(terms) <= set(all_terms), where


def _part(entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    terms: list[Entry] = []
    others: list[Entry] = []
    for entry in entries:
        (terms if is_terms(str(entry[1])) else others).append(
            tuple(_without_hash(part) for part in entry)
        )
    return terms, others


def _without_hash(part: object) -> object:
    """Metadata without the hash of the pack, and everything else unchanged."""
    if not isinstance(part, tuple):
        return part
    return tuple(item for item in part if item[0] != PACK_SHA256)


def is_terms(key: str) -> bool:
    return key.endswith(".terms.jsonl.xz")


def is_table(key: str) -> bool:
    return key.endswith(".parquet")
