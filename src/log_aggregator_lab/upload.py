"""Uploads a synthetic organisation through an S3 endpoint, and records what it put."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any, Protocol

import boto3
import obstore
from botocore.config import Config
from botocore.exceptions import ClientError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from log_aggregator.adapters.s3.clients import ClientSettings, find_credentials, make_clients
from log_aggregator.adapters.s3.errors import find_element, make_error, one_line, store_errors
from log_aggregator.errors import CannotStart, RequestFailed
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import (
    ManifestEntry,
    Step,
    SyntheticObject,
    describe,
    runs_of_one_key,
)

_REGION = "us-east-1"
_KEYS_PER_JOB = 8
_JOBS_WAITING_PER_WORKER = 3
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_=:-][A-Za-z0-9_.=:-]*(/[A-Za-z0-9_=:-][A-Za-z0-9_.=:-]*)*")
"""Keys that every client sends alike. All others go through boto3, which sends any key unchanged.
"""


class Endpoint(Protocol):
    """Where the store is, and the credentials for it. `EmbeddedS3` is one."""

    @property
    def endpoint_url(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def session_token(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class FoundEndpoint:
    """What the standard AWS configuration says."""

    endpoint_url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def find_endpoint(
    profile: str | None, region: str | None, endpoint_url: str | None
) -> FoundEndpoint:
    """The endpoint and credentials that every other command would use. Raises BadConfiguration."""
    clients = make_clients(ClientSettings(region, profile, endpoint_url))
    frozen = find_credentials(clients.session).get_frozen_credentials()
    return FoundEndpoint(
        clients.s3.meta.endpoint_url,
        clients.region,
        frozen.access_key,
        frozen.secret_key,
        frozen.token,
    )


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What was uploaded. `entries` are in the order of the objects; empty if the caller did not
    want them.
    """

    entries: tuple[ManifestEntry, ...]
    object_count: int
    delete_marker_count: int
    size_bytes: int
    seconds: float

    @property
    def objects_per_second(self) -> float:
        return self.object_count / self.seconds if self.seconds else 0.0


Progress = Callable[[int, int], None]
"""Is called from time to time, in the calling thread, with the number of steps done and bytes put.
"""


def create_buckets(spec: OrganisationSpec, endpoint: Endpoint, *, versioning: bool = True) -> None:
    """Creates the organisation's buckets where they are missing, with versioning where Control
    Tower switches it on.

    Raises CannotStart where the first of them cannot be created, and StoreError, Unreachable,
    NotAuthenticated.

    Without versioning, versions of one key overwrite each other and delete markers delete: only for
    specifications without them.
    """
    client = _client(endpoint)
    for number, bucket in enumerate(spec.buckets):
        is_versioned = versioning and bucket in spec.versioned_buckets
        try:
            _create_bucket(client, bucket, endpoint.region, is_versioned=is_versioned)
        except RequestFailed as error:
            if number:
                raise
            raise CannotStart.because(error) from error


def create_bucket(bucket: str, endpoint: Endpoint, *, is_versioned: bool) -> None:
    """Creates a bucket unless it exists."""
    _create_bucket(_client(endpoint), bucket, endpoint.region, is_versioned=is_versioned)


def _create_bucket(client: Any, bucket: str, region: str, *, is_versioned: bool) -> None:
    place = (
        {} if region == _REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    with store_errors("CreateBucket", bucket):
        try:
            client.create_bucket(Bucket=bucket, **place)
        except ClientError as error:
            if error.response["Error"]["Code"] not in (
                "BucketAlreadyOwnedByYou",
                "BucketAlreadyExists",
            ):
                raise
    if is_versioned:
        with store_errors("PutBucketVersioning", bucket):
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )


def upload(
    objects: Iterable[SyntheticObject],
    endpoint: Endpoint,
    *,
    concurrency: int = 32,
    progress: Progress | None = None,
    keep_entries: bool = True,
) -> UploadReport:
    """Puts all objects. The steps on one key are done one after the other; different keys in no
    order.

    A failure of any put ends the upload. Raises StoreError, Unreachable, NotAuthenticated.
    `keep_entries=False` spares the memory of the manifest where there are millions of objects.
    """
    started = perf_counter()
    uploader = _Uploader(endpoint, concurrency)
    entries: list[tuple[ManifestEntry, ...]] = []
    put_count = marker_count = size_bytes = 0
    for done in _run_jobs(uploader.put_keys, _jobs(objects), concurrency):
        puts = [entry for entry in done if entry.step is Step.PUT]
        put_count, marker_count = put_count + len(puts), marker_count + len(done) - len(puts)
        size_bytes += sum(entry.size_bytes for entry in puts)
        if keep_entries:
            entries.append(done)
        if progress:
            progress(put_count + marker_count, size_bytes)
    flat = tuple(entry for done in entries for entry in done)
    return UploadReport(flat, put_count, marker_count, size_bytes, perf_counter() - started)


_Job = list[list[SyntheticObject]]


def _jobs(objects: Iterable[SyntheticObject]) -> Iterator[_Job]:
    """A few keys at a time, each with all its steps."""
    keys = runs_of_one_key(objects)
    while job := list(islice(keys, _KEYS_PER_JOB)):
        yield job


def _run_jobs(
    put_keys: Callable[[_Job], tuple[ManifestEntry, ...]], jobs: Iterator[_Job], concurrency: int
) -> Iterator[tuple[ManifestEntry, ...]]:
    """Runs the jobs in threads, never more than a few ahead, and gives their results in the jobs'
    order.
    """
    running: list[Future[tuple[ManifestEntry, ...]]] = []
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            for job in jobs:
                running.append(pool.submit(put_keys, job))
                if len(running) >= concurrency * _JOBS_WAITING_PER_WORKER:
                    yield running.pop(0).result()
            while running:
                yield running.pop(0).result()
        finally:
            for future in running:
                future.cancel()


class _Uploader:
    """Holds the clients: obstore for plain keys, which is several times faster, and boto3 for all
    others.
    """

    def __init__(self, endpoint: Endpoint, concurrency: int) -> None:
        self._endpoint = endpoint
        self._client = _client(endpoint, concurrency)
        self._stores: dict[str, S3Store] = {}

    def put_keys(self, job: _Job) -> tuple[ManifestEntry, ...]:
        return tuple(
            self._do(item, version_number)
            for steps in job
            for version_number, item in enumerate(steps)
        )

    def _do(self, item: SyntheticObject, version_number: int) -> ManifestEntry:
        if item.step is Step.DELETE:
            answer = self._client.delete_object(Bucket=item.bucket, Key=item.key)
            return describe(item, b"", version_number, version_id=answer.get("VersionId"))
        body = item.make()
        put = self._put_fast if _PLAIN_KEY.fullmatch(item.key) else self._put_exactly
        with store_errors("PutObject", item.bucket, item.key), _obstore_errors(item):
            etag, version_id = put(item, body)
        return describe(item, body, version_number, version_id=version_id, etag=etag)

    def _put_fast(self, item: SyntheticObject, body: bytes) -> tuple[str | None, str | None]:
        attributes = {"Content-Type": item.content_type, **item.metadata}
        if item.content_encoding:
            attributes["Content-Encoding"] = item.content_encoding
        answer = obstore.put(
            self._store(item.bucket), item.key, body, attributes=attributes, use_multipart=False
        )
        return (answer["e_tag"] or "").strip('"') or None, answer["version"]

    def _put_exactly(self, item: SyntheticObject, body: bytes) -> tuple[str | None, str | None]:
        encoding = {"ContentEncoding": item.content_encoding} if item.content_encoding else {}
        answer = self._client.put_object(
            Bucket=item.bucket,
            Key=item.key,
            Body=body,
            ContentType=item.content_type,
            Metadata=dict(item.metadata),
            **encoding,
        )
        return answer["ETag"].strip('"'), answer.get("VersionId")

    def _store(self, bucket: str) -> S3Store:
        if bucket not in self._stores:
            self._stores[bucket] = S3Store(
                bucket,
                endpoint=self._endpoint.endpoint_url,
                access_key_id=self._endpoint.access_key,
                secret_access_key=self._endpoint.secret_key,
                **(
                    {"session_token": self._endpoint.session_token}
                    if self._endpoint.session_token
                    else {}
                ),
                region=self._endpoint.region,
                virtual_hosted_style_request=False,
                client_options={"allow_http": self._endpoint.endpoint_url.startswith("http:")},
            )
        return self._stores[bucket]


@contextmanager
def _obstore_errors(item: SyntheticObject) -> Iterator[None]:
    """Obstore puts everything into one text, S3's answer or what libraries report about the
    network.
    """
    try:
        yield
    except BaseError as error:
        text = str(error)
        code = find_element(text, "Code") or type(error).__name__
        said = find_element(text, "Message") or one_line(text)
        raise make_error("PutObject", item.bucket, item.key, code, 0, said) from error


def _client(endpoint: Endpoint, connections: int = 4) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint.endpoint_url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        aws_session_token=endpoint.session_token,
        region_name=endpoint.region,
        config=Config(
            max_pool_connections=connections,
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "max_attempts": 5},
        ),
    )
