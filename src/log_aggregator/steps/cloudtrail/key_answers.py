"""What `aws cloudtrail list-public-keys` printed for somebody who may ask a Region that refuses the
role of a run.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from log_aggregator.core.jsontext import decode_json
from log_aggregator.ports.trail_keys import TrailKey


def parse_key_answer(data: bytes) -> list[TrailKey]:
    """All keys of one answer, as JSON
    (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html). Raises
    ValueError where it is none, and where it holds no key.
    """
    try:
        entries = decode_json(data)["PublicKeyList"]
        keys = [
            TrailKey(
                str(entry["Fingerprint"]),
                base64.b64decode(entry["Value"], validate=True),
                _parse_time(entry["ValidityStartTime"]),
                _parse_time(entry["ValidityEndTime"]),
            )
            for entry in entries
        ]
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError, OSError) as error:
        raise ValueError("not an answer of list-public-keys") from error
    if not keys:
        raise ValueError("there is no key in it")
    return keys


def _parse_time(value: object) -> datetime:
    """The AWS CLI prints a text with a time zone; its first version printed seconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        raise TypeError("not a time")
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a time zone")
    return time.astimezone(UTC)
