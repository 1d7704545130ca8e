"""The synthetic organisation: always the same, shaped like a real one, and honest about what is
damaged.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from itertools import chain, groupby, islice

import pyarrow.parquet
import pytest

from log_aggregator.core.layouts import Dated, NoLog, Unknown, parse_key
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.suggest import suggest
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject
from log_aggregator_lab.organisation import generate as organisation
from log_aggregator_lab.organisation.generate import (
    OddityCounts,
    OrganisationSpec,
    Purpose,
    Step,
    SyntheticObject,
    demo,
    flat,
    generate,
    late,
    small,
)
from log_aggregator_lab.organisation.synthetic import Oddity

GZIP_MAGIC = b"\x1f\x8b"

PINNED_SHA256 = "206d10166ee15c4fdad299e31d3a2547f24fa0919907f1acb508da548da60213"
"""Of small(1) with compression_level=0: of every key, body, signature. Changes only when the
organisation is changed on purpose.
"""


@pytest.fixture(scope="module")
def demo_objects() -> list[SyntheticObject]:
    """The objects of demo(1), without their bodies; they take a second to make."""
    return list(generate(demo(1)))


def fingerprint(spec: OrganisationSpec) -> str:
    total = hashlib.sha256()
    for item in chain(generate(spec), late(spec)):
        metadata = sorted(item.metadata.items())
        line = (
            item.bucket,
            item.key,
            item.step.value,
            item.purpose.value,
            metadata,
            hashlib.sha256(item.body).hexdigest(),
        )
        total.update(repr(line).encode())
    return total.hexdigest()


def puts(spec: OrganisationSpec) -> list[SyntheticObject]:
    return [item for item in chain(generate(spec), late(spec)) if item.step is Step.PUT]


def inflated(item: SyntheticObject) -> bytes:
    return gzip.decompress(item.body)


def test_the_same_seed_gives_the_same_bytes_in_the_same_order() -> None:
    """Two generations from one specification are equal in every key, body and metadata, and in
    their order.
    """
    assert fingerprint(small(7)) == fingerprint(small(7))


def test_a_body_is_the_same_each_time_it_is_made() -> None:
    """Making a body twice gives the same bytes, so that a manifest made later still holds."""
    for item in generate(small(2)):
        assert item.body == item.body, item.key


def test_another_seed_gives_other_keys_and_bodies() -> None:
    """Two seeds share no CloudTrail key and no CloudTrail body."""
    one, two = (
        [
            item
            for item in puts(small(seed))
            if item.source == "cloudtrail" and item.purpose is Purpose.LOG
        ]
        for seed in (1, 2)
    )
    assert not {item.key for item in one} & {item.key for item in two}
    whole_one, whole_two = (
        {item.body for item in items if item.oddity is not Oddity.PLAIN_TEXT}
        for items in (one, two)
    )
    assert not whole_one & whole_two


def test_bytes_without_zlib_are_fixed() -> None:
    """With stored blocks the bytes are the same on every machine and every Python: this hash is
    fixed.
    """
    assert fingerprint(replace(small(1), compression_level=0)) == PINNED_SHA256


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_bytes_do_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    """Another process with another PYTHONHASHSEED makes the very same manifest."""
    program = (
        "import hashlib; from log_aggregator_lab.organisation.generate import expected, small; "
        "print(hashlib.sha256(repr([(e.key, e.sha256, sorted(e.metadata.items())) for e in "
        "expected(small(3))]).encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    here = repr(
        [
            (entry.key, entry.sha256, sorted(entry.metadata.items()))
            for entry in organisation.expected(small(3))
        ]
    )
    assert there.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


@pytest.mark.parametrize(
    "spec",
    [small(1), small(9), demo(1), replace(small(4), days=3)],
    ids=["small", "small9", "demo", "three-days"],
)
def test_every_log_key_is_dated_with_its_day(spec: OrganisationSpec) -> None:
    """Every log's key gives the day that the generator meant, and the account if the key names one;
    for logs whose layout must be declared, only with the organisation's declarations.
    """
    declared, free = read_declarations(spec.layouts), {"nginx", "app", "edge"}
    for item in chain(generate(spec), late(spec)):
        if item.day is not None:
            assert isinstance(parse_key(item.key), Dated) == (item.source not in free), item.key
            parsed = declared.of(item.bucket).read(item.key)
            assert isinstance(parsed, Dated), item.key
            assert parsed.facts.date == item.day, item.key
            assert parsed.facts.account in (None, *spec.account_ids), item.key


def test_objects_that_are_not_logs_have_no_date() -> None:
    """Tables, manifests and markers are not logs, strangers and decoys are unknown: none may look
    like a log by its key, whatever is declared.
    """
    spec = small(1)
    declared = read_declarations(spec.layouts)
    without_day = [item for item in generate(spec) if item.day is None]
    kinds = {Purpose.NO_LOG: NoLog, Purpose.UNKNOWN: Unknown}
    assert {item.purpose for item in without_day} == set(kinds)
    for item in without_day:
        for parsed in (parse_key(item.key), declared.of(item.bucket).read(item.key)):
            assert isinstance(parsed, kinds[item.purpose]), item.key


def test_suggested_declarations_match_only_logs(
    demo_objects: list[SyntheticObject],
) -> None:
    """Pasted unchanged, the declarations suggested for the organisation's buckets turn all free
    logs, and nothing that must stay, into logs with the same day.
    """
    spec = demo(1)
    free = [item for item in demo_objects if item.bucket == spec.app_bucket]
    when = datetime(2026, 3, 15, tzinfo=UTC)
    suggestions, _ = suggest(LogObject(item.bucket, item.key, None, "e", 1, when) for item in free)
    rows = [{"name": each.name, "pattern": each.pattern} for each in suggestions]
    declared = read_declarations(rows).of(spec.app_bucket)
    decoys = {each.key for each in free if each.purpose is Purpose.UNKNOWN}
    for item in free:
        parsed = declared.read(item.key)
        if item.day is not None:
            assert isinstance(parsed, Dated), item.key
            assert parsed.facts.date == item.day
        elif item.key not in decoys:
            assert isinstance(parsed, NoLog), item.key
        elif isinstance(parsed, Dated):
            assert parsed.facts.date == spec.first_day, item.key
    assert len(suggestions) < 12


def test_purposes_depend_on_days() -> None:
    """Logs and late logs lie on wanted days, other-day logs never do."""
    spec = replace(small(5), days=2, first_day=date(2025, 12, 31))
    for item in chain(generate(spec), late(spec)):
        if item.purpose in (Purpose.LOG, Purpose.LATE, Purpose.DELETED, Purpose.OTHER_REGION):
            assert item.day in spec.wanted_days, item.key
        if item.purpose is Purpose.OTHER_DAY:
            assert item.day in spec.neighbouring_days, item.key


def test_gzip_is_intact_unless_damaged_on_purpose() -> None:
    """Every body that claims to be gzip inflates to its end, except the truncated ones, and nothing
    else is truncated.
    """
    for item in puts(small(1)):
        called_gzip = item.key.endswith(".gz") and item.oddity not in (
            Oddity.PLAIN_TEXT,
            Oddity.EMPTY,
        )
        assert item.body.startswith(GZIP_MAGIC) == called_gzip, item.key
        if item.oddity is Oddity.TRUNCATED:
            with pytest.raises(EOFError):
                inflated(item)
        elif called_gzip:
            inflated(item)


def test_documents_are_json_without_a_final_newline() -> None:
    """CloudTrail, Insights, Config and digest objects hold one JSON document that does not end in a
    newline.
    """
    documents = [
        item
        for item in puts(small(1))
        if item.content_type == "application/json" and item.oddity in (Oddity.NONE, Oddity.KEY)
    ]
    assert {item.source for item in documents} == {
        "cloudtrail",
        "digest",
        "insight",
        "config-history",
        "config-snapshot",
        "config-oversized",
    }
    for item in documents:
        text = inflated(item)
        assert not text.endswith(b"\n")
        assert isinstance(json.loads(text), dict)


def test_cloudtrail_records_match_their_account_region_and_time(
    demo_objects: list[SyntheticObject],
) -> None:
    """Every record names the account and region of its key; event ids are unique; no event is newer
    than its log.
    """
    seen: set[str] = set()
    for item in islice(
        (
            item
            for item in demo_objects
            if item.source == "cloudtrail" and item.oddity is Oddity.NONE
        ),
        200,
    ):
        name = item.key.rsplit("/", 1)[1]
        account, _, region, delivered, _ = name.split("_")
        for record in json.loads(inflated(item))["Records"]:
            assert (record["recipientAccountId"], record["awsRegion"]) == (account, region)
            assert record["eventTime"].replace("-", "").replace(":", "")[:13] <= delivered[:13]
            assert record["eventID"] not in seen
            seen.add(record["eventID"])


def test_text_logs_end_in_a_newline() -> None:
    """Auxiliary text logs are lines, and the last one is complete."""
    texts = [
        item
        for item in puts(small(1))
        if item.source in ("flow", "alb", "clb", "access", "waf", "dns", "cloudfront", "guardduty")
    ]
    assert len({item.source for item in texts}) == 8
    for item in texts:
        text = inflated(item) if item.key.endswith(".gz") else item.body
        assert text.endswith(b"\n"), item.key


def test_json_lines_are_json() -> None:
    """Each line of a WAF, resolver or GuardDuty log is one JSON object."""
    for item in puts(small(1)):
        if item.source in ("waf", "dns", "guardduty"):
            assert all(isinstance(json.loads(line), dict) for line in inflated(item).splitlines())


def test_parquet_is_readable_by_pyarrow() -> None:
    """The hand-written parquet files are valid: pyarrow reads their schema and no rows."""
    bodies = [item.body for item in puts(small(1)) if item.source == "flow-parquet"]
    assert bodies
    for body in bodies:
        table = pyarrow.parquet.read_table(BytesIO(body))
        assert (table.num_rows, table.column_names[0]) == (0, "account_id")


def test_steps_on_one_key_are_consecutive() -> None:
    """No key comes back after another key was touched, so that an uploader can keep the order of
    versions.
    """
    keys = [
        key
        for key, _ in groupby(
            (item.bucket, item.key) for item in chain(generate(small(1)), late(small(1)))
        )
    ]
    assert len(keys) == len(set(keys))


def test_versions_and_delete_markers_are_in_order() -> None:
    """Versioned keys have three different bodies, revived ones a marker in the middle, deleted ones
    a marker on top.
    """
    steps: dict[Oddity, list[Step]] = {}
    bodies: dict[Oddity, set[bytes]] = {}
    for item in generate(small(1)):
        steps.setdefault(item.oddity, []).append(item.step)
        bodies.setdefault(item.oddity, set()).add(item.body)
    put, delete = Step.PUT, Step.DELETE
    assert steps[Oddity.VERSIONS] == [put, put, put]
    assert len(bodies[Oddity.VERSIONS]) == 3
    assert steps[Oddity.REVIVED] == [put, delete, put]
    assert steps[Oddity.DELETED] == [put, put, delete]


def test_only_versioned_buckets_have_several_versions() -> None:
    """Keys with more than one step are only in buckets with versioning."""
    spec = small(1)
    counts = Counter((item.bucket, item.key) for item in generate(spec))
    assert {bucket for (bucket, _), count in counts.items() if count > 1} <= set(
        spec.versioned_buckets
    )


def test_large_objects_have_the_requested_size() -> None:
    """A large log is within 2 % of its size, and still one valid JSON document."""
    spec = OrganisationSpec(objects=0, large_sizes_bytes=(6 * MIB, 7 * MIB))
    large = list(generate(spec))
    assert [item.oddity for item in large] == [Oddity.LARGE, Oddity.LARGE]
    for item, size_bytes in zip(large, spec.large_sizes_bytes, strict=True):
        assert abs(len(item.body) - size_bytes) < size_bytes / 50
        assert json.loads(inflated(item))["Records"]


def test_the_demo_contains_every_kind(demo_objects: list[SyntheticObject]) -> None:
    """The demo has about 5,000 objects, and every kind and oddity except hostile keys."""
    assert 4_500 < len(demo_objects) < 5_500
    assert {item.oddity for item in demo_objects} == set(Oddity) - {Oddity.HOSTILE_KEY}
    assert {item.purpose for item in demo_objects} == set(Purpose) - {Purpose.LATE}


def test_the_demo_has_the_promised_size(demo_objects: list[SyntheticObject]) -> None:
    """The demo has at most 100 MB. The median of its CloudTrail logs is within a third of the
    requested one, and nine in ten are under 30 KB. All the bodies take two seconds to make.
    """
    sizes = [len(item.body) for item in demo_objects]
    assert sum(sizes) < 100_000_000
    trail = [
        size_bytes
        for item, size_bytes in zip(demo_objects, sizes, strict=True)
        if item.source == "cloudtrail" and not item.oddity
    ]
    assert 3_000 < statistics.median(trail) < 6_000
    assert statistics.quantiles(trail, n=10)[-1] < 30_000
    assert max(trail) < 2 * 128 * 1024


@pytest.mark.parametrize("size_bytes", [1_000, 8_000, 60_000])
def test_flat_makes_the_requested_number_and_size(size_bytes: int) -> None:
    """flat(n, size) is n logs of one account, Region and day, each within 15 % or one record of the
    size, from a pool of bodies.
    """
    objects = list(generate(flat(300, size_bytes)))
    assert len({item.key for item in objects}) == 300
    assert len({item.key.rsplit("/", 1)[0] for item in objects}) == 1
    assert len({item.body for item in objects}) == 64
    assert all(abs(len(item.body) - size_bytes) <= max(size_bytes * 0.15, 300) for item in objects)


def test_a_million_objects_are_generated_lazily() -> None:
    """Generation is lazy: the first of a million objects comes without the others."""
    first = next(generate(flat(1_000_000, 8_000)))
    assert first.body.startswith(GZIP_MAGIC)


@pytest.mark.parametrize("objects", [0, 1, 7, 100])
def test_the_requested_number_of_cloudtrail_logs_is_made(objects: int) -> None:
    """The logs distributed over accounts, Regions and days add up to the number requested."""
    spec = OrganisationSpec(seed=3, accounts=5, days=2, objects=objects)
    assert sum(1 for _ in generate(spec)) == objects


def test_each_oddity_can_be_enabled_alone() -> None:
    """Every count of OddityCounts adds its own kind of object and nothing else."""
    for counts, oddity in (
        (OddityCounts(versions=2), Oddity.VERSIONS),
        (OddityCounts(revived=2), Oddity.REVIVED),
        (OddityCounts(deleted=2), Oddity.DELETED),
        (OddityCounts(empty=2), Oddity.EMPTY),
        (OddityCounts(truncated=2), Oddity.TRUNCATED),
        (OddityCounts(plain_text=2), Oddity.PLAIN_TEXT),
        (OddityCounts(key=2), Oddity.KEY),
        (OddityCounts(hostile_key=2), Oddity.HOSTILE_KEY),
    ):
        odd = [
            item for item in generate(OrganisationSpec(objects=3, oddities=counts)) if item.oddity
        ]
        assert {item.oddity for item in odd} == {oddity}
        assert len({item.key for item in odd}) >= 2


def test_both_key_layouts_of_control_tower_occur() -> None:
    """The last account's keys hold the organisation id once (before landing zone 3.0), the other's
    twice.
    """
    spec = small(1)
    new, old = spec.account_ids
    keys = [item.key for item in generate(spec) if item.source == "cloudtrail"]
    assert {key.split("/CloudTrail/")[0] for key in keys} == {
        f"{spec.organization_id}/AWSLogs/{spec.organization_id}/{new}",
        f"{spec.organization_id}/AWSLogs/{old}",
    }


def test_bucket_names_with_a_prefix_stay_valid() -> None:
    """A prefixed organisation's bucket names are distinct, allowed by S3, and keep their
    versioning.
    """
    spec = small(1).with_bucket_prefix("lab-prefix-")
    assert len(spec.buckets) == len(small(1).buckets)
    assert all(
        3 <= len(bucket) <= 63 and bucket.startswith("lab-prefix-") and not bucket.endswith("-")
        for bucket in spec.buckets
    )
    assert set(spec.versioned_buckets) <= set(spec.buckets)
    assert {item.bucket for item in generate(spec)} == set(spec.buckets)


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": 0},
        {"regions": ()},
        {"days": 0},
        {"document_pool_count": 4, "digest_chains": 1},
        {"accounts_before_landing_zone_3": 9},
    ],
)
def test_an_impossible_organisation_is_refused(wrong: dict[str, object]) -> None:
    """A specification that cannot be generated raises immediately."""
    with pytest.raises(ValueError, match=r"."):
        OrganisationSpec(**wrong)  # type: ignore[arg-type]  # the wrong values are the point
