"""The only place that builds adapters, and that turns settings into the rules of the steps.

Adapters are imported where they are built. AWS's clients take longer to import than the rest of a
command, and a help text or a wrong option should not wait for them. `handlers.entry` imports them
when it is loaded, because a function has more processor time then.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.patience import PatientStore
from log_aggregator.adapters.telling import TellingStore
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.terms.hashing import SearchKey, parse_search_key
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    NoSuchBucket,
    NotAuthenticated,
    OutcomeUnknown,
    RequestFailed,
    SettingsError,
    Unreachable,
    WrongSignature,
)
from log_aggregator.limits import READERS
from log_aggregator.model import Stage
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.settings import HoldSettings, Settings, check_sources
from log_aggregator.signals import when_stopped
from log_aggregator.steps.job import Job
from log_aggregator.steps.rules import (
    CombineOptions,
    GroupRules,
    Holds,
    Level,
    Rules,
    RunRules,
    TermsOptions,
)
from log_aggregator.steps.workers import ThreadWorkers

if TYPE_CHECKING:
    from log_aggregator.adapters.s3.clients import ClientSettings
    from log_aggregator.adapters.s3.executions import StackExecutions
    from log_aggregator.adapters.s3.hash_jobs import BatchHashJobs
    from log_aggregator.adapters.s3.inspection import S3Inspector
    from log_aggregator.adapters.s3.scratch import BotoHands
    from log_aggregator.adapters.s3.trail_keys import CloudTrailKeys
    from log_aggregator.ports.signing import Signer, Signing, StampReader, TimeStamper

BucketAccounts = tuple[tuple[str, str], ...]
"""In the form of `Settings.bucket_owners`."""

SWITCH_SECONDS = 0.001
"""Our threads mostly wait for S3, and need the interpreter for a moment in between. With Python's
default of 5 ms a thread that computes makes all others wait that long, which costs a tenth of the
rate (make bench, combine).
"""


GARBAGE_THRESHOLDS = (100_000, 50, 100)
"""A run keeps hundreds of thousands of small objects and makes hardly any cycles. With Python's
default of 700 the collector walks over all of them again and again while every thread waits (make
bench, combine).
"""


SEARCH_KEY = "LOG_AGGREGATOR_SEARCH_KEY"
"""The environment variable that holds the key of hashed search."""


PUT_BACK_WRITERS = 16
"""Each writer holds one original of up to 16 MiB in memory."""


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach S3: by the standard AWS configuration, except for what is given here."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


@contextmanager
def open_job(
    connection: Connection,
    settings: Settings,
    window: DateWindow | None = None,
    *,
    writers: int | None = None,
) -> Iterator[Job]:
    """The job that a command works with, until it is done.

    With the window of a run, there must be buckets to take logs from. `writers` upload at the same
    time; by default, `groups_at_once` of them. Raises SettingsError, CannotStart.
    """
    clock = SystemClock()
    if window is not None:
        check_sources(settings)
        require_search_key(settings)
    rules = make_rules(settings, window or DateWindow(clock.now().date(), clock.now().date()))
    store = connect(connection, settings.readers, settings.bucket_owners)
    with (
        _refusing_to_start(store),
        make_workers(settings, writers) as workers,
        told_of_stops(workers.leave),
    ):
        yield Job(store, workers, rules, clock)


@contextmanager
def _refusing_to_start(store: CountingStore) -> Iterator[None]:
    """If S3 cannot be reached, or refuses, that is not a result: a script that goes by exit codes
    must not take it for damaged packs or missing logs. Raises CannotStart as long as nothing was
    touched.
    """
    try:
        yield
    except _NO_RESULT as error:
        if store.has_written or isinstance(error, OutcomeUnknown):
            raise
        raise CannotStart.because(error) from error


_NO_RESULT = (AccessDenied, NoSuchBucket, NotAuthenticated, Unreachable, WrongSignature)


@contextmanager
def told_of_stops(call: Callable[[], object]) -> Iterator[None]:
    """Within the block, a stop calls this from another thread."""
    take_back = when_stopped(call)
    try:
        yield
    finally:
        take_back()


def connect(
    connection: Connection, readers: int = READERS, accounts: BucketAccounts = ()
) -> CountingStore:
    """The object store for one run. Raises CannotStart."""
    return attend(connect_store(connection, readers, accounts))


def attend(store: ObjectStore) -> CountingStore:
    """The store for one run. It counts requests, and gives up for good once S3 does not answer or
    does not accept the credentials; the next run gets a new one.
    """
    patient = PatientStore(store)
    return CountingStore(patient if _tell is None else TellingStore(patient, _tell))


_tell: Callable[[str], object] | None = None


def watch_requests(tell: Callable[[str], object] | None) -> None:
    """Reports every request of all stores that are made from now on; None stops that."""
    global _tell  # noqa: PLW0603 - there is one process
    _tell = tell


def connect_store(
    connection: Connection, readers: int = READERS, accounts: BucketAccounts = ()
) -> ObjectStore:
    """The bare object store, for any number of runs. Raises CannotStart."""
    from log_aggregator.adapters.s3.store import S3Store

    _cut_requests_at_stops()
    try:
        store = S3Store.connect(
            _client_settings(connection, concurrency=readers, bucket_accounts=accounts)
        )
    except RequestFailed as error:
        raise CannotStart.because(error) from error
    store.find_owner()  # so that it fails before anything is touched, not during the run
    return store


def open_room(store: ObjectStore, name: str, bucket: str, prefix: str) -> ObjectStore:
    """A store with one bucket of that name, which is a prefix of a real bucket."""
    from log_aggregator.adapters.rooms import Room, RoomStore

    return RoomStore(store, {name: Room(bucket, prefix)})


def connect_hands(connection: Connection) -> BotoHands:
    """For what a rehearsal does outside the object store's interface. Raises CannotStart."""
    from log_aggregator.adapters.s3.scratch import BotoHands

    _cut_requests_at_stops()
    try:
        return BotoHands.connect(_client_settings(connection, attempts_max=3))
    except RequestFailed as error:
        raise CannotStart(str(error)) from error


def connect_inspector(connection: Connection, bucket_accounts: BucketAccounts = ()) -> S3Inspector:
    """For the questions that `doctor` asks an account. It gives up sooner than a run does. Raises
    CannotStart.
    """
    from log_aggregator.adapters.s3.inspection import S3Inspector

    _cut_requests_at_stops()
    try:
        return S3Inspector.connect(
            _client_settings(
                connection,
                attempts_max=3,
                connect_timeout_seconds=5,
                bucket_accounts=bucket_accounts,
            )
        )
    except RequestFailed as error:
        raise CannotStart.because(error) from error


def connect_trail_keys(connection: Connection) -> CloudTrailKeys | None:
    """For CloudTrail's public keys; None with an S3 server that has no CloudTrail. Raises
    CannotStart.
    """
    from log_aggregator.adapters.s3.trail_keys import CloudTrailKeys

    _cut_requests_at_stops()
    try:
        return CloudTrailKeys.connect(
            _client_settings(connection, attempts_max=3, connect_timeout_seconds=5)
        )
    except RequestFailed as error:
        raise CannotStart.because(error) from error


def connect_signing(connection: Connection, settings: Settings) -> Signing | None:
    """What signs custody records; None where they are not signed. Raises CannotStart,
    SettingsError.
    """
    if settings.sign_with is None:
        return None
    from log_aggregator.ports.signing import Signing

    stamper = None
    if settings.time_stamp_url is not None:
        stamper = _connect_authority(connection, settings.time_stamp_url)
    return Signing(_connect_signer(connection, settings.sign_with), stamper)


def connect_kms_key(connection: Connection, arn: str) -> Signer:
    """A key in KMS. Raises CannotStart, SettingsError."""
    from log_aggregator.adapters.s3.kms import KmsKey

    _cut_requests_at_stops()
    try:
        return KmsKey.connect(
            _client_settings(connection, attempts_max=3, connect_timeout_seconds=5), arn
        )
    except RequestFailed as error:
        raise CannotStart.because(error) from error


def read_time_authorities(path: Path) -> StampReader:
    """The authorities whose certificates are in a file. Raises SettingsError, NotInstalled."""
    from log_aggregator.adapters.time_stamps import TimeAuthorities

    return TimeAuthorities.read_file(path)


def _connect_signer(connection: Connection, sign_with: str) -> Signer:
    if sign_with.startswith("kms:"):
        return connect_kms_key(connection, sign_with.removeprefix("kms:"))
    from log_aggregator.adapters.local_key import LocalKey

    return LocalKey.read(Path(sign_with))


def _connect_authority(connection: Connection, url: str) -> TimeStamper:
    from log_aggregator.adapters.s3.posting import Poster
    from log_aggregator.adapters.time_stamps import ANSWER_BYTES_MAX, OPERATION, TimeAuthority

    _cut_requests_at_stops()
    limits = _client_settings(connection, connect_timeout_seconds=5, read_timeout_seconds=20)
    return TimeAuthority(url, Poster(limits, OPERATION, ANSWER_BYTES_MAX).post)


def connect_executions(connection: Connection) -> StackExecutions:
    """For a stack's executions. Raises CannotStart."""
    from log_aggregator.adapters.s3.executions import StackExecutions

    _cut_requests_at_stops()
    try:
        return StackExecutions.connect(
            _client_settings(connection, attempts_max=3, connect_timeout_seconds=5)
        )
    except RequestFailed as error:
        raise CannotStart(str(error)) from error


def connect_hash_jobs(connection: Connection) -> BatchHashJobs:
    """For jobs that hash packs at rest. Raises CannotStart."""
    from log_aggregator.adapters.s3.hash_jobs import BatchHashJobs

    _cut_requests_at_stops()
    try:
        return BatchHashJobs.connect(_client_settings(connection, attempts_max=3))
    except RequestFailed as error:
        raise CannotStart(str(error)) from error


@functools.cache
def _cut_requests_at_stops() -> None:
    """Once for the whole process, which has one watchdog."""
    from log_aggregator.adapters.s3.deadlines import WATCHDOG

    when_stopped(WATCHDOG.stop_all)


def _client_settings(connection: Connection, **limits: Any) -> ClientSettings:
    from log_aggregator.adapters.s3.clients import ClientSettings

    return ClientSettings(
        region=connection.region,
        profile=connection.profile,
        endpoint_url=connection.endpoint_url,
        access_key=connection.access_key,
        secret_key=connection.secret_key,
        **limits,
    )


def make_workers(settings: Settings, writers: int | None = None) -> ThreadWorkers:
    """The threads of a run. Also tunes the interpreter for them, for the whole process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    return ThreadWorkers(
        readers=settings.readers,
        writers=writers or settings.groups_at_once,
        groups=settings.groups_at_once,
    )


def make_run_rules(settings: Settings, window: DateWindow) -> RunRules:
    """The rules of a run over these days. Raises SettingsError where no bucket to take logs from is
    named.
    """
    check_sources(settings)
    require_search_key(settings)
    return make_rules(settings, window)


def find_search_key(settings: Settings) -> SearchKey | None:
    """The key that hashed values are looked up with, if any are kept. Raises SettingsError."""
    require_search_key(settings)
    return _make_terms_options(settings).key


def require_search_key(settings: Settings) -> None:
    """For commands that make terms, or look them up. Raises SettingsError where values are to be
    hashed and there is no key.
    """
    if _make_terms_options(settings).lacks_key:
        raise SettingsError(
            f"search = 'hashed': expected its key in the environment variable {SEARCH_KEY}; "
            "docs/how-to/choose-what-search-keeps.md says how to make one"
        )


def make_rules(settings: Settings, window: DateWindow) -> RunRules:
    """The settings, in the form that the steps use."""
    pack = WriteOptions(storage_class=settings.storage_class, kms_key_id=settings.kms_key_id)
    # Indexes are always in a storage class that needs no thaw.
    index = WriteOptions(kms_key_id=settings.kms_key_id, content_type="application/gzip")
    return RunRules(
        main_buckets=settings.control_tower_bucket,
        other_buckets=settings.other_buckets,
        organization_id=settings.organization_id,
        destination_bucket=settings.destination_bucket,
        final_aggregation_prefix=settings.final_aggregation_prefix,
        selection=Rules(
            window=window,
            regions=frozenset(settings.aggregation_regions) or None,
            discard_other_regions=settings.other_regions == "delete",
            holds=_make_holds(settings.holds),
        ),
        group=GroupRules(
            CombineOptions(
                _make_limits(settings),
                pack,
                index,
                None if settings.search == "off" else _make_terms_options(settings),
            ),
            Level(settings.verify),
            Stage.DELETE if settings.delete_originals else Stage.PACK,
            settings.keep_originals_days,
        ),
        objects_max=settings.objects_max,
        layouts=settings.layouts,
        sign_with=settings.sign_with,
    )


def _make_terms_options(settings: Settings) -> TermsOptions:
    """Terms are stored like indexes, and encrypted like them unless they have their own KMS key.
    The key for hashing values is not a setting, because settings are files that are copied, shown
    and committed.
    """
    write = WriteOptions(
        kms_key_id=settings.search_kms_key_id or settings.kms_key_id,
        content_type="application/x-xz",
        may_replace=True,
    )
    is_hashed, text = settings.search == "hashed", os.environ.get(SEARCH_KEY, "")
    key = parse_search_key(SEARCH_KEY, text) if is_hashed and text else None
    return TermsOptions(write, is_hashed, key)


def _make_limits(settings: Settings) -> PackLimits:
    return PackLimits(
        pack_size_bytes_max=settings.pack_size_max,
        members_max=settings.members_max,
        copy_alone_bytes_min=settings.glacier_object_size,
        copy_size_bytes_min=settings.copy_size_min,
        part_size_bytes=settings.part_size,
    )


def _make_holds(holds: HoldSettings) -> Holds:
    return Holds(frozenset(holds.buckets), frozenset(holds.accounts), holds.prefixes, holds.dates)
