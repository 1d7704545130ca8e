"""A synthetic organisation's day, packed and queried with DuckDB using the text of our Athena
views: the same events as in the originals.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.duck import connect_views, dump
from tests.support.world import SteppingClock, make_rules

from log_aggregator.core.athena import Scope, make_views
from log_aggregator.core.athena_terms import terms_query
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Target
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.search.after_run import merge_after_run
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.organisation.generate import (
    OrganisationSpec,
    SyntheticObject,
    generate,
    small,
)
from log_aggregator_lab.organisation.specification import AuxiliaryCounts, OddityCounts
from log_aggregator_lab.stores.memory import MemoryStore

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "query-with-athena.md"
FROM_ONE_ACCOUNT = (
    "FROM log_archive.cloudtrail_events WHERE account = (SELECT min(account) FROM "
    "log_archive.cloudtrail_events)"
)
LOG_TYPES = [
    "CloudTrail",
    "Config",
    "vpcflowlogs",
    "elasticloadbalancing",
    "S3AccessLogs",
    "WAFLogs",
]


@dataclass(frozen=True)
class Queried:
    """The originals, and a database with our views over their packs."""

    originals: list[SyntheticObject]
    database: Any
    folder: Path

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.database.execute(query).fetchall()
        return rows

    def texts(self, source: str) -> Iterator[str]:
        """The inflated bodies of one kind of log, or of several with the same beginning of name."""
        for found in self.originals:
            if found.source == source or (
                found.source.startswith(f"{source}-") and not found.source.endswith("parquet")
            ):
                body = found.body
                yield (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode()

    def entries(self, source: str, name: str) -> list[dict[str, Any]]:
        return [entry for text in self.texts(source) for entry in json.loads(text)[name]]


def make_spec() -> OrganisationSpec:
    auxiliary = AuxiliaryCounts(flow=6, flow_parquet=2, alb=3, clb=1, access=5, waf=2)
    return replace(
        small(seed=3),
        objects=40,
        config_histories=2,
        late=0,
        auxiliary=auxiliary,
        oddities=OddityCounts(),
        large_sizes_bytes=(200_000,),
    )


@pytest.fixture(scope="module")
def queried(tmp_path_factory: pytest.TempPathFactory) -> Queried:
    spec = make_spec()
    clock = SteppingClock(
        datetime.combine(spec.first_day, datetime.min.time(), UTC) + timedelta(days=2)
    )
    store = MemoryStore(clock=clock)
    for bucket in (*spec.buckets, "dest"):
        store.create_bucket(bucket)
    originals = list(generate(spec))
    for found in originals:
        store.put(found.bucket, found.key, found.body, metadata=found.metadata)
    others = [bucket for bucket in spec.buckets if bucket != spec.control_tower_bucket]
    rules = make_rules(
        DateWindow(spec.first_day, spec.first_day),
        control_tower_bucket=spec.control_tower_bucket,
        other_buckets=others,
        destination_bucket="dest",
        organization_id=spec.organization_id,
    )
    job = Job(store, SerialWorkers(), rules, clock)
    result = run(job, Progress())
    assert result.failures == []
    merge_after_run(job, result)
    folder = tmp_path_factory.mktemp("s3")
    dump(store, "dest", folder)
    accounts = sorted(
        {
            account
            for found in originals
            for account in re.findall(r"AWSLogs/(?:o-[a-z0-9]+/)?([0-9]{12})/", found.key)
        }
    )
    scope = Scope(
        Target("dest"), "log_archive", spec.first_day, tuple(spec.buckets), (*accounts, "all")
    )
    views = make_views(scope, LOG_TYPES)
    database = connect_views(folder, views, [spec.first_day])
    connect_terms(folder / "dest", database)
    originals = [found for found in originals if found.day == spec.first_day]
    return Queried(originals, database, folder / "dest")


def connect_terms(folder: Path, database: Any) -> None:
    """Create the table of terms by its statement, and the view over it by its own text."""
    parts = f"string_split(substr(filename, {len(str(folder)) + 2}), '/')"
    database.execute(
        "CREATE MACRO from_unixtime(seconds) AS to_timestamp(seconds);"
        "CREATE VIEW log_archive.pack_terms AS "
        f"SELECT * EXCLUDE filename, {parts}[2] AS log_type, {parts}[3] AS month "
        f"FROM read_parquet('{folder}/tables/*/*/*.parquet', filename = true);"
        f"CREATE VIEW log_archive.searched_terms AS {terms_query('log_archive.pack_terms')}"
    )


def test_cloudtrail_events_match_the_originals(queried: Queried) -> None:
    """Every event of the day is found once by its id, with what, who and where."""
    records = queried.entries("cloudtrail", "Records")
    assert len(records) > 100
    wanted = Counter(
        (
            found["eventID"],
            found["eventName"],
            found["eventTime"],
            found["awsRegion"],
            found["sourceIPAddress"],
        )
        for found in records
    )
    rows = queried.ask(
        "SELECT event_id, event_name, event_time, aws_region, source_ip_address FROM "
        "log_archive.cloudtrail_events"
    )
    assert Counter(rows) == wanted
    arns = Counter(found["userIdentity"].get("arn") for found in records)
    assert (
        dict(
            queried.ask(
                "SELECT identity_arn, count(*) FROM log_archive.cloudtrail_events GROUP BY 1"
            )
        )
        == arns
    )


def test_free_fields_are_json(queried: Queried) -> None:
    """This includes names that differ only in case, which a lower-casing SerDe refuses."""
    records = queried.entries("cloudtrail", "Records")
    wanted = {found["eventID"]: found["requestParameters"] for found in records}
    rows = queried.ask("SELECT event_id, request_parameters FROM log_archive.cloudtrail_events")
    assert {event: None if text is None else json.loads(text) for event, text in rows} == wanted
    assert any(
        parameters and {"tagging", "Tagging"} <= set(parameters) for parameters in wanted.values()
    )


def test_partitions_match_the_keys(queried: Queried) -> None:
    """Account, day and bucket of each event are those of its log object's key; other accounts'
    CloudTrail is not included.
    """
    rows = queried.ask(
        "SELECT DISTINCT source_bucket, account, day FROM log_archive.cloudtrail_events"
    )
    spec = make_spec()
    assert {(bucket, day) for bucket, _, day in rows} == {
        (spec.control_tower_bucket, f"{spec.first_day:%Y/%m/%d}")
    }
    wrong = "SELECT count(*) FROM log_archive.cloudtrail_events WHERE recipient_account <> account"
    assert queried.ask(wrong) == [(0,)]
    assert len({account for _, account, _ in rows}) == spec.accounts


def test_configuration_items_match_the_originals(queried: Queried) -> None:
    """This covers histories, snapshots and oversized items alike."""
    items = queried.entries("config", "configurationItems")
    wanted = Counter(
        (found["ARN"], found["configurationItemCaptureTime"], found["resourceType"])
        for found in items
    )
    assert len(wanted) > 10
    rows = queried.ask("SELECT arn, capture_time, resource_type FROM log_archive.config_items")
    assert Counter(rows) == wanted
    team = (
        "SELECT count(*) FROM log_archive.config_items WHERE json_extract_scalar(tags, '$.team') "
        "= 'search'"
    )
    assert queried.ask(team) == [(sum(found["tags"]["team"] == "search" for found in items),)]


def test_flow_log_rows_match_the_originals(queried: Queried) -> None:
    """There is a row for each line but the headers, with numbers as numbers; parquet in tar packs
    of the same folder is skipped.
    """
    lines = [
        line.split(" ")
        for text in queried.texts("flow")
        for line in text.splitlines()
        if not line.startswith("version ")
    ]
    assert len(lines) > 10
    rows = queried.ask(
        "SELECT account_id, srcaddr, dstport, bytes, action FROM log_archive.vpc_flow_logs"
    )
    assert Counter(rows) == Counter(
        (line[1], line[3], int(line[6]), int(line[9]), line[12]) for line in lines
    )
    assert any(
        path.endswith(".tar")
        for (path,) in queried.ask('SELECT DISTINCT "$path" FROM log_archive.vpcflowlogs_packs')
    )


@pytest.mark.parametrize(
    ("view", "sources"),
    [
        ("s3accesslogs_lines", ("access",)),
        ("elasticloadbalancing_lines", ("alb", "clb")),
        ("waflogs_lines", ("waf",)),
    ],
)
def test_lines_without_a_view_match_the_originals(
    queried: Queried, view: str, sources: tuple[str, ...]
) -> None:
    """A log type without its own view has its lines unchanged."""
    wanted = Counter(
        line for source in sources for text in queried.texts(source) for line in text.splitlines()
    )
    assert wanted
    assert (
        Counter(line for (line,) in queried.ask(f"SELECT line FROM log_archive.{view}")) == wanted
    )


def test_every_log_object_is_in_the_index_views(queried: Queried) -> None:
    """Each is there by bucket and key with its size, for all log types that the statements name."""
    rows = queried.ask(
        "SELECT log_type, source_bucket, object_key, object_bytes FROM log_archive.packed_objects"
    )
    assert {log_type for log_type, *_ in rows} == set(LOG_TYPES)
    known = {(found.bucket, found.key): len(found.body) for found in queried.originals}
    assert all(known[bucket, key] == size for _, bucket, key, size in rows)
    others = {"digest", "insight"}
    assert {found.key for found in queried.originals if found.source not in others} == {
        key for _, _, key, _ in rows
    }
    assert len(rows) == len({(bucket, key) for _, bucket, key, _ in rows})


def test_every_query_of_the_page_works(queried: Queried) -> None:
    """Every query of docs/how-to/query-with-athena.md uses existing views and columns."""
    blocks = re.findall(
        r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    queries = [query for block in blocks for query in block.split(";") if query.strip()]
    assert len(queries) == 5
    for query in queries:
        queried.ask(query)


def find_commands() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("duckdb -c ")]


def test_terms_match_the_events(queried: Queried) -> None:
    """Athena's view and the page's DuckDB command both have every caller's access key as often as
    the events; keys created by calls are there as well.
    """
    records = queried.entries("cloudtrail", "Records")
    keys = Counter(
        found["userIdentity"]["accessKeyId"].upper()
        for found in records
        if "accessKeyId" in found["userIdentity"]
    )
    assert keys
    rows = queried.ask(
        "SELECT value, sum(occurrences), min(log_type) FROM log_archive.searched_terms "
        "WHERE field = 'access-key' GROUP BY 1"
    )
    assert {value: count for value, count, _ in rows if value in keys} == keys
    assert {log_type for *_, log_type in rows} == {"CloudTrail"}
    command, _ = find_commands()
    key = min(keys)
    query = (
        command.removeprefix("duckdb -c ")
        .strip('"')
        .replace("tables/CloudTrail/2021-*", f"{queried.folder}/tables/CloudTrail/*")
        .replace("AKIAIOSFODNN7EXAMPLE", key)
    )
    # without its times, which DuckDB gives to Python with pytz only
    assert queried.ask(f"SELECT sum(count) FROM ({query})") == [(keys[key],)]


def test_the_page_works_without_athena(queried: Queried) -> None:
    """Its DuckDB command counts the events of a folder of packs."""
    _, command = find_commands()
    (pattern,) = {
        str(Path(path).parent)
        for (path,) in queried.ask(f"SELECT DISTINCT pack_path {FROM_ONE_ACCOUNT}")
    }
    query = command.removeprefix("duckdb -c ").strip('"').replace("day/*.gz", f"{pattern}/*.gz")
    assert queried.ask(query) == queried.ask(f"SELECT count(*) {FROM_ONE_ACCOUNT}")
