"""Samples the keys of a bucket: what kinds there are, and for which a layout could be declared."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from log_aggregator.core.layouts import Dated, NoLog
from log_aggregator.core.layouts.explain import explain_key
from log_aggregator.core.layouts.suggest import Suggestion, suggest
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ListStart, ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket

PAGES_MAX = 60
PAGES_IN_FOLDER_MAX = 6
SAMPLES_MAX = 3

_FLAT_STEP_CHARACTERS = 8
"""In a folder without folders, sampling continues after this many more characters of the last
key."""


@dataclass(slots=True)
class Kept:
    """Keys that a run would not touch, for one reason."""

    objects: int = 0
    size_bytes: int = 0
    samples: list[str] = field(default_factory=list)

    def take(self, log_object: LogObject) -> None:
        self.objects += 1
        self.size_bytes += log_object.size_bytes
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(log_object.key)


@dataclass(slots=True)
class BucketSample:
    """The sampled keys of a bucket. `is_whole`: they are all its keys."""

    bucket: str
    pages: int
    objects: int
    is_whole: bool
    known: Counter[str]
    """Objects that a run would take now, by log type."""
    suggestions: list[Suggestion]
    kept: dict[str, Kept]
    """Keys without a known layout for which none could be declared, by reason."""


def sample_bucket(
    store: ObjectStore,
    bucket: SourceBucket,
    skipped: tuple[str, ...] = (),
    pages_max: int = PAGES_MAX,
    on_progress: Callable[[int], None] = lambda _: None,
) -> BucketSample:
    """Lists at most `pages_max` pages, spread over the folders. `skipped` are our own prefixes.
    `on_progress` gets the number of objects of each page. Raises StoreError.
    """
    look = _Look(store, bucket.name, pages_max)
    seen: dict[str, LogObject] = {}
    for log_object in look.objects(on_progress):
        if not log_object.key.startswith(skipped):
            seen[log_object.key] = log_object
    sample = BucketSample(bucket.name, look.pages, len(seen), look.is_whole, Counter(), [], {})
    free: list[LogObject] = []
    for log_object in seen.values():
        parsed = bucket.layouts.read(log_object.key, log_object.last_modified)
        if isinstance(parsed, Dated):
            sample.known[parsed.facts.log_type] += 1
        elif isinstance(parsed, NoLog) or log_object.size_bytes == 0:
            _keep(sample, log_object, parsed.reason if isinstance(parsed, NoLog) else "empty")
        else:
            free.append(log_object)
    sample.suggestions, rest = suggest(free)
    for log_object in rest:
        _keep(sample, log_object, explain_key(log_object.key, bucket.layouts).reason)
    return sample


class _Look:
    """Pages of a listing, breadth first: each folder from its beginning, then after the folder in
    which the page ended.
    """

    def __init__(self, store: ObjectStore, bucket: str, pages_max: int) -> None:
        self._store = store
        self._bucket = bucket
        self._pages_max = pages_max
        self.pages = 0
        self.is_whole = True

    def objects(self, on_progress: Callable[[int], None]) -> Iterator[LogObject]:
        folders = deque([""])
        while folders:
            folder = folders.popleft()
            start: ListStart | None = None
            for _ in range(PAGES_IN_FOLDER_MAX):
                if self.pages >= self._pages_max:
                    self.is_whole = False
                    return
                self.pages += 1
                page = self._store.list_objects(self._bucket, prefix=folder, start=start)
                yield from page.objects
                on_progress(len(page.objects))
                if page.next_start is None:
                    break
                self.is_whole = False
                start, inner = _go_on(folder, page.objects[-1].key)
                folders.extend([inner] if inner else [])


def _go_on(folder: str, last_key: str) -> tuple[ListStart, str | None]:
    """Where to continue in a folder after a page that ended with a key, and the inner folder that
    was not seen to its end.
    """
    name, slash, _ = last_key[len(folder) :].partition("/")
    if slash:
        inner = f"{folder}{name}/"
        return ListStart(inner + _AFTER_ASCII), inner
    shared = last_key[: len(folder) + _FLAT_STEP_CHARACTERS]
    return ListStart(shared + _AFTER_ASCII), None


def _keep(sample: BucketSample, log_object: LogObject, reason: str) -> None:
    sample.kept.setdefault(reason, Kept()).take(log_object)


_AFTER_ASCII = "\x7f"
