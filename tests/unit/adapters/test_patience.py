"""If S3 does not answer, calls do not wait one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.adapters.patience import NOT_TRIED, PAUSE_SECONDS, STOPPED, PatientStore
from log_aggregator.adapters.s3.deadlines import Stopped
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import AccessDenied, Interrupted, NotFound, RequestFailed, Unreachable
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Bodies, Body, ObjectStore
from log_aggregator_lab.stores.faults import Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

BEGAN = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)


@dataclass
class World:
    """A store silent for some operations, where each call takes a minute; it records the calls that
    reach it.
    """

    silent: set[str] = field(default_factory=set)
    code: str = "ReadTimeoutError"
    seconds: float = 0.0
    call_seconds: float = 60.0

    def __post_init__(self) -> None:
        inner = MemoryStore()
        inner.create_bucket("b")
        inner.put("b", "k", b"12345")
        self.asked = FaultyStore(inner, self.decide)
        self.counting = CountingStore(
            PatientStore(
                self.asked, lambda: BEGAN + timedelta(seconds=self.seconds), lambda: self.seconds
            )
        )

    @property
    def store(self) -> ObjectStore:
        return self.counting

    def decide(self, _: int, call: Call) -> Fault | None:
        if call.operation not in self.silent:
            return None
        self.seconds += self.call_seconds
        return Fault(before=Unreachable("no answer", code=self.code))

    def try_(self, ask: Callable[[ObjectStore], object]) -> str:
        """The code of Unreachable, or an empty string."""
        try:
            ask(self.store)
        except Unreachable as error:
            return error.code
        return ""

    def count(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.asked.calls)


def head(store: ObjectStore) -> object:
    return store.head_object("b", "k")


def read(store: ObjectStore) -> object:
    return store.get_object("b", "k")


def find(store: ObjectStore) -> object:
    return store.list_objects("b")


def look(store: ObjectStore) -> object:
    return store.get_bucket_versioning("b")


def test_a_silent_operation_is_tried_twice() -> None:
    """The number of calls and answers to other operations do not matter."""
    world = World({"HeadObject"})
    came = []
    for _ in range(100):
        came.append(world.try_(head))
        assert world.try_(read) == ""
    assert came == [world.code] * 2 + [NOT_TRIED] * 98
    assert world.seconds == 120


def test_a_silent_store_is_tried_three_times() -> None:
    """The operations do not matter."""
    world = World({"HeadObject", "GetObject", "ListObjectsV2", "GetBucketVersioning"})
    came = [world.try_(ask) for ask in [head, read, find, look, look, head, read, find]]
    assert came == [world.code] * 3 + [NOT_TRIED] * 5


def test_the_error_says_since_when() -> None:
    """The message also names the request that was not sent."""
    world = World({"HeadObject"})
    for _ in range(2):
        world.try_(head)
    with pytest.raises(Unreachable) as caught:
        head(world.store)
    assert str(caught.value) == (
        "HeadObject s3://b/k: not tried: S3 has not answered since 07:01:00 UTC"
    )
    assert (caught.value.operation, caught.value.code) == ("HeadObject", NOT_TRIED)


@pytest.mark.parametrize("silent", [{"HeadObject"}, {"HeadObject", "GetObject", "ListObjectsV2"}])
def test_after_a_minute_one_request_is_tried(silent: set[str]) -> None:
    """One call is tried, not all that wait. If it is answered, all resume."""
    world = World(silent)
    asks = [head, read, find]
    for ask in asks * 2:
        world.try_(ask)
    world.seconds += PAUSE_SECONDS - 1
    assert world.try_(head) == NOT_TRIED
    world.seconds += 1
    assert world.try_(head) == world.code
    assert world.try_(head) == NOT_TRIED
    world.seconds += PAUSE_SECONDS
    world.silent.clear()
    assert [world.try_(ask) for ask in [head, *asks]] == [""] * 4


def test_only_one_request_is_tried_at_a_time() -> None:
    """While it waits, the others fail immediately."""
    seconds, is_nested = 0.0, False
    came: list[str] = []

    class Silent(MemoryStore):
        def head_object(self, *_: object, **__: object) -> StoredObject:
            if is_nested and not came:
                came.append("")
                came[0] = ask()
            raise Unreachable("no answer", code="Silent")

    def ask() -> str:
        with pytest.raises(Unreachable) as caught:
            head(store)
        return caught.value.code

    store = PatientStore(Silent(), seconds=lambda: seconds)
    assert [ask(), ask(), ask()] == ["Silent", "Silent", NOT_TRIED]
    seconds, is_nested = PAUSE_SECONDS, True
    assert ask() == "Silent"
    assert came == [NOT_TRIED]


def test_only_failures_in_a_row_count() -> None:
    """An answer in between resets the count, even a refusal."""
    world = World()
    for ask in (head, lambda store: store.head_object("b", "missing")):
        for _ in range(5):
            world.silent = {"HeadObject"}
            assert world.try_(head) == world.code
            world.silent = set()
            with suppress(NotFound):
                ask(world.store)
    assert world.count("HeadObject") == 20


@pytest.mark.parametrize("error", [AccessDenied("no"), Interrupted("stopped"), KeyboardInterrupt()])
def test_other_errors_are_not_silence(error: BaseException) -> None:
    """They come from S3, or from a stop of the run."""
    store = PatientStore(FaultyStore(MemoryStore(), lambda *_: Fault(before=error)))
    for _ in range(10):
        with pytest.raises(type(error)):
            head(store)


@pytest.mark.parametrize("silent", [[], [3, 4], [3, 4, 9, 10, 11], [0, 1], list(range(30))])
def test_parallel_answers_keep_their_places(silent: list[int]) -> None:
    """After two silences the others are not asked for until one is tried a minute later; those not
    tried keep their places among the results and are not counted.
    """
    world = World(call_seconds=61 / 4)
    sources = [
        LogObject("b", f"k{number}", None, "e", 1, BEGAN + timedelta(seconds=number))
        for number in range(30)
    ]
    tried: list[int] = []

    class Many(ForwardingStore):
        def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
            for source in sources:
                number = int(source.key[1:])
                tried.append(number)
                world.seconds += 61 / 4
                if number in silent:
                    yield Unreachable("no answer", code="NoAnswer")
                else:
                    yield Body(source.key.encode(), etag=source.etag)

    store = CountingStore(PatientStore(Many(MemoryStore()), lambda: BEGAN, lambda: world.seconds))
    found = list(store.get_objects(sources))
    assert len(found) == len(sources)
    for number, body in enumerate(found):
        if number not in tried:
            assert isinstance(body, Unreachable)
            assert body.code == NOT_TRIED
        elif number in silent:
            assert isinstance(body, Unreachable)
            assert body.code == "NoAnswer"
        else:
            assert isinstance(body, Body)
            assert body.data == sources[number].key.encode()
    assert store.requests.get("GetObject", 0) == len(tried)
    assert (len(tried) < 30) == bool(silent)


def test_requests_dropped_by_a_stop_are_not_silence() -> None:
    """After ctrl-C the record of what was done is still written."""
    world = World({"HeadObject"}, code=STOPPED)
    assert [world.try_(head) for _ in range(10)] == [STOPPED] * 10


def test_requests_that_were_not_sent_are_not_counted() -> None:
    """S3 does not bill it."""
    world = World({"HeadObject"})
    for _ in range(10):
        world.try_(head)
        world.try_(read)
    assert world.counting.requests == {"HeadObject": 2, "GetObject": 10}


def test_parallel_threads_stop_soon() -> None:
    """No parallel calls are sent beyond those already under way when the silence was noticed."""
    world = World({"HeadObject"}, call_seconds=0)
    with ThreadPoolExecutor(8) as threads:
        came = list(threads.map(lambda _: world.try_(head), range(500)))
    assert set(came) == {world.code, NOT_TRIED}
    assert world.count("HeadObject") <= 2 + 8


def test_both_modules_use_the_same_codes() -> None:
    """Two modules that do not import each other agree."""
    with pytest.raises(RequestFailed) as caught, store_errors("PutObject", "b", "k"):
        raise Stopped
    assert caught.value.code == STOPPED
