"""Lifecycle rules: what S3 moves, expires and cleans up on its own
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html).
"""

from __future__ import annotations

from collections.abc import Sequence

from log_aggregator.ports.account import LifecycleRule
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.packing.selection import FROZEN_CLASSES

EXPIRY_DAYS_MIN = 3
"""A log object that expires sooner can be gone before a failed run is repeated."""


def examine_source_rules(
    notebook: Notebook, where: str, rules: Sequence[LifecycleRule], keep_originals_days: int
) -> None:
    """When S3 expires originals, and when it moves them to a class that cannot be read."""
    # Log services set no tags on objects, so a rule with a tag filter does not apply to them.
    applied = [rule for rule in rules if not rule.has_tags]
    expiring = [rule for rule in applied if rule.expires]
    for rule in expiring:
        _write_expiry(notebook, where, rule, keep_originals_days)
    for rule in applied:
        for found in rule.transitions:
            if found.storage_class in FROZEN_CLASSES and not found.is_noncurrent:
                seen = (
                    f"{_name(rule)} moves log objects to "
                    f"{found.storage_class}{_after(found.days)}, where they cannot be read"
                )
                notebook.note(
                    where,
                    "lifecycle",
                    seen,
                    "Pack them before that; runs leave archived objects alone.",
                )
    if not expiring:
        notebook.ok(where, "lifecycle", "no rule expires log objects")


def examine_target_rules(
    notebook: Notebook, where: str, rules: Sequence[LifecycleRule], root: str
) -> None:
    """Rules should cover packs/ only: every run and every search reads indexes. `root` is "" or
    ends in a slash.
    """
    packs, indexes = f"{root}packs/", f"{root}indexes/"
    applied = [rule for rule in rules if not rule.has_tags]
    for rule in applied:
        _write_target_rule(notebook, where, rule, packs, indexes, applied)
    if any(rule.abort_days is not None and packs.startswith(rule.prefix) for rule in applied):
        notebook.ok(
            where, "lifecycle-abort", f"incomplete uploads under {packs} are removed by a rule"
        )
    else:
        seen = (
            f"no rule aborts incomplete multipart uploads under {packs}; S3 bills their parts, and "
            "listings of objects do not show them"
        )
        advice = (
            "Add a rule AbortIncompleteMultipartUpload with a few days. Runs abort uploads that "
            "earlier runs left, but only while runs happen."
        )
        notebook.warn(where, "lifecycle-abort", seen, advice)


def _write_expiry(
    notebook: Notebook, where: str, rule: LifecycleRule, keep_originals_days: int
) -> None:
    days = rule.expiration_days
    seen = (
        f"{_name(rule)} expires "
        f"originals{_after(days) if days is not None else f' on {rule.expiration_date}'}"
    )
    if days is not None and days < EXPIRY_DAYS_MIN:
        advice = (
            f"Keep them {EXPIRY_DAYS_MIN} days or longer; otherwise logs that arrive late, and "
            "those of a day whose run failed, are lost."
        )
        notebook.warn(where, "lifecycle", seen, advice)
    elif days is not None and 0 < days <= keep_originals_days:
        advice = (
            f"keep_originals_days is {keep_originals_days}, so S3 deletes them before a run would. "
            "Lower keep_originals_days, or raise the days of the rule."
        )
        notebook.warn(where, "lifecycle", seen, advice)
    else:
        notebook.note(
            where,
            "lifecycle",
            seen,
            "Pack them before that.",
        )


def _write_target_rule(
    notebook: Notebook,
    where: str,
    rule: LifecycleRule,
    packs: str,
    indexes: str,
    others: Sequence[LifecycleRule],
) -> None:
    for found in rule.transitions:
        if (
            found.storage_class in FROZEN_CLASSES
            and not found.is_noncurrent
            and _covers(rule, indexes)
        ):
            seen = (
                f"{_name(rule)} moves indexes to {found.storage_class}{_after(found.days)}: runs "
                "and searches would have to thaw them first"
            )
            notebook.warn(
                where,
                "lifecycle",
                seen,
                f"Give the rule the prefix {packs}, so that it does not apply to {indexes}.",
            )
        elif _covers(rule, packs) and not found.is_noncurrent:
            notebook.ok(
                where,
                "lifecycle",
                f"{_name(rule)} moves packs to {found.storage_class}{_after(found.days)}",
            )
    if not rule.expires:
        return
    when = (
        _after(rule.expiration_days)
        if rule.expiration_days is not None
        else f" on {rule.expiration_date}"
    )
    if _covers(rule, packs):
        notebook.note(
            where,
            "lifecycle",
            f"{_name(rule)} expires packs{when}",
            "Check that logs need not be kept longer: the packs are the only copy.",
        )
    elif _covers(rule, indexes) and not _outlives_packs(rule, others, packs):
        notebook.warn(
            where,
            "lifecycle",
            f"{_name(rule)} expires indexes{when}, but not the packs",
            "Expire both together, or neither.",
        )


def _outlives_packs(rule: LifecycleRule, others: Sequence[LifecycleRule], packs: str) -> bool:
    """Whether the rule expires indexes no sooner than the packs. An index is written after its
    pack, so with the same age it expires on the same day or a day later.
    """
    days = rule.expiration_days
    return days is not None and any(
        other.expiration_days is not None
        and other.expiration_days <= days
        and packs.startswith(other.prefix)
        for other in others
    )


def _covers(rule: LifecycleRule, folder: str) -> bool:
    return folder.startswith(rule.prefix) or rule.prefix.startswith(folder)


def _name(rule: LifecycleRule) -> str:
    return f"rule {rule.id!r} ({rule.prefix or 'whole bucket'})"


def _after(days: int | None) -> str:
    return f" after {days} days" if days is not None else " on a date"
