"""The output of a validation reads like the AWS CLI's, and its JSON has the documented fields."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.trails import BUCKET, SPEC, Trails, trails

from log_aggregator.cli.validate_cloudtrail import Watcher
from log_aggregator.errors import AccessDenied
from log_aggregator.reports.validate import describe_validation, render_findings, render_summary
from log_aggregator.steps.cloudtrail.findings import Finding, Kind, Request, State, Validation

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docs"))
JSON_FIELDS: Any = importlib.import_module("reference_pages.json_fields")
REQUEST = Request(datetime(2026, 3, 14, tzinfo=UTC), datetime(2026, 3, 14, 23, 59, 59, tzinfo=UTC))


def describe(site: Trails, result: Validation) -> dict[str, Any]:
    return describe_validation(result, REQUEST, site.ring)


def finding(state: State, text: str = "", kind: Kind = Kind.LOG) -> Finding:
    return Finding(kind, state, "b", "k", text)


def test_each_file_has_a_line_like_the_aws_clis() -> None:
    """There is a line per file in the AWS CLI's format; findings without AWS wording are kept apart
    from invalid files.
    """
    told = [
        finding(State.VALID, kind=Kind.DIGEST),
        finding(State.VALID, kind=Kind.BACKFILL),
        finding(State.INVALID, "not found"),
        finding(State.UNCHECKED, "frozen"),
        finding(
            State.GAP, "No log files were delivered by CloudTrail between a and b", Kind.DIGEST
        ),
        finding(State.NOTE, "is in no chain", Kind.DIGEST),
        finding(State.HOLE, "no valid digest covers a to b", Kind.DIGEST),
    ]
    assert list(render_findings(told)) == [
        "Digest file\ts3://b/k\tvalid",
        "(backfill) Digest file\ts3://b/k\tvalid",
        "Log file\ts3://b/k\tINVALID: not found",
        "Log file\ts3://b/k\tNOT CHECKED: frozen",
        "No log files were delivered by CloudTrail between a and b",
        "Digest file\ts3://b/k\tis in no chain",
        "Digest file\ts3://b/k\tNOT COVERED: no valid digest covers a to b",
    ]


def test_the_summary_counts_each_kind() -> None:
    """It gives the request, the range found, and the counts of each kind."""
    site = trails()
    site.put(site.log_keys[0], b"not a log")
    assert list(render_summary(describe(site, site.validate()))) == [
        "Results requested for 2026-03-14T00:00:00Z to 2026-03-14T23:59:59Z",
        "Results found for 2026-03-14T00:00:00Z to 2026-03-14T23:59:59Z:",
        "",
        "100/100 digest files valid",
        "1/1 backfill digest files valid",
        "24/25 log files valid, 1/25 log files INVALID",
        "2 accounts, 2 regions, 1 trail; public keys: 2 from CloudTrail",
    ]


def test_a_summary_splits_the_range_at_holes() -> None:
    """With fifteen digests in a row gone, the range is given in two parts with the number
    of holes.
    """
    site = trails()
    for key in site.digest_keys[3:18]:
        site.store.delete(BUCKET, key)
    begin, end = (site.digest_keys[place][-24:-8] for place in (2, 17))
    begin, end = (f"{at[9:11]}:{at[11:13]}:{at[13:15]}Z" for at in (begin, end))
    lines = list(render_summary(describe(site, site.validate())))
    assert lines[1] == (
        f"Results found for 2026-03-14T00:00:00Z to 2026-03-14T{begin}, "
        f"2026-03-14T{end} to 2026-03-14T23:59:59Z:"
    )
    assert any(line.startswith("1 hole in 1 account, 1 region: no valid digest") for line in lines)


def test_many_ranges_are_counted() -> None:
    site = trails()
    for key in site.digest_keys[2:24:2]:
        site.store.delete(BUCKET, key)
    line = next(
        line
        for line in render_summary(describe(site, site.validate()))
        if line.startswith("Results found")
    )
    assert line.endswith(", 7 more ranges (--json lists all):")


def test_missing_digests_and_invalid_ones_are_told_apart() -> None:
    """Having no digests and having no valid ones are reported differently."""
    site = trails()
    site.validate()
    assert "No digests found" in list(render_summary(describe(site, Validation())))
    site.keys = None
    assert "No valid digests found in range" in list(
        render_summary(describe(site, site.validate()))
    )


def test_every_field_is_documented() -> None:
    """The JSON of a validation with every kind of finding has exactly the fields of
    docs/reference/json.md.
    """
    site = Trails(storage_class="GLACIER")
    site.pack()
    result = site.validate()
    assert result.failures
    described = describe(site, result)
    other = trails()
    other.store.delete(BUCKET, other.digest_keys[7])
    with_hole = describe(other, other.validate())
    described |= {name: with_hole[name] for name in ("found", "holes")}
    described["public_keys"] = {
        "found": {"cloudtrail": 1, "archive": 1},
        "failures": {"eu-west-1": str(AccessDenied("no"))},
    }
    assert set(JSON_FIELDS.flatten(described)) == set(
        JSON_FIELDS.json_fields("validate-cloudtrail")
    )
    assert {found["bucket"] for found in described["findings"]} == {BUCKET}
    assert {found["trail"] for found in described["trails"]} == {SPEC.trail_name}


def test_a_key_cannot_send_escape_sequences_to_the_terminal() -> None:
    """Escape sequences in a key or in messages about it are shown, not sent."""
    told = [Finding(Kind.LOG, state, "b", "\x1b]0;k", "\x1b]0;t") for state in State]
    assert "\x1b" not in "".join(render_findings(told))


def test_the_list_of_valid_files_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """--verbose --json of thousands of accounts stays within memory; omitted files are counted."""
    monkeypatch.setattr(sys.modules["log_aggregator.cli.validate_cloudtrail"], "FINDINGS_MAX", 3)
    watcher = Watcher(is_on=True, is_text=False)
    for _ in range(2):
        watcher([finding(State.VALID), finding(State.INVALID), finding(State.VALID)])
    site = trails()
    described = describe_validation(
        site.validate(), REQUEST, site.ring, watcher.valid, watcher.unlisted
    )
    assert (len(described["findings"]), described["unlisted"]) == (3, 1)
