"""What `index rebuild` and `index adopt` did: as dictionaries for programs (`--json`), as lines for
people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from log_aggregator.core.adopted import Adopted, Aggregate
from log_aggregator.errors import Failure
from log_aggregator.model import Target
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.upkeep.rebuild import Rebuilt


def describe_rebuild(
    places: Sequence[tuple[Target, str]],
    rebuilt: Iterable[tuple[Target, Rebuilt]],
    failures: Iterable[Failure],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """`places`: the packs that were to get an index. The names are documented in
    docs/reference/json.md.
    """
    done = sorted(rebuilt, key=lambda pair: (pair[0].bucket, pair[1].pack_key))
    return {
        "dry_run": dry_run,
        "packs": [{"bucket": target.bucket, "key": key} for target, key in sorted(places)],
        "rebuilt": [
            {
                "bucket": target.bucket,
                "key": each.pack_key,
                "members": each.member_count,
                "identity_known": each.is_identity_known,
            }
            for target, each in done
            if not each.was_there
        ],
        "present": [
            {"bucket": target.bucket, "key": each.pack_key}
            for target, each in done
            if each.was_there
        ],
        "failures": [
            asdict(failure) for failure in sorted(failures, key=lambda failure: failure.where)
        ],
    }


def render_rebuild(described: Mapping[str, Any], days: str) -> Iterator[str]:
    """`days`: what was asked for."""
    if described["dry_run"]:
        yield (
            f"{format_count(len(described['packs']), 'index', 'indexes')} would be made again; "
            f"{days}"
        )
        yield from (f"  s3://{row['bucket']}/{row['key']}" for row in described["packs"])
        return
    rows = described["rebuilt"]
    members = format_count(sum(row["members"] for row in rows), "member")
    yield f"{format_count(len(rows), 'index', 'indexes')} made again: {members}; {days}"
    for row in rows:
        known = (
            "" if row["identity_known"] else "; version id, ETag and time of the original are lost"
        )
        yield f"  s3://{row['bucket']}/{row['key']}{known}"
    if described["present"]:
        count = len(described["present"])
        have = format_count(count, "pack has its index", "packs have their indexes")
        yield f"{have}: nothing to do"
    yield from render_failed(
        described["failures"], f"{format_count(len(described['failures']), 'pack')} failed"
    )


def describe_adopt(
    adopted: Iterable[Adopted],
    planned: Iterable[Aggregate],
    known: Iterable[Aggregate],
    failures: Iterable[Failure],
    target: Target,
) -> dict[str, Any]:
    """`planned`: what a dry run would read; `known`: what was adopted before. The names are
    documented in docs/reference/json.md.
    """
    return {
        "adopted": [
            {
                **_describe_aggregate(each.aggregate),
                "members": each.member_count,
                "padding": each.padding_bytes,
                "index": each.aggregate.index_key(target),
            }
            for each in sorted(adopted, key=lambda each: each.aggregate.key)
        ],
        "planned": [
            _describe_aggregate(each) for each in sorted(planned, key=lambda each: each.key)
        ],
        "known": [_describe_aggregate(each) for each in sorted(known, key=lambda each: each.key)],
        "failures": [
            asdict(failure) for failure in sorted(failures, key=lambda failure: failure.where)
        ],
    }


def render_adopt(described: Mapping[str, Any]) -> Iterator[str]:
    for rows, verb in (
        (described["planned"], "would be read and adopted"),
        (described["adopted"], "adopted"),
    ):
        if rows or (verb == "adopted" and not described["planned"]):
            size = format_bytes(sum(row["bytes"] for row in rows))
            members = (
                f", {format_count(sum(row['members'] for row in rows), 'member')}"
                if verb == "adopted"
                else ""
            )
            yield f"{format_count(len(rows), 'aggregate')} {verb}: {size}{members}"
        for row in rows:
            yield (
                f"  s3://{row['bucket']}/{row['key']}: {row['source_bucket']} "
                f"{row['log_type']} {row['account']} {row['date']}"
            )
    if described["known"]:
        yield (
            f"{format_count(len(described['known']), 'aggregate was', 'aggregates were')} "
            "adopted before"
        )
    yield from render_failed(
        described["failures"], f"{format_count(len(described['failures']), 'aggregate')} failed"
    )


def _describe_aggregate(aggregate: Aggregate) -> dict[str, Any]:
    group = aggregate.group
    return {
        "bucket": aggregate.bucket,
        "key": aggregate.key,
        "bytes": aggregate.size_bytes,
        "source_bucket": group.bucket,
        "log_type": group.log_type,
        "account": group.account,
        "date": group.date.isoformat(),
    }
