"""Custody records, the walk over them and a log object's life: as dictionaries for programs, as
lines for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.custody import describe_entry
from log_aggregator.core.evidence.at_rest import AtRestCheck, describe_check, describe_pack
from log_aggregator.core.evidence.drills import describe_drill
from log_aggregator.core.times import encode_time
from log_aggregator.model import Stage
from log_aggregator.reports.evidence.results import render_result
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.reports.run import name_layouts
from log_aggregator.reports.signatures import describe_proven, render_proven
from log_aggregator.steps.custody.trace import Life, Mention
from log_aggregator.steps.custody.walk import StoredRecord, Walked


def describe_walk(walked: Iterable[Walked]) -> dict[str, Any]:
    chains = [_describe_chain(chain) for chain in walked]
    return {"chains": chains, "findings": sum(len(chain["findings"]) for chain in chains)}


def render_walk(described: Mapping[str, Any]) -> Iterator[str]:
    for chain in described["chains"]:
        what = "unbroken" if not chain["findings"] else "BROKEN"
        indexes = (
            f", {format_count(chain['indexes_read'], 'index', 'indexes')} compared"
            if chain["indexes_read"]
            else ""
        )
        yield (
            f"s3://{chain['bucket']}/{chain['root']}custody/: {what}; "
            f"{format_count(chain['records'], 'record')} read{indexes}"
        )
        if chain["newest"] is not None:
            yield f"  newest    {chain['newest']['sequence']}:{chain['newest']['sha256']}"
            yield from render_proven(chain["signatures"])
        for name, label in (("findings", "  WRONG     "), ("notes", "  note      ")):
            yield from (f"{label}{finding['where']}: {finding['what']}" for finding in chain[name])


def describe_record(found: StoredRecord) -> dict[str, Any]:
    """A record as it is stored, in plain types, with where it is."""
    described: dict[str, Any] = {
        "key": found.key,
        "sequence": found.sequence,
        "sha256": found.sha256,
    }
    record = found.record
    if record is None:
        return described | {"problem": found.problem}
    return described | {
        "bucket": record.target.bucket,
        "kind": record.kind.value,
        "run": record.run,
        "tool": record.tool,
        "previous": record.previous,
        "began": encode_time(record.began),
        "ended": encode_time(record.ended),
        "first_date": record.first.isoformat(),
        "last_date": record.last.isoformat(),
        "totals": record.totals,
        "left_alone": dict(record.objects),
        "layouts": [dict(row) for row in record.layouts],
        "stage": record.stage.value,
        "groups": [describe_entry(entry) for entry in record.groups],
        "failures": [list(failure) for failure in record.failures],
        "drill": None
        if record.drill is None
        else {**describe_drill(record.drill), "proof": record.drill.proof},
        "at_rest": None if record.at_rest is None else _describe_at_rest(record.at_rest),
    }


def _describe_at_rest(check: AtRestCheck) -> dict[str, Any]:
    packs = [describe_pack(pack) for pack in check.packs]
    return describe_check(check) | {"is_good": check.is_good, "packs": packs}


def render_record(described: Mapping[str, Any], *, in_full: bool) -> Iterator[str]:
    """A few lines; in full also every group and pack."""
    if "problem" in described:
        yield f"{described['sequence']}  {described['key']}: {described['problem']}"
        return
    totals = described["totals"]
    days = f"{described['first_date']} to {described['last_date']}"
    yield f"record {described['sequence']}  run {described['run']}  {described['tool']}"
    yield f"  stored    s3://{described['bucket']}/{described['key']}"
    yield f"  sha256    {described['sha256']}"
    yield f"  previous  {described['previous'] or 'none: it is the first'}"
    yield f"  time      {described['began']} to {described['ended']}, logs of {days}"
    if described["drill"] is not None:
        yield from _render_drill(described)
        return
    if described["at_rest"] is not None:
        yield from _render_at_rest(described["at_rest"], in_full=in_full)
        return
    into = totals["packed"] + totals["copied"]
    yield (
        f"  found     {format_count(totals['listed'], 'log object')}, "
        f"{format_bytes(totals['listed_bytes'])}, in"
        f" {format_count(len(described['groups']), 'group')}: {into:,} packed now, "
        f"{totals['packed_before']:,} packed before"
    )
    if described["stage"] == Stage.PACK:
        yield "  stage     pack: originals are kept"
    yield (
        f"  deleted   {totals['deleted']:,}; kept {totals['kept']:,}, retained "
        f"{totals['retained']:,}, discarded {totals['discarded']:,}"
    )
    if described["layouts"]:
        yield f"  layouts   {name_layouts(described['layouts'])}"
    yield from _render_failures(described)
    if in_full:
        yield from (f"  {row['name']}: {row['pattern']}" for row in described["layouts"])
        for group in described["groups"]:
            yield from _render_group(group)


def _render_drill(described: Mapping[str, Any]) -> Iterator[str]:
    drill = described["drill"]
    about = "" if drill["is_counted"] else "about "
    yield (
        f"  drill     {drill['members']:,} of {about}{drill['population']:,} members, seed "
        f"{drill['seed']}"
    )
    yield from render_result(drill["members"], drill["packs"], drill)
    yield f"  sample    s3://{described['bucket']}/{drill['sample_key']}"
    yield f"            SHA-256 {drill['sample_sha256']}"
    yield from _render_failures(described)


def _render_failures(described: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        f"  FAILED    {where}: {error}: {message}"
        for where, error, message in described["failures"]
    )


def _render_at_rest(check: Mapping[str, Any], *, in_full: bool) -> Iterator[str]:
    counts = Counter(pack["verdict"] for pack in check["packs"])
    yield (
        f"  at rest   S3 hashed the packs: {counts['good']:,} good, {counts['damaged']:,} damaged, "
        f"{counts['unproven']:,} unproven"
    )
    if check["foreign_rows"]:
        yield f"  WRONG     {check['foreign_rows']:,} rows of S3's reports are about other objects"
    for pack in check["packs"]:
        if pack["verdict"] != "good":
            yield f"  {pack['verdict'].upper():9} {pack['key']}: {pack['reason']}"
        elif in_full:
            yield f"  good      {pack['key']}: {pack['algorithm']} {pack['checksum']}"


def describe_life(life: Life) -> dict[str, Any]:
    member = life.member
    return {
        "bucket": life.group.bucket,
        "key": member.key,
        "version_id": member.version_id,
        "etag": member.etag,
        "bytes": member.size_bytes,
        "sha256": member.sha256,
        "last_modified": encode_time(member.last_modified),
        "pack": {
            "bucket": life.target.bucket,
            "key": life.pack_key,
            "offset": member.offset,
            "length": member.length_bytes,
        },
        "index": {
            "key": life.index_key,
            "written": encode_time(life.index_written),
            "sha256": life.index_sha256,
            "is_unchanged": life.index_is_unchanged,
        },
        "records": [_describe_mention(mention) for mention in life.mentions],
        "unread": [asdict(each) for each in life.unread],
    }


def render_life(described: Mapping[str, Any]) -> Iterator[str]:
    pack, index = described["pack"], described["index"]
    version = f"  version {described['version_id']}" if described["version_id"] else ""
    yield f"s3://{described['bucket']}/{described['key']}{version}"
    yield (
        f"  delivered {described['last_modified']}  {described['bytes']:,} bytes, ETag "
        f"{described['etag']}"
    )
    yield f"  packed    s3://{pack['bucket']}/{pack['key']}"
    yield (
        f"            {pack['length']:,} bytes at offset {pack['offset']:,}; SHA-256 of the "
        f"original {described['sha256'] or 'not known'}"
    )
    yield f"  indexed   {index['written']}  s3://{pack['bucket']}/{index['key']}"
    yield f"            SHA-256 {index['sha256']}, {_index_words(described)}"
    for mention in described["records"]:
        yield f"  {mention['ended'][:19]}Z  run {mention['run']}, record {mention['sequence']}"
        yield f"            {mention['what']}"
    yield from (
        f"  WRONG     {each['record_key']}: {each['problem']}" for each in described["unread"]
    )
    if not described["records"]:
        yield "  no record names its pack: the run that wrote it did not finish"


def _describe_chain(chain: Walked) -> dict[str, Any]:
    newest = (
        None if chain.newest is None else {"sequence": chain.newest[0], "sha256": chain.newest[1]}
    )
    return {
        "bucket": chain.target.bucket,
        "root": chain.target.root,
        "records": chain.records,
        "newest": newest,
        "packs": chain.packs,
        "indexes_read": chain.indexes_read,
        "signatures": describe_proven(chain.proven, is_broken=bool(chain.findings)),
        "findings": [asdict(finding) for finding in chain.findings],
        "notes": [asdict(finding) for finding in chain.notes],
    }


def _render_group(group: Mapping[str, Any]) -> Iterator[str]:
    name = " ".join(group[part] for part in ("bucket", "log_type", "account", "date"))
    yield f"  {name}: {group['listed']:,} listed, {group['deleted']:,} deleted"
    for pack in group["packs"]:
        state = (
            "NOT VERIFIED"
            if pack["index_sha256"] is None
            else f"verified, index {pack['index_sha256']}"
        )
        yield (
            f"    {'new' if pack['is_new'] else 'old'} {pack['key']}: "
            f"{format_count(pack['members'], 'member')}, {state}"
        )
    if group["discard_lists"]:
        lists = ", ".join(group["discard_lists"])
        yield f"    {group['discarded']:,} deleted without a pack, named in {lists}"
    yield from (f"    FAILED {error}: {message}" for error, message in group["failures"])


def _describe_mention(mention: Mention) -> dict[str, Any]:
    return {
        "sequence": mention.sequence,
        "key": mention.record_key,
        "run": mention.run,
        "tool": mention.tool,
        "began": encode_time(mention.began),
        "ended": encode_time(mention.ended),
        "what": _tell(mention),
        "pack": asdict(mention.pack),
    }


def _tell(mention: Mention) -> str:
    pack = mention.pack
    told = ["wrote the pack" if pack.is_new else "found the pack"]
    if pack.index_sha256 is None:
        return f"{told[0]}, and could not verify it"
    told.append("verified it")
    if pack.kept:
        told.append(f"kept {format_count(pack.kept, 'original')} of its {pack.members:,}")
    elif pack.deleted is None:
        told.append("did not finish deleting its originals")
    else:
        told.append(f"deleted {format_count(pack.deleted, 'original')} of its {pack.members:,}")
    if pack.retained:
        told.append(f"S3 retained {pack.retained:,}")
    return ", ".join(told)


def _index_words(described: Mapping[str, Any]) -> str:
    if not any(mention["pack"]["index_sha256"] for mention in described["records"]):
        return "which no record names"
    return (
        "as the records say"
        if described["index"]["is_unchanged"]
        else "which is NOT WHAT THE RECORDS SAY"
    )
