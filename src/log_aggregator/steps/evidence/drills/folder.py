"""The files of drills, stored with the packs: the sample, the requests to thaw, and the end.
Nothing there is ever overwritten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import WrittenRecord
from log_aggregator.core.evidence.samples import (
    END,
    SAMPLE,
    Sample,
    ThawRequest,
    decode_request,
    decode_sample,
    drill_key,
    drills_prefix,
    encode_request,
    encode_sample,
    parse_drawn,
    parse_drill_key,
    thaw_part,
)
from log_aggregator.core.jsontext import encode_json
from log_aggregator.errors import PreconditionFailed
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.index import naming
from log_aggregator.steps.packs.pages import list_all


@dataclass(frozen=True, slots=True)
class BegunDrill:
    """A drill whose sample is drawn. It ends when its record is written."""

    sample: Sample
    sample_key: str
    sample_sha256: str
    requests: tuple[ThawRequest, ...] = ()

    @property
    def dollars(self) -> float:
        return sum(request.dollars for request in self.requests)

    @property
    def asked(self) -> dict[str, ThawRequest]:
        """The first request for each pack that was asked for."""
        found: dict[str, ThawRequest] = {}
        for request in self.requests:
            for pack_key in request.packs:
                found.setdefault(pack_key, request)
        return found


@dataclass(frozen=True, slots=True)
class DrillFolder:
    """`drills/` of a target."""

    store: ObjectStore
    target: Target
    options: WriteOptions

    def find_begun(self) -> BegunDrill | None:
        """The oldest drill that has not ended. Raises StoreError, and BadPack if its files cannot
        be decoded.
        """
        parts = self._list()
        begun = sorted(name for name in parts if SAMPLE in parts[name] and END not in parts[name])
        return self._read(begun[0], parts[begun[0]]) if begun else None

    def find_last(self) -> datetime | None:
        """When the sample of the newest drill was drawn. None if there is none, or if one has not
        ended and must be resumed.
        """
        parts = self._list()
        if any(SAMPLE in found and END not in found for found in parts.values()):
            return None
        return max(map(parse_drawn, parts), default=None)

    def begin(self, sample: Sample) -> BegunDrill:
        """Writes the sample. Raises StoreError, also if another drill with this seed began in the
        same second.
        """
        data = encode_sample(sample)
        key = drill_key(self.target, sample.name, SAMPLE)
        self._write(key, data)
        return BegunDrill(sample, key, hashlib.sha256(data).hexdigest())

    def request(self, drill: BegunDrill, request: ThawRequest) -> BegunDrill:
        """Writes a request before it is sent, so that its price is known whatever happens next."""
        part = thaw_part(len(drill.requests))
        self._write(drill_key(self.target, drill.sample.name, part), encode_request(request))
        return BegunDrill(
            drill.sample, drill.sample_key, drill.sample_sha256, (*drill.requests, request)
        )

    def end(self, drill: BegunDrill, written: WrittenRecord) -> None:
        """Marks the drill as ended. Another process may have done so already."""
        said = {"record": written.key, "sequence": written.sequence, "sha256": written.sha256}
        try:
            self._write(drill_key(self.target, drill.sample.name, END), encode_json(said))
        except PreconditionFailed:
            return

    def _list(self) -> dict[str, set[str]]:
        """The parts of each drill, by its name."""
        parts: dict[str, set[str]] = {}
        for entry in list_all(self.store, self.target.bucket, drills_prefix(self.target)):
            found = parse_drill_key(self.target, entry.key)
            if found is not None:
                parts.setdefault(found[0], set()).add(found[1])
        return parts

    def _write(self, key: str, data: bytes) -> None:
        self.store.put_object(
            self.target.bucket, key, data, crc64nvme=crc64nvme(data), options=self.options
        )

    def _read(self, name: str, parts: set[str]) -> BegunDrill:
        key = drill_key(self.target, name, SAMPLE)
        data = self._get(key)
        with naming(f"s3://{self.target.bucket}/{key}"):
            sample = decode_sample(data, self.target, name)
        requests: list[ThawRequest] = []
        while (part := thaw_part(len(requests))) in parts:
            request_key = drill_key(self.target, name, part)
            with naming(f"s3://{self.target.bucket}/{request_key}"):
                requests.append(decode_request(self._get(request_key)))
        return BegunDrill(sample, key, hashlib.sha256(data).hexdigest(), tuple(requests))

    def _get(self, key: str) -> bytes:
        return self.store.get_object(self.target.bucket, key).data
