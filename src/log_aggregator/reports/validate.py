"""What a validation of trails found: as a dictionary for programs (`--json`), and in the lines of
`aws cloudtrail validate-logs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from log_aggregator.core.digests import Chain
from log_aggregator.core.times import encode_time
from log_aggregator.escapes import escape
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.cloudtrail.findings import (
    Finding,
    Hole,
    Kind,
    Request,
    State,
    Tally,
    Validation,
)
from log_aggregator.steps.cloudtrail.public_keys import KeyRing

RANGES_MAX = 5
COUNTED = (State.VALID, State.INVALID, State.UNCHECKED)
KIND_NAMES = {Kind.DIGEST: "digests", Kind.BACKFILL: "backfill_digests", Kind.LOG: "logs"}
_LINE_NAMES = {
    Kind.DIGEST: "Digest file",
    Kind.BACKFILL: "(backfill) Digest file",
    Kind.LOG: "Log file",
}


def describe_validation(
    result: Validation,
    request: Request,
    keys: KeyRing,
    valid: Sequence[Finding] = (),
    unlisted: int = 0,
) -> dict[str, Any]:
    """Everything that was found, in plain types. The names are documented in
    docs/reference/json.md. `valid` are files to list too, and `unlisted` how many more there are.
    """
    tallies = result.tallies
    first = min((tally.first for tally in tallies.values() if tally.first), default=None)
    last = max((tally.last for tally in tallies.values() if tally.last), default=None)
    listed = sorted(
        [*result.findings, *valid], key=lambda finding: (finding.bucket, finding.key, finding.state)
    )
    return {
        "valid": result.is_sound,
        "requested": {"first": _time(request.first), "last": _time(request.last)},
        "found": {
            "first": _time(first),
            "last": _time(last),
            "ranges": [{"first": _time(begin), "last": _time(end)} for begin, end in result.proven],
        },
        "holes": [_describe_hole(hole) for hole in sorted(result.holes, key=_order_of)],
        **{KIND_NAMES[kind]: _describe_counts(_count(result, kind)) for kind in Kind},
        "trails": [_describe_trail(chain, tallies[chain]) for chain in sorted(tallies)],
        "findings": [asdict(finding) for finding in listed],
        "unlisted": result.unlisted + unlisted,
        "public_keys": {
            "found": {
                source.value: count
                for source, count in sorted(Counter(keys.sources.values()).items())
            },
            "failures": {region: str(error) for region, error in sorted(keys.failures.items())},
        },
        "failures": [asdict(failure) for failure in result.failures],
    }


def render_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each file. Tabs separate its parts, so tabs within a part are escaped."""
    for finding in findings:
        where, text = escape(f"s3://{finding.bucket}/{finding.key}"), escape(finding.text)
        place = f"{_LINE_NAMES[finding.kind]}\t{where}\t"
        if finding.state is State.VALID:
            yield place + "valid" + (f": {text}" if text else "")
        elif finding.state is State.GAP:
            yield ("(backfill) " if finding.kind is Kind.BACKFILL else "") + text
        elif finding.state is State.NOTE:
            yield place + text
        elif finding.state is State.HOLE:
            yield f"{place}NOT COVERED: {text}"
        else:
            yield (
                place
                + ("INVALID" if finding.state is State.INVALID else "NOT CHECKED")
                + f": {text}"
            )


def render_summary(described: Mapping[str, Any]) -> Iterator[str]:
    """What is printed after the lines for the files."""
    requested, found = described["requested"], described["found"]
    yield f"Results requested for {requested['first']} to {requested['last']}"
    if not any(
        described[name][state] for name in ("digests", "backfill_digests") for state in COUNTED
    ):
        yield "No digests found"
    elif found["first"] is None:
        yield "No valid digests found in range"
    else:
        yield from _render_ranges(found["ranges"])
    yield ""
    for kind, name in KIND_NAMES.items():
        yield from _render_ratio(described[name], kind.value)
    if described["holes"]:
        yield _render_holes(described["holes"])
    if described["trails"]:
        yield _render_reach(described)
    if described["unlisted"]:
        yield (
            f"{format_count(described['unlisted'], 'more finding is', 'more findings are')} not "
            "listed; --verbose lists all"
        )
    if failures := described["failures"]:
        yield ""
        yield from render_failed(
            failures,
            f"{format_count(len(failures), 'place')} could not be read, so not everything "
            "was checked",
        )


def _render_ranges(ranges: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Ranges in which every trail is covered without a hole."""
    if not ranges:
        yield "Every hour of the range has a trail without a valid digest"
        return
    told = [f"{each['first']} to {each['last']}" for each in ranges[:RANGES_MAX]]
    more = len(ranges) - len(told)
    told += [f"{format_count(more, 'more range', 'more ranges')} (--json lists all)"] * bool(more)
    yield f"Results found for {', '.join(told)}:"


def _render_holes(holes: Sequence[Mapping[str, Any]]) -> str:
    """The page that it names says how to find out where these digests went."""
    accounts = format_count(len({hole["account"] for hole in holes}), "account")
    regions = format_count(len({hole["region"] for hole in holes}), "region")
    return (
        f"{format_count(len(holes), 'hole')} in {accounts}, {regions}: no valid digest covers "
        "these hours, so nothing shows what was delivered in them. See "
        "docs/how-to/see-what-is-missing.md."
    )


def _render_ratio(counts: Mapping[str, int], name: str) -> Iterator[str]:
    total = sum(counts.values())
    if total:
        parts = [f"{counts['valid']}/{total} {name} files valid"]
        parts += [f"{counts['invalid']}/{total} {name} files INVALID"] if counts["invalid"] else []
        parts += (
            [f"{counts['unchecked']}/{total} {name} files NOT CHECKED"]
            if counts["unchecked"]
            else []
        )
        yield ", ".join(parts)


def _render_reach(described: Mapping[str, Any]) -> str:
    trails = described["trails"]
    accounts = format_count(len({trail["account"] for trail in trails}), "account")
    regions = format_count(len({trail["region"] for trail in trails}), "region")
    names = format_count(len({(trail["trail"], trail["home_region"]) for trail in trails}), "trail")
    found = described["public_keys"]["found"]
    sources = {"cloudtrail": "from CloudTrail", "archive": "kept next to the packs"}
    keys = ", ".join(
        f"{found[source]} {text}" for source, text in sources.items() if found.get(source)
    )
    return f"{accounts}, {regions}, {names}; public keys: {keys or 'none'}"


def _describe_trail(chain: Chain, tally: Tally) -> dict[str, Any]:
    return {
        "account": chain.account,
        "region": chain.region,
        "trail": chain.trail,
        "home_region": chain.home_region,
        "bucket": chain.bucket,
        "folder": chain.folder,
        "backfill": chain.is_backfill,
        "first": _time(tally.first),
        "last": _time(tally.last),
        "digests": _describe_counts(tally.digests),
        "logs": _describe_counts(tally.logs),
    }


def _describe_hole(hole: Hole) -> dict[str, Any]:
    chain = hole.chain
    return {
        "account": chain.account,
        "region": chain.region,
        "trail": chain.trail,
        "home_region": chain.home_region,
        "bucket": chain.bucket,
        "folder": chain.folder,
        "first": _time(hole.begin),
        "last": _time(hole.end),
    }


def _order_of(hole: Hole) -> tuple[str, str, datetime]:
    return hole.chain.account, hole.chain.region, hole.begin


def _count(result: Validation, kind: Kind) -> Counter[State]:
    counts: Counter[State] = Counter()
    for chain, tally in result.tallies.items():
        if kind is Kind.LOG:
            counts += tally.logs
        elif chain.is_backfill == (kind is Kind.BACKFILL):
            counts += tally.digests
    return counts


def _describe_counts(counts: Mapping[State, int]) -> dict[str, int]:
    return {state.value: counts.get(state, 0) for state in COUNTED}


def _time(time: datetime | None) -> str | None:
    return None if time is None else encode_time(time, "seconds")
