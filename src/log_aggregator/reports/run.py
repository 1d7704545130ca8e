"""The result of a run: as a dictionary for programs (`--json`), as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from log_aggregator.core.costs import estimate_chain_dollars, estimate_dollars
from log_aggregator.core.custody import sum_counts
from log_aggregator.core.layouts.declarations import describe_declarations
from log_aggregator.errors import Failure
from log_aggregator.model import Stage
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.left import describe_left_why
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars, format_times
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.selection import Left, Selection

NAMED_LAYOUTS_MAX = 10

STEPS = ("list", "plan", "combine", "verify", "delete")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured around a run."""

    requests: Mapping[str, int]
    seconds: float
    peak_memory_bytes: int


def describe_run(result: RunResult, measured: Measured) -> dict[str, Any]:
    """Everything that a run did, in plain types. The names are documented in
    docs/reference/json.md.
    """
    groups, totals = result.groups, sum_counts(result.groups)
    objects = {
        "listed": result.selection.listed,
        "packed": totals.packed,
        "copied": totals.copied,
        "deleted": totals.deleted,
        "kept": totals.kept,
        "retained": totals.retained,
        "unknown_outcome": totals.unknown,
        "changed": totals.changed,
        "discarded": totals.discarded,
        **describe_left(result.selection),
    }
    return {
        "first_date": result.first.isoformat(),
        "last_date": result.last.isoformat(),
        "inventories": result.inventories,
        "layouts": describe_declarations(result.layouts),
        "stage": result.stage.value,
        "objects": objects,
        "groups": {"total": len(groups), "failed": sum(bool(group.failures) for group in groups)},
        "bytes_in": totals.bytes_in,
        "bytes_out": sum(group.bytes_out for group in groups),
        "packs": [
            {
                "key": pack.key,
                "bucket": pack.target.bucket,
                "members": pack.source_count,
                "bytes": pack.size_bytes,
                "terms_error": pack.terms_error,
            }
            for pack in result.packs
        ],
        "custody": [asdict(record) for record in result.custody],
        "signatures": [asdict(signature) for signature in result.signatures],
        "requests": dict(sorted(measured.requests.items())),
        "dollars": {
            "estimated": round(estimate_dollars(measured.requests), 8),
            "one_upload_per_object": round(
                estimate_chain_dollars(objects["packed"] + objects["copied"]), 8
            ),
        },
        "seconds": round(measured.seconds, 3),
        "seconds_by_step": {
            step: round(seconds, 3) for step, seconds in sorted(result.seconds.items())
        },
        "peak_memory_bytes": measured.peak_memory_bytes,
        "stale_uploads_aborted": result.stale_uploads,
        "left": describe_left_why(result.selection),
        "unknown_samples": result.selection.samples,
        "stopped": result.is_stopped,
        "refused_regions": sorted(result.refused_regions),
        "packs_without_terms": sum(bool(pack.terms_error) for pack in result.packs),
        "warnings": [asdict(warning) for warning in [*result.warnings, *warn_of_terms(result)]],
        "failures": [asdict(failure) for failure in result.failures],
    }


def warn_of_terms(result: RunResult) -> Iterator[Failure]:
    """Packs that should be searchable and are not: one warning for each kind of error, because
    thousands of packs may have it.
    """
    errors: dict[str, list[str]] = {}
    for pack in result.packs:
        if pack.terms_error:
            errors.setdefault(pack.terms_error.partition(":")[0], []).append(pack.terms_error)
    for name, texts in errors.items():
        packs = format_count(len(texts), "new pack cannot", "new packs cannot")
        message = f"{packs} be searched; the first: {texts[0].removeprefix(f'{name}: ')}"
        yield Failure("terms of packs", name, message, _TERMS_ADVICE)


_TERMS_ADVICE = (
    "The packs themselves are not affected. Once the cause is gone, `log-aggregator index terms` "
    "makes their terms."
)


def describe_left(selection: Selection) -> dict[str, int]:
    """How many objects were left alone, by reason."""
    reasons = {
        Left.UNKNOWN: "unknown",
        Left.NO_LOG: "no_log",
        Left.HELD: "held",
        Left.DELETED: "deleted_keys",
        Left.FROZEN: "frozen",
    }
    reasons[Left.OTHER_REGION] = "other_regions"
    return {name: selection.left[reason] for reason, name in reasons.items()}


def render_run(run: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, line by line."""
    objects, dollars = run["objects"], run["dollars"]
    days = (
        run["first_date"]
        if run["first_date"] == run["last_date"]
        else f"{run['first_date']} to {run['last_date']}"
    )
    yield (
        f"Logs of {days}: {format_count(objects['listed'], 'log object')} in "
        f"{format_count(run['groups']['total'], 'group')}"
    )
    yield from render_inventories(run["inventories"])
    yield from render_layouts(run["layouts"])
    yield _line(
        "packed",
        f"{format_count(objects['packed'] + objects['copied'], 'log object')}, "
        f"{format_bytes(run['bytes_in'])},"
        f" into {format_count(len(run['packs']), 'pack')}, {format_bytes(run['bytes_out'])}",
    )
    if objects["copied"]:
        large = format_count(objects["copied"], "large one", "large ones")
        yield _line("", f"including {large} that S3 copied one by one")
    if run["stage"] == Stage.DELETE or objects["deleted"]:
        text = f"{format_count(objects['deleted'], 'original')}, each after its pack was verified"
        yield _line("deleted", text)
    yield from _render_kept(objects, run["stage"])
    yield from render_left(objects, run["unknown_samples"])
    for row in run["left"]:
        if row["left"] == Left.NOTHING.value:
            yield _line("nothing", f"found in {row['bucket']}: {row['reason']}")
    yield _line("requests", _render_requests(run["requests"]))
    yield _line("cost", _render_dollars(dollars))
    steps = ", ".join(
        f"{step} {run['seconds_by_step'][step]:.1f}"
        for step in STEPS
        if step in run["seconds_by_step"]
    )
    yield _line(
        "time",
        f"{run['seconds']:.1f} s (summed over parallel groups: {steps}); peak memory "
        f"{format_bytes(run['peak_memory_bytes'])}",
    )
    for record in run["custody"]:
        yield _line(
            "custody", f"record {record['sequence']} in s3://{record['bucket']}/{record['key']}"
        )
        yield _line("", f"sha256 {record['sha256']}")
    for signature in run["signatures"]:
        yield _line("signed", describe_signature(signature))
    if run["stale_uploads_aborted"]:
        yield _line(
            "cleaned",
            f"{format_count(run['stale_uploads_aborted'], 'upload')} that an earlier run "
            "left unfinished",
        )
    if run["stopped"]:
        yield "Stopped before it was done; start the same command again to continue."
    yield from _render_public_keys(run)
    yield from render_failures(run["failures"])


def describe_signature(signature: Mapping[str, Any]) -> str:
    """A signature of a custody record, in words."""
    stamped = ", time-stamped" if signature["is_stamped"] else ""
    return f"record {signature['sequence']} by {signature['signed_by']}{stamped}"


def render_inventories(inventories: Iterable[str]) -> Iterator[str]:
    """The inventories that it took its listing from, if any."""
    for location in inventories:
        yield _line("listed by", location)


def render_layouts(layouts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The declared layouts, if any."""
    if layouts:
        yield _line("layouts", name_layouts(layouts))


def name_layouts(layouts: Sequence[Mapping[str, Any]]) -> str:
    """How many are declared, and the names of the first."""
    names = ", ".join(layout["name"] for layout in layouts[:NAMED_LAYOUTS_MAX])
    more = len(layouts) - NAMED_LAYOUTS_MAX
    return f"{len(layouts):,} declared: {names}" + (f", and {more:,} more" if more > 0 else "")


def render_left(objects: Mapping[str, int], samples: Mapping[str, str]) -> Iterator[str]:
    """What was left alone, and why."""
    meanings = {
        "unknown": "of unknown layout or date",
        "no_log": "not logs or empty",
        "held": "held by the settings",
        "deleted_keys": "deleted by someone else",
        "frozen": "in an archive class",
        "other_regions": "of other regions",
    }
    left = [f"{objects[name]:,} {meaning}" for name, meaning in meanings.items() if objects[name]]
    if left:
        yield _line("left alone", ", ".join(left))
    for key, reason in list(samples.items())[:5]:
        yield _line("", f"{key}: {reason}")


def render_failures(failures: list[Mapping[str, str]]) -> Iterator[str]:
    """What failed, and what to do about it."""
    if not failures:
        yield "Nothing failed."
        return
    yield from render_failed(
        failures,
        f"{format_count(len(failures), 'failure')}; nothing was deleted that is not in a verified "
        "pack",
    )


def _render_public_keys(run: Mapping[str, Any]) -> Iterator[str]:
    """Regions without keys, in one line each time; the reason only the first time."""
    if run["refused_regions"]:
        regions = ", ".join(run["refused_regions"])
        yield _line("no keys", f"CloudTrail refused to give its public keys in {regions}")
    if run["warnings"]:
        head = f"{format_count(len(run['warnings']), 'warning')}, which made nothing fail"
        yield from render_failed(run["warnings"], head)


def _render_kept(objects: Mapping[str, int], stage: str) -> Iterator[str]:
    originals = format_count(objects["kept"], "original")
    if stage == Stage.PACK:
        yield _line("kept", f"{originals}: nothing is deleted unless you set delete_originals")
        yield _line("", "or start `log-aggregator delete --verified --older-than 30d`")
    elif objects["kept"]:
        yield _line("kept", f"{originals} until keep_originals_days have passed")
    if objects["retained"]:
        yield _line(
            "retained", f"{format_count(objects['retained'], 'original')} that S3 refused to delete"
        )
    if objects["unknown_outcome"]:
        yield _line(
            "unknown",
            f"{format_count(objects['unknown_outcome'], 'original')} in verified packs: S3 did "
            "not say whether it deleted them; the next run checks",
        )
    if objects["changed"]:
        yield _line(
            "changed",
            f"{format_count(objects['changed'], 'log object')} after the listing; the next "
            "run takes them",
        )
    if objects["discarded"]:
        yield _line(
            "discarded",
            f"{format_count(objects['discarded'], 'log object')} of other regions, deleted "
            "without a pack, and listed under discards/",
        )


def _render_requests(requests: Mapping[str, int]) -> str:
    """The three most frequent operations; `--json` has all."""
    most = sorted(requests.items(), key=lambda item: -item[1])
    named = [f"{operation} {count:,}" for operation, count in most[:3]]
    rest = sum(count for _, count in most[3:])
    return f"{sum(requests.values()):,}: " + ", ".join(
        [*named, f"others {rest:,}"] if rest else named
    )


def _render_dollars(dollars: Mapping[str, float]) -> str:
    ours, theirs = dollars["estimated"], dollars["one_upload_per_object"]
    text = f"{format_dollars(ours)} of requests"
    if ours and theirs > 2 * ours:
        text += (
            f"; one upload per object would have cost {format_dollars(theirs)}, "
            f"{format_times(theirs / ours)} as much"
        )
    return text


def _line(label: str, text: str) -> str:
    return f"  {label:<11}{text}"
