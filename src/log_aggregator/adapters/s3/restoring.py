"""Readable copies of objects in archive classes: requests for them, and their state, which
HeadObject reports.
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
    """S3 answers 202 if it begins a restore, 200 if there is a copy already, 409 if one is being
    made. All three are fine.
    """
    request = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
    try:
        with store_errors("RestoreObject", bucket, key):
            s3.restore_object(Bucket=bucket, Key=key, RestoreRequest=request)
    # InvalidObjectState to a read means that the object is frozen; to a restore, that its class
    # needs none.
    except ObjectFrozen as error:
        raise StoreError(str(error), code=error.code, operation=error.operation) from error
    except StoreError as error:
        if error.code != UNDER_WAY:
            raise


def parse_restore(header: str | None) -> Restore | None:
    """The header x-amz-restore
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html):
    `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`. A date that cannot be
    parsed is ignored.
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
