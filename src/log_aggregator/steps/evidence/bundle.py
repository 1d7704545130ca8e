"""A bundle for an auditor: originals or their list, the evidence for them, and a script that
verifies it.

Digests come first, then all other originals, in the order of their packs; then the indexes, public
keys, custody records and signatures as they are stored. The bundle and the result name what could
not be read: nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import IO, BinaryIO

from log_aggregator.core.custody import custody_prefix, hash_record
from log_aggregator.core.digests import DIGEST_LOG_TYPE, Digest, parse_digest, parse_digest_key
from log_aggregator.core.evidence.manifest import (
    ORIGINALS,
    About,
    Gap,
    encode_original,
    write_readme,
)
from log_aggregator.core.paths import PathNames, encode_segments, name_version
from log_aggregator.core.query import Query
from log_aggregator.errors import GroupFailed, IncompleteSearch, NotFound, VerificationError
from log_aggregator.model import Target
from log_aggregator.steps.cloudtrail.public_keys import archive_prefix
from log_aggregator.steps.custody.chain import find_end, read_back
from log_aggregator.steps.evidence.bundle_file import BundleFile, make_spool
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    FetchProgress,
    FetchResult,
    Wanted,
    fetch,
    tolerate_gaps,
)
from log_aggregator.steps.retrieval.find import FoundPack, find

CLOUDTRAIL = "CloudTrail"


@dataclass(slots=True)
class BundleResult(FetchResult):
    """What went into a bundle."""

    listed: int = 0
    digests: int = 0
    indexes: int = 0
    public_keys: int = 0
    records: int = 0
    signatures: int = 0
    files: int = 0


@dataclass(slots=True)
class Bundle:
    """A bundle while it is written. `page` is the report, if there is one."""

    job: Job
    about: About
    out: BinaryIO
    bytes_max: int
    verifier: bytes
    page: bytes | None = None
    progress: FetchProgress = field(default_factory=FetchProgress)
    result: BundleResult = field(default_factory=BundleResult)
    _file: BundleFile = field(init=False)
    _list: IO[bytes] = field(init=False)
    _names: PathNames = field(default_factory=PathNames)
    _indexes: dict[tuple[Target, str], str] = field(default_factory=dict)
    _keys: set[tuple[Target, str, str]] = field(default_factory=set)

    def make(self) -> BundleResult:
        """Raises LimitExceeded, StoreError, Unreachable."""
        with BundleFile(self.out, self.bytes_max) as self._file, make_spool() as self._list:
            for pack in self._find(digests=True):
                self._take_pack(pack, has_bytes=True)
            for pack in self._find(digests=False):
                self._take_pack(pack, has_bytes=self.about.has_originals)
            self._add_proofs()
            self._file.add_spool(ORIGINALS, self._list)
            if self.page is not None:
                self._file.add_data("page.html", self.page)
            self._file.add_data("README.txt", write_readme(self.about).encode())
            self._file.add_data("verify.py", self.verifier)
            self._file.finish(self.about)
        self.result.packs, self.result.files = len(self._indexes), self._file.files
        self.result.indexes = len(self._indexes)
        return self.result

    def _add_proofs(self) -> None:
        """The indexes, keys and records that originals are compared with, as they are stored."""
        for (target, pack_key), path in self._indexes.items():
            self._file.add_data(path, read_index(self.job.store, target, pack_key).data)
        for target, region, fingerprint in sorted(self._keys, key=str):
            self._add_key(target, region, fingerprint)
        for target in sorted({target for target, _ in self._indexes}, key=str):
            self._add_chain(target)

    def _find(self, *, digests: bool) -> Iterator[FoundPack]:
        types = frozenset(self.about.log_types)
        if digests and types and not types & {CLOUDTRAIL, DIGEST_LOG_TYPE}:
            return
        last = self.about.last_digests if digests else self.about.last
        query = Query(
            accounts=frozenset(self.about.accounts),
            log_types=frozenset({DIGEST_LOG_TYPE}) if digests else types,
            first=datetime.combine(self.about.first, time.min, UTC),
            last=datetime.combine(last, time.max, UTC),
        )
        found = find(self.job.store, self.job.workers, self.job.list_targets(), query)
        for pack in tolerate_gaps(self._note_gaps(found), self.result.failures):
            if not digests and pack.group.log_type == DIGEST_LOG_TYPE:
                continue
            if pack.pack_key.startswith(f"{pack.target.root}packs/"):
                yield pack
            else:
                why = "an aggregate of another program; no custody record covers its index"
                self.about.missing.append(Gap(pack.where, why))

    def _note_gaps(self, packs: Iterable[FoundPack]) -> Iterator[FoundPack]:
        try:
            yield from packs
        except IncompleteSearch as error:
            self.about.missing.append(Gap("members of packs without an index", str(error)))
            raise

    def _take_pack(self, pack: FoundPack, *, has_bytes: bool) -> None:
        index = self._index_path(pack)
        if not has_bytes:
            why = "the bundle was made without --originals"
            for member in pack.members:
                line = encode_original(pack.group.bucket, member, index, None, why)
                self._list.write(line)
            self.result.listed += len(pack.members)
            return
        failed: dict[str, int] = {}
        wanted = [Wanted(pack, frozenset(member.identity for member in pack.members))]
        for original in fetch(self.job.store, self.job.workers, wanted):
            try:
                path, why = self._take(original), ""
            except GroupFailed as error:
                self.result.add(original, error)
                path, why = None, str(error)
                failed[why] = failed.get(why, 0) + 1
            line = encode_original(pack.group.bucket, original.member, index, path, why)
            self._list.write(line)
        for why, count in failed.items():
            self.about.missing.append(Gap(f"{count} originals of {pack.where}", why))

    def _take(self, original: Fetched) -> str:
        """The path of the original in the bundle."""
        bucket, member = original.pack.group.bucket, original.member
        segments = encode_segments(f"{bucket}/{member.key}")
        if not member.is_latest:
            segments[-1] = name_version(segments[-1], member)
        unique = f"{original.pack.where} {member.identity}"
        path = self._names.place(segments, unique)
        name = "/".join(["originals", *path])
        digest = parse_digest_key(bucket, member.key)
        kept: list[bytes] = []
        pieces = original.pieces if digest is None else _keep(original.pieces, kept)
        try:
            self._file.add(name, pieces, member.size_bytes)
        except GroupFailed:
            self._names.forget(path)
            raise
        if digest is not None:
            self.result.digests += 1
            parsed = parse_digest(b"".join(kept))
            if isinstance(parsed, Digest):
                key = (original.pack.target, digest.chain.region, parsed.fingerprint)
                self._keys.add(key)
        self.result.originals += 1
        self.result.size_bytes += member.size_bytes
        self.progress.fetched(self.result.originals, self.result.size_bytes)
        return name

    def _index_path(self, pack: FoundPack) -> str:
        place = (pack.target, pack.pack_key)
        if place not in self._indexes:
            self._indexes[place] = self._stored(pack.target, pack.target.index_key(pack.pack_key))
        return self._indexes[place]

    def _stored(self, target: Target, key: str) -> str:
        segments = encode_segments(f"{target.bucket}/{key}")
        return "/".join(["stored", *self._names.place(["stored", *segments], key)[1:]])

    def _add_stored(self, target: Target, key: str) -> bytes:
        data = self.job.store.get_object(target.bucket, key).data
        self._file.add_data(self._stored(target, key), data)
        return data

    def _add_key(self, target: Target, region: str, fingerprint: str) -> None:
        key = f"{archive_prefix(target, region)}{fingerprint}.json"
        try:
            self._add_stored(target, key)
        except NotFound:
            where = f"public key {fingerprint} of CloudTrail in {region}"
            self.about.missing.append(Gap(where, "it was not kept with the packs"))
        else:
            self.result.public_keys += 1

    def _add_chain(self, target: Target) -> None:
        """From the newest record back to the one whose run wrote the oldest of the packs."""
        store = self.job.store
        written = {pack_key for owner, pack_key in self._indexes if owner == target}
        oldest, sequences = None, set[int]()
        newest = find_end(store, target).newest
        for found in read_back(store, newest):
            data = self._add_stored(target, found.record.key)
            if hash_record(data) != found.sha256:
                raise VerificationError(f"{found.record.key} changed while it was read")
            oldest = found
            sequences.add(found.sequence)
            self.result.records += 1
            written -= {pack.key for pack in found.record.packs if pack.is_new}
            if not written:
                break
        if oldest is None or (written and oldest.sequence > 0):
            where = f"s3://{target.bucket}/{custody_prefix(target)}"
            why = "the chain cannot be followed further; `log-aggregator custody verify` shows why"
            self.about.missing.append(Gap(f"older custody records of {where}", why))
        self._add_signatures(target, min(sequences, default=0))

    def _add_signatures(self, target: Target, first: int) -> None:
        """Adds the signatures of these records, and of later ones that may have been deleted."""
        for entry in list_all(self.job.store, target.bucket, f"{target.root}signatures/"):
            number = entry.key.rpartition("/")[2].removesuffix(".json")
            if number.isdecimal() and int(number) >= first:
                self._add_stored(target, entry.key)
                self.result.signatures += 1


def _keep(pieces: Iterable[bytes], kept: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        kept.append(piece)
        yield piece
