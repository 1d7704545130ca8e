"""Buckets that `init` found, and what is known about them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.landing_zone import Layout
from log_aggregator.steps.doctor.prospect import FoundBucket, Use

COLUMNS = 100
LOG_TYPES_MAX = 5
USES = {
    Use.MAIN: "Control Tower",
    Use.OTHER: "logs",
    Use.FREE: "to declare",
    Use.TARGET: "packs",
    Use.NONE: "no logs",
    Use.UNKNOWN: "not looked at",
}


def describe_bucket(bucket: FoundBucket, *, is_taken: bool) -> dict[str, Any]:
    versioning, lock, encryption = bucket.versioning, bucket.lock, bucket.encryption
    return {
        "name": bucket.name,
        "use": bucket.use.value,
        "taken": is_taken,
        "reason": bucket.reason,
        "region": bucket.region,
        "log_types": bucket.log_types,
        "accounts": len(bucket.layout.account_prefixes) if bucket.layout else None,
        "organizations": bucket.layout.organizations if bucket.layout else [],
        "landing_zone": _name_layouts(bucket.layout),
        "versioning": None if versioning is None else versioning.status or "never enabled",
        "object_lock": None if lock is None else lock.mode or "none",
        "encryption": None if encryption is None else encryption.algorithm or "none",
        "kms_key": encryption.kms_key_id if encryption else None,
        "expires_after_days": _find_expiry(bucket),
        "inventories": [each.id for each in bucket.inventories or ()],
    }


def render_buckets(buckets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was found, the useful buckets first."""
    order = list(USES)
    for found in sorted(buckets, key=lambda each: (order.index(Use(each["use"])), each["name"])):
        yield f"{USES[Use(found['use'])]:<14} {found['name']}"
        yield from wrap(f"{found['reason']}{render_facts(found)}", " " * 15)


def render_facts(found: Mapping[str, Any]) -> str:
    """What is known in addition to the reason, each fact after a semicolon."""
    facts = []
    if found["log_types"]:
        more = len(found["log_types"]) - LOG_TYPES_MAX
        named = ", ".join(found["log_types"][:LOG_TYPES_MAX])
        facts.append(named + (f" and {more} more types" if more > 0 else ""))
    if found["accounts"]:
        layouts = " and ".join(found["landing_zone"])
        facts.append(f"{format_count(found['accounts'], 'account')} in the layout {layouts}")
    if found["versioning"]:
        facts.append(f"versioning {found['versioning'].lower()}")
    if found["object_lock"] not in (None, "none"):
        facts.append(f"Object Lock {found['object_lock']}")
    if found["kms_key"]:
        facts.append(f"encrypted with {found['kms_key']}")
    if found["expires_after_days"] is not None:
        facts.append(f"a rule expires logs after {found['expires_after_days']} days")
    if found["inventories"]:
        facts.append(f"inventory {', '.join(found['inventories'])}")
    return "".join(f"; {fact}" for fact in facts)


def wrap(text: str, indent: str) -> list[str]:
    """Lines of a page for people."""
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _name_layouts(layout: Layout | None) -> list[str]:
    """The names that the doctor uses."""
    if layout is None:
        return []
    named = {
        "since landing zone 3.0": layout.since_3,
        "before landing zone 3.0": layout.before_3,
    }
    return [name for name, found in named.items() if found]


def _find_expiry(bucket: FoundBucket) -> int | None:
    """The soonest of all rules."""
    days = [
        rule.expiration_days for rule in bucket.lifecycle or () if rule.expiration_days is not None
    ]
    return min(days, default=None)
