"""The content kind that a key's suffix suggests. The bytes decide when they are read."""

from __future__ import annotations

from log_aggregator.model import ContentKind

_BINARY_SUFFIXES = (
    ".parquet .parq .orc .avro .arrow .feather .zip .tar .tgz .tbz2 .jar .bz2 .xz .zst .zstd .lz4 "
    ".lzo .lzma .snappy .sz .br .7z .rar .z .pcap .pcapng .evtx .etl .bson .rdb .db .sqlite .png "
    ".jpg .jpeg .gif .webp .wav .mp3 .mp4 .webm .pdf .docx .xlsx .pb .bin .exe "
)


def content_kind(key: str, *, is_document: bool) -> ContentKind:
    """By the last suffix that is not a date or a number: `access.log.2025-04-03` is a `.log`.

    The result is gzip, or binary for formats that must not be concatenated. Everything else counts
    as text until its bytes are read; if they turn out to be binary, a gzip pack can hold them too.
    """
    suffixes = key[key.rfind("/") + 1 :].lower().split(".")[1:]
    named = [suffix for suffix in suffixes if not _is_count(suffix)]
    last = named[-1] if named else ""
    if last == "gz":
        return ContentKind.GZIP_DOCUMENT if is_document else ContentKind.GZIP_LINES
    return ContentKind.BINARY if f".{last} " in _BINARY_SUFFIXES else ContentKind.TEXT


def _is_count(suffix: str) -> bool:
    """A date, a time or the number of a rotation ("2025-04-03-10", "1")."""
    return not suffix.strip("0123456789-_tz")
