"""How much of a chain of custody records is proven, and what was signed: as dictionaries for
programs, as lines for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.signatures import Proof, Proven, WrittenSignature
from log_aggregator.core.times import encode_time
from log_aggregator.errors import Failure
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count


def describe_proven(proven: Proven, *, is_broken: bool) -> dict[str, Any]:
    """`proven_up_to` is null where anything is wrong with the chain: a signature vouches for what
    was signed, which may be the broken chain.
    """
    newest = proven.newest
    is_proven = newest is not None and newest.is_trusted and not is_broken
    return {
        "read": proven.signatures,
        "proven_up_to": newest.sequence if newest is not None and is_proven else None,
        "from": proven.oldest,
        "newest": None if newest is None else _describe_proof(newest),
        "stamped": None if proven.stamped is None else _describe_proof(proven.stamped),
        "only_chained": proven.after,
    }


def render_proven(described: Mapping[str, Any]) -> Iterator[str]:
    """Up to which record the chain is proven, and by which key."""
    newest, stamped = described["newest"], described["stamped"]
    if newest is None and described["read"]:
        read = format_count(described["read"], "signature")
        yield f"  signed    none of these records; {read} read"
        return
    if newest is None:
        yield "  signed    no: only a hash kept elsewhere can show that no newer record is missing"
        return
    by = f"record {newest['sequence']} of {newest['ended']}, by key {newest['key']}"
    if described["proven_up_to"] is not None:
        begin = f"from record {described['from']} " if described["from"] else ""
        yield f"  proven    {begin}up to {by}, signed at {newest['signed_at']}"
    elif newest["is_trusted"]:
        yield f"  signed    up to {by}; this proves nothing while anything is WRONG"
    else:
        yield f"  signed    up to {by}, which was not named, so it proves nothing yet"
        yield "            check that it is yours, and name it with --public-key or --kms-key"
    if stamped is not None:
        stamp = stamped["time_stamp"]
        which = "" if stamped["sequence"] == newest["sequence"] else f"record {stamped['sequence']}"
        yield (
            f"            {which}{' ' if which else ''}time-stamped {stamp['time']} by "
            f"{stamp['authority']}"
        )
    elif newest["has_time_stamp"]:
        yield "            it has a time stamp; to check that, add --time-stamp-authority"
    if described["only_chained"]:
        count = format_count(described["only_chained"], "record")
        verb = "is" if described["only_chained"] == 1 else "are"
        yield f"            {count} after it {verb} only chained"


def describe_signing(
    signed: Iterable[WrittenSignature], failures: Iterable[Failure]
) -> dict[str, Any]:
    return {
        "signatures": [asdict(each) for each in signed],
        "failures": [asdict(each) for each in failures],
    }


def render_signing(described: Mapping[str, Any]) -> Iterator[str]:
    """A line for each record, and what failed."""
    for each in described["signatures"]:
        was = "" if each["is_new"] else "was "
        stamped = ", time-stamped" if each["is_stamped"] else ""
        before = "" if each["is_new"] else " before"
        yield (
            f"s3://{each['bucket']}/{each['key']}: record {each['sequence']} {was}signed{before} "
            f"by {each['signed_by']}{stamped}"
        )
    if described["failures"]:
        count = format_count(len(described["failures"]), "failure")
        yield from render_failed(described["failures"], f"{count}; nothing was deleted")


def _describe_proof(proof: Proof) -> dict[str, Any]:
    stamp = proof.stamp
    return {
        "sequence": proof.sequence,
        "sha256": proof.sha256,
        "ended": None if proof.ended is None else encode_time(proof.ended, "seconds"),
        "signed_at": encode_time(proof.signed_at),
        "key": proof.key,
        "is_trusted": proof.is_trusted,
        "has_time_stamp": proof.has_stamp,
        "time_stamp": None
        if stamp is None
        else {"time": encode_time(stamp.moment), "authority": stamp.authority},
    }
