"""What a key's ending promises about the bytes. They are looked at again when they are read."""

from __future__ import annotations

from log_aggregator.model import ContentKind

_TEXT_SUFFIXES = frozenset({"log", "txt", "json", "jsonl", "ndjson", "csv", "tsv"})


def content_kind(key: str, *, is_document: bool) -> ContentKind:
    """By the last suffix: gzip, known text or no suffix at all; everything else is never
    concatenated.
    """
    name = key[key.rfind("/") + 1 :]
    _, dot, suffix = name.rpartition(".")
    suffix = suffix.lower()
    if not dot or suffix in _TEXT_SUFFIXES:
        return ContentKind.TEXT
    if suffix == "gz":
        return ContentKind.GZIP_DOCUMENT if is_document else ContentKind.GZIP_LINES
    return ContentKind.BINARY
