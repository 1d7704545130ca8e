"""A Region that refuses its public keys is reported once, and asked again after a month; any other
error stays a failure.
"""

from __future__ import annotations

import json
from datetime import date

import pytest
from tests.support.trails import BUCKET, SPEC, TARGET, Denying, RegionDeny, Trails, trails
from tests.support.world import fail_on, make_rules
from tests.unit.steps.cloudtrail.test_public_keys import make_store, stored_keys

from log_aggregator.errors import (
    AccessDenied,
    NotAuthenticated,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.steps.cloudtrail.public_keys import OPTIONS
from log_aggregator.steps.cloudtrail.refusals import (
    Notepad,
    Refusal,
    RegionAnswer,
    notes_prefix,
    read_refusals,
)
from log_aggregator.steps.cloudtrail.run_keys import FIRST_DIGESTS, archive_run_keys
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packs.pages import list_all
from log_aggregator_lab.stores.faults import FaultyStore

OPEN, CLOSED = sorted(SPEC.regions)[:2]
DENIED = AccessDenied("AccessDeniedException", code="AccessDeniedException")


class Nights:
    """An account in which digests of some Regions are packed night after night."""

    def __init__(self, keys: TrailKeys) -> None:
        self.site: Trails = trails()
        self.keys = keys
        self.store: ObjectStore = self.site.store

    @property
    def today(self) -> date:
        return self.site.world.clock.now().date()

    def pass_by(self, days: int) -> None:
        self.site.world.clock.advance(days=days)

    def run(self, *regions: str) -> RunResult:
        rules = make_rules(
            self.site.world.rules.selection.window,
            control_tower_bucket=BUCKET,
            destination_bucket="dest",
        )
        day = self.today
        group = Group(BUCKET, "CloudTrail-Digest", "111122223333", day)
        done = GroupResult(group, digest_regions=list(regions or (OPEN, CLOSED)))
        result = RunResult(day, day, groups=[done])
        archive_run_keys(
            self.site.world.job(rules=rules, store=self.store), lambda: self.keys, result
        )
        return result

    def notes(self) -> list[str]:
        prefix = notes_prefix(TARGET)
        return [
            key.removeprefix(prefix) for key in stored_keys(self.site) if key.startswith(prefix)
        ]


@pytest.mark.parametrize(
    "error",
    [
        DENIED,
        StoreError("OptInRequired", code="OptInRequired"),
        StoreError("AuthFailure", code="AuthFailure"),
        NotAuthenticated("UnrecognizedClientException", code="UnrecognizedClientException"),
        NotAuthenticated("InvalidClientTokenId", code="InvalidClientTokenId"),
    ],
    ids=str,
)
def test_a_refusing_region_is_reported_once(error: RequestFailed) -> None:
    """The first night warns and remembers; the second neither asks nor warns, but still counts it.
    Neither fails.
    """
    keys = RegionDeny(SPEC, CLOSED, error=error)
    nights = Nights(keys)
    first = nights.run()
    assert first.failures == []
    (warning,) = first.warnings
    assert warning.where == f"public keys of CloudTrail in {CLOSED}"
    assert "Regions that cannot be asked" in warning.advice
    assert nights.notes() == [f"{CLOSED}/{nights.today}-refused.json"]
    note = json.loads(
        nights.site.store.get_object("dest", notes_prefix(TARGET) + nights.notes()[0]).data
    )
    assert (note["region"], note["answer"], note["why"]) == (CLOSED, "refused", str(error))
    nights.pass_by(1)
    keys.asked.clear()
    second = nights.run()
    assert (second.failures, second.warnings, keys.regions) == ([], [], [OPEN])
    assert first.refused_regions == second.refused_regions == [CLOSED]


def test_a_refusing_region_is_asked_again_after_a_month() -> None:
    """A refusal that continues is renewed silently. One that ends is reported once, and then keys
    for the whole period are kept.
    """
    keys = RegionDeny(SPEC, CLOSED)
    nights = Nights(keys)
    began = nights.today
    nights.run()
    nights.pass_by(29)
    keys.asked.clear()
    nights.run()
    assert keys.regions == [OPEN]
    nights.pass_by(1)
    renewed = nights.run()
    assert (renewed.failures, renewed.warnings) == ([], [])
    assert renewed.refused_regions == [CLOSED]
    nights.pass_by(30)
    keys.denied.clear()
    keys.asked.clear()
    ended = nights.run()
    assert ended.failures == []
    assert ended.refused_regions == []
    assert [(told.error, str(began) in told.message) for told in ended.warnings] == [
        ("AnswersAgain", True)
    ]
    assert {region: first for region, first, _ in keys.asked}[CLOSED] == FIRST_DIGESTS
    assert any(f"cloudtrail/{CLOSED}/" in key for key in stored_keys(nights.site))
    nights.pass_by(1)
    assert nights.run().warnings == []
    assert len(nights.notes()) == 3


def test_a_refusal_everywhere_is_a_failure_every_night() -> None:
    """If no Region answers, the permission is missing: nothing is remembered, and every night fails
    until it is granted. A known refusal of one Region changes nothing.
    """
    nights = Nights(Denying())
    for _ in range(2):
        result = nights.run()
        assert [failure.error for failure in result.failures] == ["AccessDenied"] * 2
        assert "grant cloudtrail:ListPublicKeys" in result.failures[0].advice
        assert (result.warnings, result.refused_regions, nights.notes()) == ([], [], [])
    keys = RegionDeny(SPEC, CLOSED, error=DENIED)
    nights = Nights(keys)
    nights.run()
    keys.denied.add(OPEN)
    for days in (1, 40):
        nights.pass_by(days)
        failures = nights.run().failures
        assert [failure.where for failure in failures] == [f"public keys of CloudTrail in {OPEN}"]


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied(
            "ListPublicKeys cloudtrail ap-south-1: AccessDeniedException: User: arn:aws:sts::"
            "111122223333:assumed-role/r/f is not authorized to perform: cloudtrail:ListPublicKeys "
            "with an explicit deny in a service control policy",
            code="AccessDeniedException",
        ),
        StoreError("OptInRequired", code="OptInRequired"),
    ],
    ids=["by the organisation", "not opted into"],
)
def test_a_refusal_that_names_its_cause_is_believed(error: StoreError) -> None:
    """A refusal that says whose it is counts even if no other Region answers: a bucket may have
    digests of closed Regions only.
    """
    nights = Nights(Denying(error))
    first = nights.run()
    assert (first.failures, len(first.warnings)) == ([], 2)
    nights.pass_by(1)
    second = nights.run()
    assert (second.failures, second.warnings) == ([], [])
    assert first.refused_regions == second.refused_regions == [OPEN, CLOSED]


@pytest.mark.parametrize(
    "error",
    [
        StoreError("ThrottlingException", code="ThrottlingException"),
        StoreError("InternalFailure", code="InternalFailure"),
        NotAuthenticated("ExpiredTokenException", code="ExpiredTokenException"),
        Unreachable("EndpointConnectionError", code="EndpointConnectionError"),
    ],
    ids=str,
)
def test_other_errors_stay_failures(error: RequestFailed) -> None:
    """Throttling, an AWS fault, expired credentials or the network: the next night asks again."""
    nights = Nights(RegionDeny(SPEC, CLOSED, error=error))
    for _ in range(2):
        result = nights.run()
        assert [failure.where for failure in result.failures] == [
            f"public keys of CloudTrail in {CLOSED}"
        ]
        assert (result.warnings, nights.notes()) == ([], [])
        nights.pass_by(1)


@pytest.mark.parametrize("operation", ["PutObject", "ListObjectsV2"])
def test_a_refusing_bucket_is_not_taken_for_a_region(operation: str) -> None:
    """A destination that cannot be written or listed is a failure, and no Region is skipped because
    of it.
    """
    nights = Nights(RegionDeny(SPEC))
    nights.store = FaultyStore(
        nights.site.store, fail_on(lambda call: call.operation == operation, DENIED)
    )
    result = nights.run(OPEN)
    assert [failure.error for failure in result.failures] == ["AccessDenied"]
    assert (result.warnings, result.refused_regions, nights.notes()) == ([], [], [])


def test_simultaneous_runs_write_a_note_once() -> None:
    """Two simultaneous runs write the same note: the first stays, and the second does not fail."""
    store, day = make_store(), date(2026, 3, 14)
    for why in ("first", "second"):
        Notepad(store, TARGET, day, OPTIONS).write(CLOSED, RegionAnswer.REFUSED, why)
    (note,) = list_all(store, "dest", "")
    assert json.loads(store.get_object("dest", note.key).data)["why"] == "first"


def test_invalid_notes_are_ignored() -> None:
    """A file that is not a note, or is dated in the future, keeps no Region from being asked."""
    store, today = make_store(), date(2026, 3, 14)
    for name in (
        "eu-west-1/2026-03-15-refused.json",
        "eu-west-1/2026-02-30-refused.json",
        "eu-west-1/2026-03-14-maybe.json",
        "eu-west-1/x/2026-03-14-refused.json",
        "EU/2026-03-14-refused.json",
    ):
        store.put("dest", f"keys/regions/{name}", b"{}")
    assert read_refusals(store, TARGET, today) == {}
    for day, answer in (("01-01", "refused"), ("02-01", "answers"), ("02-01", "refused")):
        store.put("dest", f"keys/regions/eu-west-1/2026-{day}-{answer}.json", b"{}")
    found = read_refusals(store, TARGET, today)
    assert found == {"eu-west-1": Refusal(date(2026, 2, 1), date(2026, 2, 1))}
    assert read_refusals(store, Target("dest", "aggregated/"), today) == {}
