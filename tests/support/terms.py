"""What a run that was killed may leave otherwise than one that was not: terms that are missing, and
none that differ; tables of what terms there are; and an index that was made anew, beside which the
hash of its whole pack is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from log_aggregator.steps.packs.index import PACK_SHA256

Entry = tuple[object, ...]
"""(bucket, key, ...) of what a store holds."""


def assert_same_but_for_terms(
    found: Iterable[Entry], undisturbed: Iterable[Entry], where: object = ""
) -> None:
    """Everything else is the same, and all terms are among those that the undisturbed run wrote,
    byte for byte. Written twice, they are there in two versions.
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
    """Metadata but for the hash of the pack, and everything else as it is."""
    if not isinstance(part, tuple):
        return part
    return tuple(item for item in part if item[0] != PACK_SHA256)


def is_terms(key: str) -> bool:
    return key.endswith(".terms.jsonl.xz")


def is_table(key: str) -> bool:
    return key.endswith(".parquet")
