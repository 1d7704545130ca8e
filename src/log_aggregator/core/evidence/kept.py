"""The keys of reports in the bucket of the packs: a page for people and the same for programs, each
written once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from log_aggregator.model import REPORTS, Target


def report_key(target: Target, made: datetime, suffix: str) -> str:
    """`reports/2026-03-01/report-110000Z.html`: at most one for each second."""
    moment = made.astimezone(UTC)
    return f"{target.root}{REPORTS}{moment:%Y-%m-%d}/report-{moment:%H%M%SZ}.{suffix}"
