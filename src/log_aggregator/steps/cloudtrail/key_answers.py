"""Parses what `aws cloudtrail list-public-keys` printed, for Regions that refuse the role of a run
but not the user who ran the command.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from log_aggregator.core.jsontext import decode_json
from log_aggregator.ports.trail_keys import TrailKey


def parse_key_answer(data: bytes) -> list[TrailKey]:
    """All keys of one answer, as JSON
    (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html). Raises
    ValueError if it is not one, or has no keys.
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
        raise ValueError("it contains no keys")
    return keys


def _parse_time(value: object) -> datetime:
    """Version 2 of the AWS CLI prints a text with a time zone; version 1 printed seconds since
    1970.
    """
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        raise TypeError("not a time")
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a time zone")
    return time.astimezone(UTC)
