"""What else lies in a source bucket: objects of other programs, and keys without a layout."""

from __future__ import annotations

import re
from collections.abc import Sequence

from log_aggregator.core.layouts.no_log import IN_USE_REASONS, NO_LOG_ROWS
from log_aggregator.ports.account import AccountInspector, InventoryConfiguration
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.bucket_sample import BucketSample, sample_bucket
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.packing.buckets import SourceBucket

PAGES_MAX = 10
"""Pages that are listed of each bucket: up to 10,000 objects."""

NAMED_TYPES_MAX = 5


def examine_contents(
    store: ObjectStore, notebook: Notebook, bucket: SourceBucket, skipped: tuple[str, ...]
) -> None:
    """Are there logs in an auxiliary bucket, and does anything else write there? `skipped` are our
    own prefixes.
    """
    where = locate(bucket.name)
    sample = notebook.ask(
        where,
        "contents",
        "s3:ListBucket",
        lambda: sample_bucket(store, bucket, skipped, PAGES_MAX),
    )
    if sample is None:
        return
    for writer, key in find_writers(sample).items():
        seen = f"{writer} writes here: {key}"
        advice = (
            "Runs leave these objects alone. Remove the bucket from other_buckets; or, if logs lie "
            "here too, declare layouts that match only the logs."
        )
        notebook.warn(where, "other-writers", seen, advice)
    _write_logs(notebook, where, sample)


def examine_inventories(
    inspector: AccountInspector, notebook: Notebook, sources: Sequence[str]
) -> None:
    """Is an S3 Inventory of any source written to a bucket that logs are taken from?

    Inventories of other buckets are known only by their keys (`find_writers`).
    """
    for bucket in sources:
        found = _ask_inventories(inspector, notebook, bucket)
        inside = [each for each in found or () if each.bucket in sources]
        for inventory in inside:
            place = f"{locate(inventory.bucket)}/{inventory.prefix}"
            notebook.warn(
                locate(inventory.bucket),
                "inventory",
                f"the inventory {inventory.id} of {bucket} is written to {place}",
                "Write inventories to a bucket that no logs are taken from.",
            )
        if found is not None and not inside:
            seen = f"no inventory of {bucket} is written to a bucket that logs are taken from"
            notebook.ok(locate(bucket), "inventory", seen)


def find_writers(sample: BucketSample) -> dict[str, str]:
    """Other programs that write to a bucket, as far as the sampled keys tell, each with a key."""
    found: dict[str, str] = {}
    for reason, kept in sample.kept.items():
        for key in kept.samples if reason in _NO_LOG_REASONS else ():
            writer = _name_writer(key, reason)
            if writer is not None:
                found.setdefault(writer, key)
    return found


def _name_writer(key: str, reason: str) -> str | None:
    """None for keys that point to no writer, such as folder markers and unfinished uploads."""
    named = next((name for name, pattern in _WRITERS.items() if pattern.search(key)), None)
    if named is None and reason in IN_USE_REASONS:
        return f"another program ({reason})"
    return named


def _ask_inventories(
    inspector: AccountInspector, notebook: Notebook, bucket: str
) -> list[InventoryConfiguration] | None:
    return notebook.ask(
        locate(bucket),
        "inventory",
        "s3:GetInventoryConfiguration",
        lambda: inspector.list_bucket_inventory_configurations(bucket),
    )


def _write_logs(notebook: Notebook, where: str, sample: BucketSample) -> None:
    known, free = sample.known.total(), sum(each.objects for each in sample.suggestions)
    looked = f"of {sample.objects:,} object{'' if sample.objects == 1 else 's'} looked at"
    if not sample.objects:
        notebook.ok(where, "contents", "nothing lies here yet")
    elif free:
        write = notebook.note if known else notebook.warn
        key = sample.suggestions[0].samples[0]
        seen = f"{looked}, {free:,} match no known layout and are left alone, such as {key}"
        advice = (
            f"If they are logs, declare them; `log-aggregator layouts suggest {sample.bucket}` "
            "proposes how."
        )
        write(where, "contents", seen, advice)
    elif not known:
        advice = "Check the name, or remove the bucket from other_buckets."
        notebook.warn(where, "contents", f"{looked}, none is a log", advice)
    else:
        seen = f"{looked}, {known:,} are logs: {_name_types(sample)}"
        notebook.ok(where, "contents", seen)


def _name_types(sample: BucketSample) -> str:
    names = [name for name, _ in sample.known.most_common()]
    more = len(names) - NAMED_TYPES_MAX
    return ", ".join(names[:NAMED_TYPES_MAX]) + (f" and {more:,} more types" if more > 0 else "")


_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NO_LOG_REASONS = frozenset(row.reason for row in NO_LOG_ROWS)
_WRITERS = {
    name: re.compile(pattern)
    for name, pattern in {
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
        "S3 Inventory": r"(?:\A|/)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}Z/manifest\."
        r"(?:json|checksum)\Z|(?:\A|/)hive/dt=[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}/|"
        rf"(?:\A|/)data/{_UUID}\.(?:csv\.gz|orc|parquet)\Z",
        "S3 Storage Lens": r"(?:\A|/)StorageLens/",
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ExportSnapshot.html
        "an RDS or DynamoDB export": r"(?:\A|/)(?:AWSDynamoDB/|rds[-_]exports?/|"
        r"export_(?:tables_)?info_)",
        # https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
        "Athena": rf"(?:\A|/)Unsaved/|(?:\A|/){_UUID}(?:-manifest)?\.(?:csv|txt)(?:\.metadata)?\Z|"
        rf"(?:\A|/)tables/{_UUID}(?:/|\Z|-manifest)",
        "Security Lake": r"(?:\A|/)region=[^/]+/account(?:I|_i)d=[^/]+/event_?(?:[Dd]ay|[Hh]our)=",
        # https://iceberg.apache.org/spec/
        "an Iceberg table": r"(?:\A|/)metadata/[^/]*(?:\.metadata\.json|\.avro|\.text|\.stats)",
        "a Delta Lake table": r"(?:\A|/)_delta_log/",
        "a Hudi table": r"(?:\A|/)\.hoodie",
        "Glue, Hive or Spark": r"(?:\A|/)[^/=]+=[^/]+/(?:.*/)?[^/]*\.(?:parquet|orc|avro)\Z|"
        r"(?:\A|/)(?:_SUCCESS\Z|_temporary/|\.hive-staging)|(?:\A|/)part-(?:[rm]-)?[0-9]{5}",
    }.items()
}
"""Writers by the structure of their keys. The first pattern that matches names the writer."""
