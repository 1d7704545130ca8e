"""The rules of a run, and the layouts for a bucket's keys."""

from __future__ import annotations

from tests.support.world import DAY, make_rules

from log_aggregator.core.layouts import Dated, Unknown
from log_aggregator.model import ContentKind, KeyFacts

FREE_KEY = f"app/{DAY:%Y/%m/%d}/x.log"
LAYOUTS = [{"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}"}]


def test_declarations_are_for_auxiliary_buckets() -> None:
    """A free key in a Control Tower bucket is unknown, whatever is declared for every bucket."""
    rules = make_rules(
        control_tower_bucket="trail",
        other_buckets="logs",
        destination_bucket="dest",
        layouts=LAYOUTS,
    )
    assert isinstance(rules.layouts_of("logs").read(FREE_KEY), Dated)
    assert isinstance(rules.layouts_of("trail").read(FREE_KEY), Unknown)


def test_a_bucket_can_be_added_to_the_holds() -> None:
    """Holds in the settings stay."""
    rules = make_rules(
        other_buckets="logs", destination_bucket="dest", holds={"buckets": ["legal"]}
    ).holding("work")
    facts = KeyFacts("app", DAY, None, None, None, ContentKind.TEXT)
    held = {
        name for name in ("legal", "work", "logs") if rules.selection.holds.hold(name, "x", facts)
    }
    assert held == {"legal", "work"}
