"""Readable copies of objects in archive classes: asking for one, and what HeadObject tells of
it.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import ObjectFrozen, StoreError
from log_aggregator.model import Restore

UNDER_WAY = "RestoreAlreadyInProgress"


def restore_object(s3: Any, bucket: str, key: str, days: int, tier: str) -> None:
    """S3 answers 202 where it begins, 200 where a copy is there, 409 where one is being made: all
    three are what was wanted.
    """
    request = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
    try:
        with store_errors("RestoreObject", bucket, key):
            s3.restore_object(Bucket=bucket, Key=key, RestoreRequest=request)
    # InvalidObjectState: of a read it means "frozen", of a restore that there is nothing to thaw
    except ObjectFrozen as error:
        raise StoreError(str(error), code=error.code, operation=error.operation) from error
    except StoreError as error:
        if error.code != UNDER_WAY:
            raise


def parse_restore(header: str | None) -> Restore | None:
    """`ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`. A date that cannot be
    read is none.
    """
    if not header:
        return None
    is_ongoing = re.search(r'ongoing-request\s*=\s*"?true', header) is not None
    expiry = re.search(r'expiry-date\s*=\s*"([^"]*)"', header)
    if is_ongoing or expiry is None:
        return Restore(is_ongoing)
    try:
        expires = parsedate_to_datetime(expiry[1])
        return Restore(
            is_ongoing=False,
            expires=expires.replace(tzinfo=UTC)
            if expires.tzinfo is None
            else expires.astimezone(UTC),
        )
    except (ValueError, OverflowError):
        return Restore(is_ongoing=False)
