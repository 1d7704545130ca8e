"""What lies in a Control Tower bucket: organisations, accounts, both layouts; and where Config
delivers its logs.

The layouts before and since landing zone 3.0, and landing zone 4.0's Config bucket in the Audit
account: https://docs.aws.amazon.com/controltower/latest/userguide/2022-all.html and
https://docs.aws.amazon.com/controltower/latest/userguide/config-updates-v4.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from log_aggregator.model import Target
from log_aggregator.ports.account import Caller, DeliveryChannel, Trail
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.packing.prefixes import (
    AWS_LOGS,
    MainTree,
    is_organization,
)
from log_aggregator.steps.packing.selection import Selection

CONFIG_BUCKET = re.compile(r"aws-controltower-config-logs-(\d{12})-.*")
"""The Config bucket of landing zone 4.0; the digits are the Audit account's number."""

RECENT_DAYS = 7
SAMPLE_ACCOUNTS = 3
SAMPLE_FOLDERS = 20
A_FEW = "a few accounts were looked at"

DEPLOY_THERE = (
    "Deploy a second aggregator in the account that has the Config bucket, with that bucket "
    "as its ControlTowerBucket and its own destination: the bucket's policy allows no other "
    "account, and Control Tower does not let you change it."
)


@dataclass(slots=True)
class Layout:
    """Prefixes of the accounts under each organisation, by layout. The key is the organisation's
    id, or whatever prefix comes first instead of one.
    """

    since_3: dict[str, list[str]] = field(default_factory=dict)
    """`<organisation>/AWSLogs/<organisation>/<account>/`"""
    before_3: dict[str, list[str]] = field(default_factory=dict)
    """`<organisation>/AWSLogs/<account>/`"""

    @property
    def account_prefixes(self) -> list[str]:
        return [
            prefix
            for found in (self.before_3, self.since_3)
            for prefixes in found.values()
            for prefix in prefixes
        ]

    @property
    def organizations(self) -> list[str]:
        return sorted({name for name in (*self.before_3, *self.since_3) if is_organization(name)})


def find_layout(store: ObjectStore, bucket: str) -> Layout:
    """Lists accounts as a run does. Our own packs have no AWSLogs/ at that level. Raises
    StoreError.
    """
    layout = Layout()
    for folder in MainTree(store, bucket).list_accounts(Selection()):
        top = folder.root.removesuffix(AWS_LOGS).strip("/") or "no organisation"
        found = layout.since_3 if folder.organization else layout.before_3
        found.setdefault(folder.organization or top, []).append(folder.prefix)
    return layout


def examine_layout(
    store: ObjectStore, notebook: Notebook, bucket: str, organization_id: str | None
) -> Layout | None:
    """Is it a landing zone's bucket, and the right organisation's?"""
    where = locate(bucket)
    layout = notebook.ask(where, "layout", "s3:ListBucket", lambda: find_layout(store, bucket))
    if layout is None:
        return None
    if not layout.account_prefixes:
        seen = (
            "no AWSLogs/ with accounts under it: nothing was ever delivered here, everything is "
            "packed, or it is not a Control Tower bucket"
        )
        notebook.warn(
            where,
            "layout",
            seen,
            "Check the name. A bucket of other logs belongs in other_buckets.",
        )
        return layout
    for title, found in (
        ("since landing zone 3.0", layout.since_3),
        ("before landing zone 3.0", layout.before_3),
    ):
        for name, prefixes in found.items():
            notebook.ok(
                where, "layout", f"{name}: {_accounts(len(prefixes))} in the layout {title}"
            )
    _write_organizations(notebook, where, layout, organization_id)
    return layout


def examine_config(
    store: ObjectStore,
    notebook: Notebook,
    layouts: Mapping[str, Layout],
    targets: Mapping[str, Target],
    channels: Sequence[DeliveryChannel] | None,
    today: date,
) -> None:
    """Do Config's logs still arrive in any of the buckets? Recent ones may be packed already, so
    the indexes are looked at too.

    `layouts` and `targets` are by bucket. A few accounts are looked at, not all.
    """
    found: dict[str, date | None] = {}
    for bucket, layout in layouts.items():
        days = notebook.ask(
            locate(bucket),
            "config-logs",
            "s3:ListBucket",
            partial(_find_recent_config, store, bucket, layout, targets[bucket], today),
        )
        if days is not None:
            found[bucket] = max(days, default=None)
    arriving = [bucket for bucket, day in found.items() if day is not None]
    for bucket, day in found.items():
        if day is not None:
            notebook.ok(
                locate(bucket),
                "config-logs",
                f"Config's logs arrive, most recently on {day} ({A_FEW})",
            )
        elif arriving:
            notebook.ok(
                locate(bucket),
                "config-logs",
                f"no Config logs of the last {RECENT_DAYS} days; they arrive in "
                f"{', '.join(arriving)}",
            )
        else:
            _explain_missing_config(notebook, bucket, channels)


def examine_trails(
    notebook: Notebook, trails: Sequence[Trail], main_buckets: Sequence[str]
) -> None:
    """Is the bucket of every trail of the organisation among the Control Tower buckets?"""
    for trail in trails:
        if not trail.is_organization or not trail.bucket:
            continue
        if trail.bucket in main_buckets:
            notebook.ok(
                locate(trail.bucket), "trail", f"the organisation's trail {trail.name} writes here"
            )
        else:
            seen = (
                f"the organisation's trail {trail.name} writes to {trail.bucket}, which "
                "control_tower_bucket does not name"
            )
            notebook.warn(
                "account",
                "trail",
                seen,
                "Add the bucket to control_tower_bucket if its logs are to be packed.",
            )


def examine_channels(
    notebook: Notebook,
    channels: Sequence[DeliveryChannel],
    main_buckets: Sequence[str],
    caller: Caller | None,
) -> None:
    """Does this account's Config write to a bucket that is packed?"""
    for channel in channels:
        if channel.bucket in main_buckets:
            notebook.ok(
                locate(channel.bucket), "config-channel", "this account's Config writes here"
            )
            continue
        seen = (
            f"this account's Config writes to {channel.bucket}, which control_tower_bucket does "
            "not name"
        )
        named = CONFIG_BUCKET.fullmatch(channel.bucket)
        if named and (caller is None or named[1] != caller.account):
            seen += f"; it is landing zone 4.0's Config bucket, in the Audit account {named[1]}"
            notebook.warn("account", "config-channel", seen, DEPLOY_THERE)
        else:
            notebook.warn(
                "account",
                "config-channel",
                seen,
                "Add the bucket to control_tower_bucket if its logs are to be packed.",
            )


def _write_organizations(
    notebook: Notebook, where: str, layout: Layout, organization_id: str | None
) -> None:
    found = layout.organizations
    if organization_id is not None and found and organization_id not in found:
        seen = f"organization_id is {organization_id}, but the logs here are of {', '.join(found)}"
        notebook.problem(
            where,
            "organization",
            seen,
            "Correct organization_id, or leave it out; logs of another organisation are left "
            "alone.",
        )
    elif organization_id is None and len(found) > 1:
        seen = f"logs of several organisations: {', '.join(found)}"
        notebook.note(
            where,
            "organization",
            seen,
            "All are packed. To pack the logs of one organisation only, set organization_id.",
        )


def _explain_missing_config(
    notebook: Notebook, bucket: str, channels: Sequence[DeliveryChannel] | None
) -> None:
    seen = f"no Config logs of the last {RECENT_DAYS} days ({A_FEW})"
    elsewhere = [
        channel.bucket for channel in channels or () if channel.bucket and channel.bucket != bucket
    ]
    if elsewhere:
        seen += f"; this account's Config writes to {', '.join(elsewhere)}"
    advice = (
        "Since landing zone 4.0 Config writes to aws-controltower-config-logs-<Audit "
        f"account>-... in the Audit account. {DEPLOY_THERE}"
    )
    notebook.warn(locate(bucket), "config-logs", seen, advice)


def _find_recent_config(
    store: ObjectStore, bucket: str, layout: Layout, target: Target, today: date
) -> set[date]:
    """The days of the first folder that has any: under the Regions of a few accounts, or under a
    few accounts of our indexes.
    """
    places = [(bucket, f"{prefix}Config/") for prefix in sorted(layout.account_prefixes, key=_last)]
    for name, folder in _sample(
        store, [*places, (target.bucket, f"{target.root}indexes/{bucket}/Config/")]
    ):
        if days := _list_recent_days(store, name, folder, today):
            return days
    return set()


def _sample(store: ObjectStore, places: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Folders under the first few places that have any, and under the last place, our indexes."""
    sampled = 0
    for number, (bucket, prefix) in enumerate(places, 1):
        if sampled >= SAMPLE_ACCOUNTS and number < len(places):
            continue
        folders = store.list_prefixes(bucket, prefix=prefix).prefixes[:SAMPLE_FOLDERS]
        sampled += bool(folders)
        yield from ((bucket, folder) for folder in folders)


def _list_recent_days(store: ObjectStore, bucket: str, folder: str, today: date) -> set[date]:
    """Recent days that have a folder. Config writes 2026/3/4, we write 2026/03/04."""
    days = [today - timedelta(days=age) for age in range(RECENT_DAYS + 1)]
    wanted = {
        f"{folder}{form.format(day.year, day.month, day.day)}": day
        for day in days
        for form in ("{}/{}/{}/", "{}/{:02}/{:02}/")
    }
    months = dict.fromkeys(f"{path.rstrip('/').rpartition('/')[0]}/" for path in wanted)
    listed = {
        path for month in months for path in store.list_prefixes(bucket, prefix=month).prefixes
    }
    return {day for path, day in wanted.items() if path in listed}


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]
