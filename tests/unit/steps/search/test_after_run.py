"""The encryption of search tables."""

from __future__ import annotations

from datetime import date

import pytest

from log_aggregator.core.windows import DateWindow
from log_aggregator.settings import read_settings
from log_aggregator.steps.search.after_run import table_options
from log_aggregator.wiring import make_rules

DAY = date(2026, 3, 14)


@pytest.mark.parametrize(
    ("given", "packs", "searched"),
    [
        ({}, None, None),
        ({"kms_key_id": "alias/p"}, "alias/p", "alias/p"),
        ({"search_kms_key_id": "alias/s"}, None, "alias/s"),
        ({"kms_key_id": "alias/p", "search_kms_key_id": "alias/s"}, "alias/p", "alias/s"),
    ],
    ids=["no keys", "of packs", "of search", "both"],
)
def test_terms_and_packs_have_separate_keys(
    given: dict[str, str], packs: str | None, searched: str | None
) -> None:
    """Without a separate key they are encrypted as packs are; a table is written once, terms may be
    overwritten.
    """
    settings = read_settings(None, {"other_buckets": "logs", **given})
    combine = make_rules(settings, DateWindow(DAY, DAY)).group.combine
    assert combine.terms is not None
    assert (combine.pack.kms_key_id, combine.index.kms_key_id) == (packs, packs)
    tables = table_options(combine)
    assert (combine.terms.write.kms_key_id, tables.kms_key_id) == (searched, searched)
    assert (combine.terms.write.may_replace, tables.may_replace) == (True, False)
