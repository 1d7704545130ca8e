"""The delivered objects are read by the layouts as in a run: logs of the day, and other objects."""

from __future__ import annotations

import gzip
import json
from datetime import date

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.steps.rehearsal.organisation import COPY_BYTES_MIN, Organisation
from log_aggregator.steps.rehearsal.signing import make_signing_key

DAY = date(2026, 1, 2)
ORGANISATION = Organisation("logs", DAY, make_signing_key())


def test_logs_belong_to_the_day() -> None:
    logs = [each for each in ORGANISATION.list_originals() if each.is_log]
    for log in [*logs, ORGANISATION.make_late()]:
        parsed = parse_key(log.key)
        assert isinstance(parsed, Dated), log.key
        assert parsed.facts.date == DAY
        json.loads(gzip.decompress(log.data))
    assert len({log.key for log in logs}) == len(logs)


def test_other_objects_do_not_belong_to_the_day() -> None:
    strangers = [each for each in ORGANISATION.list_originals() if not each.is_log]
    assert strangers
    for stranger in strangers:
        parsed = parse_key(stranger.key)
        assert not (isinstance(parsed, Dated) and parsed.facts.date == DAY), stranger.key


def test_one_log_is_large_enough_for_a_copy() -> None:
    """The copied log has the smallest size that a setting allows for copying."""
    large = [each for each in ORGANISATION.list_originals() if len(each.data) >= COPY_BYTES_MIN]
    assert len(large) == 1
    small = Organisation("logs", DAY, ORGANISATION.key, has_large=False)
    assert all(len(each.data) < 10_000 for each in small.list_originals())


def test_the_organisation_is_always_the_same() -> None:
    """Only the signing key differs."""
    assert ORGANISATION.list_originals() == ORGANISATION.list_originals()
