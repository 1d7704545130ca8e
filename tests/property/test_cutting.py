"""Laws of cutting a group into packs, against a simple statement of where a pack ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from log_aggregator.core.planning import PackLimits, Source, cut_sources
from log_aggregator.model import ContentKind, KeyFacts, LogObject

DAY = date(2025, 4, 3)
TIME = datetime(2025, 4, 3, tzinfo=UTC)
RUNS = settings(max_examples=600, deadline=None)

Drawn = tuple[int, int, int, int]
"""Size in bytes, hour, Region, versions."""


def make_sources(drawn: list[Drawn]) -> list[Source]:
    """Keys in order, the versions of each together."""
    return [
        Source(
            LogObject("logs", f"key{number:03}", f"v{version}", "e", size, TIME),
            KeyFacts("CloudTrail", DAY, "111111111111", f"r{region}", hour, ContentKind.TEXT),
        )
        for number, (size, hour, region, versions) in enumerate(drawn)
        for version in range(versions)
    ]


def cut_plainly(sources: list[Source], limits: PackLimits) -> Iterator[list[Source]]:
    """A pack takes sources until another key does not fit. It ends there, or at the last earlier
    change of hour or Region, if at least half of it precedes that.
    """
    remaining = sources
    while remaining:
        starts = [
            place
            for place in range(1, len(remaining))
            if remaining[place].log_object.key != remaining[place - 1].log_object.key
        ]
        full = next((place for place in starts if not goes_in(remaining, place, limits)), None)
        if full is None:
            yield remaining
            return
        changes = [place for place in starts if place <= full and is_change(remaining, place)]
        end = changes[-1] if changes and 2 * changes[-1] >= full else full
        yield remaining[:end]
        remaining = remaining[end:]


def goes_in(sources: list[Source], place: int, limits: PackLimits) -> bool:
    size_bytes = sum(each.log_object.size_bytes for each in sources[: place + 1])
    return place < limits.members_max and size_bytes <= limits.pack_size_bytes_max


def is_change(sources: list[Source], place: int) -> bool:
    before, after = sources[place - 1].facts, sources[place].facts
    return (before.hour, before.region) != (after.hour, after.region)


@RUNS
@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from([1, 1, 2, 5, 10, 11]),
            st.integers(0, 2),
            st.integers(0, 1),
            st.sampled_from([1, 1, 1, 2, 5]),
        ),
        max_size=25,
    ),
    members_max=st.integers(1, 9),
    size_bytes_max=st.sampled_from([1, 5, 10, 20, 1000]),
)
@example(drawn=[(5, 0, 0, 1)] * 5, members_max=9, size_bytes_max=10)
@example(drawn=[(1, 0, 0, 1)] * 2 + [(1, 1, 0, 1)] * 3, members_max=4, size_bytes_max=1000)
@example(drawn=[(1, 0, 0, 1)] * 3 + [(1, 1, 0, 1)] * 9, members_max=4, size_bytes_max=1000)
@example(
    drawn=[(1, 0, 0, 1), *[(1, 1, 0, 1)] * 2, *[(1, 2, 0, 1)] * 9],
    members_max=5,
    size_bytes_max=1000,
)
def test_a_pack_ends_when_full_or_at_the_last_hour_before(
    drawn: list[Drawn], members_max: int, size_bytes_max: int
) -> None:
    """Exactly at a limit it is not full yet; earlier packs do not affect the next; the last change
    of hour or Region counts.
    """
    sources = make_sources(drawn)
    limits = PackLimits(pack_size_bytes_max=size_bytes_max, members_max=members_max)
    assert list(cut_sources(sources, limits)) == list(cut_plainly(sources, limits))


@RUNS
@given(
    drawn=st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 1), st.just(0), st.integers(1, 3)),
        max_size=25,
    ),
    members_max=st.integers(1, 9),
    size_bytes_max=st.integers(1, 30),
)
def test_every_source_is_in_one_pack_within_the_limits(
    drawn: list[Drawn], members_max: int, size_bytes_max: int
) -> None:
    """Packs are in order, without repeats, with all versions of a key together. Only these, or one
    source too large by itself, may exceed the limits.
    """
    sources = make_sources(drawn)
    limits = PackLimits(pack_size_bytes_max=size_bytes_max, members_max=members_max)
    packs = list(cut_sources(sources, limits))
    assert [each for pack in packs for each in pack] == sources
    keys = [{each.log_object.key for each in pack} for pack in packs]
    assert sum(map(len, keys)) == len(set().union(*keys))
    for pack, names in zip(packs, keys, strict=True):
        last = next(place for place, each in enumerate(pack) if each.log_object.key == max(names))
        assert len(names) == 1 or goes_in(pack, last, limits)
