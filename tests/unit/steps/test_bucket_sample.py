"""Sampling the contents of a bucket."""

from __future__ import annotations

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.steps.bucket_sample import BucketSample, sample_bucket
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator_lab.stores.memory import MemoryStore

BUCKET = SourceBucket("logs", None)
ACCESS_LOG = "2025-04-03-10-11-12-0123456789ABCDEF"


def look(keys: list[str], bucket: SourceBucket = BUCKET, pages_max: int = 60) -> BucketSample:
    store = MemoryStore(page_size=10)
    store.create_bucket("logs")
    for key in keys:
        store.put("logs", key, b"line\n")
    return sample_bucket(store, bucket, ("packs/",), pages_max)


def test_every_key_is_sorted_by_its_use() -> None:
    """Known keys, those that could be declared, those that are kept and why; our own are not
    counted.
    """
    sample = look([ACCESS_LOG, "app/2025-04-03.log", "x/2025-04-03/manifest.json", "x", "packs/y"])
    assert sample.is_whole
    assert sample.objects == 4
    assert sample.known == {"S3AccessLogs": 1}
    assert [each.pattern for each in sample.suggestions] == ["app/{YYYY-MM-DD}.log"]
    assert {reason: kept.samples for reason, kept in sample.kept.items()} == {
        "a manifest, which names other objects by their keys": ["x/2025-04-03/manifest.json"],
        "no declared layout matches, and nothing in the key is clearly a date": ["x"],
    }
    declared = read_declarations([{"name": "app", "pattern": "app/{YYYY-MM-DD}.log"}])
    again = look(["app/2025-04-03.log"], SourceBucket("logs", None, declared.of("logs")))
    assert (again.known, again.suggestions) == ({"app": 1}, [])


def test_every_folder_is_sampled_with_few_pages() -> None:
    """A folder of thousands of keys does not hide later ones, on any level."""
    keys = [f"a/{name}/{n:04d}-2025-04-03.log" for name in "xy" for n in range(500)]
    keys += [f"b/2025/04/{day:02d}/{n}.json" for day in range(1, 31) for n in range(20)]
    keys += [f"c-{n:05d}.2025-04-03.txt" for n in range(500)]
    sample = look(keys, pages_max=25)
    assert sample.pages <= 25
    assert not sample.is_whole
    assert {each.pattern for each in sample.suggestions} >= {
        "a/x/{*}-{YYYY-MM-DD}.log",
        "a/y/{*}-{YYYY-MM-DD}.log",
        "b/{YYYY}/{MM}/{DD}/{*}.json",
        "c-{*}.{YYYY-MM-DD}.txt",
    }


def test_the_number_of_pages_is_limited() -> None:
    """The limit holds however large the bucket is."""
    sample = look([f"{n:04d}/{m}/x" for n in range(50) for m in range(5)], pages_max=7)
    assert sample.pages == 7
    assert not sample.is_whole
