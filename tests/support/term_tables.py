"""Packs that have nothing except terms: all that searching needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.query import Query
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.core.terms.packterms import encode_terms
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.search.merge import MergeResult, Merging, list_terms, merge_terms
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.memory import MemoryStore

SOURCE = "aws-controltower-logs"


def sighting(
    field_: Field, value: str, count: int = 1, at: int | None = 0, members: tuple[int, ...] = (0,)
) -> Sighting:
    return Sighting(Term(field_, value), count, at, None if at is None else at + 60, members)


@dataclass
class TermsShelf:
    """A target in memory, with packs whose bytes are never read."""

    store: MemoryStore = field(default_factory=MemoryStore)
    target: Target = field(default_factory=lambda: Target("packs-here"))
    today: date = date(2021, 3, 20)

    def __post_init__(self) -> None:
        self.store.create_bucket(self.target.bucket)

    def add_pack(
        self,
        day: date,
        *sightings: Sighting,
        account: str = "111122223333",
        log_type: str = "CloudTrail",
        members: int = 10,
        unsearched: Mapping[Unsearched, int] | None = None,
        salt: str = "",
    ) -> str:
        """Returns its key. Without sightings it has no terms."""
        place = f"{SOURCE}/{log_type}/{account}/{day:%Y/%m/%d}/"
        digest = hashlib.sha256(f"{place}{salt}".encode()).hexdigest()[:32]
        key = f"{self.target.root}packs/{place}{account}_{log_type}_{day:%Y%m%d}-{digest}.json.gz"
        self.put(key, b"pack")
        if sightings:
            head = TermsHead(key, members, unsearched or {})
            ordered = sorted(sightings, key=lambda each: each.term)
            self.put(self.target.terms_key(key), encode_terms(head, ordered))
        return key

    def put(self, key: str, data: bytes) -> None:
        self.store.put_object(
            self.target.bucket,
            key,
            data,
            crc64nvme=crc64nvme(data),
            options=WriteOptions(may_replace=True),
        )

    def merge(self, *, is_rebuild: bool = False, rows_max: int = 1_000_000) -> MergeResult:
        merging = Merging(
            self.store,
            SerialWorkers(),
            self.target,
            WriteOptions(),
            self.today,
            is_rebuild,
            rows_max,
        )
        keys = list(list_terms(self.store, SerialWorkers(), self.target, Query()))
        return merge_terms(merging, keys)

    @property
    def tables(self) -> list[str]:
        page = self.store.list_objects(self.target.bucket, prefix=f"{self.target.root}tables/")
        return [found.key for found in page.objects]


def seconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())
