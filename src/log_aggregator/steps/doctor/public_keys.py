"""Checks that a run may get CloudTrail's public keys in every Region that digests come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.doctor.access import PACK_POLICY
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.doctor.landing_zone import SAMPLE_ACCOUNTS, Layout
from log_aggregator.steps.doctor.permissions import (
    ASK_FOR_PUBLIC_KEYS,
    Simulation,
    Verdict,
    write_verdict,
)

CHECK = "public-keys"
PURPOSE = "keeping CloudTrail's public keys"
LOOKED_AT_MAX = 20
"""Accounts to look at until SAMPLE_ACCOUNTS of them have digests."""

DIGESTS_ELSEWHERE = (
    "Runs report it once, and pack the digests of these Regions without their keys. See "
    'docs/how-to/validate-cloudtrail.md, section "Regions that cannot be asked".'
)


def examine_public_keys(notebook: Notebook, simulation: Simulation, regions: Sequence[str]) -> None:
    """A run keeps the keys of the digests that it packs. If it lacks the permission altogether,
    every run reports a failure and still packs. If only some Regions are refused, as by a Region
    deny control, a run reports that once.

    `regions` begins with the stack's own, where only the permission itself can be missing.
    """
    own, *others = regions
    able = [each for each in list(simulation.principals) if _may_ask(simulation, each, own)]
    if not able:
        advice = (
            f"{PACK_POLICY} Without it every run with CloudTrail digests packs them, but reports "
            "a failure."
        )
        verdict = _ask(simulation, own)
        write_verdict(notebook, "account", CHECK, PURPOSE, [verdict], advice=advice, is_fatal=False)
        return
    asking = replace(simulation, principals=able)
    verdicts = {region: _ask(asking, region) for region in (own, *others)}
    denied = {
        region: why
        for region, verdict in verdicts.items()
        if verdict is not None
        for why in verdict.denied.values()
    }
    answering = [verdict for region, verdict in verdicts.items() if region not in denied]
    write_verdict(notebook, "account", CHECK, PURPOSE, answering, advice="")
    if denied:
        refused = ", ".join(f"{region} ({why})" for region, why in sorted(denied.items()))
        seen = f"{PURPOSE}: {', '.join(ASK_FOR_PUBLIC_KEYS)} is denied in {refused}"
        notebook.warn("account", CHECK, seen, DIGESTS_ELSEWHERE)


def find_digest_regions(
    store: ObjectStore, notebook: Notebook, layouts: Mapping[str, Layout]
) -> set[str]:
    """The Regions of the digests of a few accounts. A trail of all Regions delivers digests for
    each Region every hour, even empty ones, so a few accounts show all Regions
    (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html).
    """
    found: set[str] = set()
    for bucket, layout in layouts.items():
        prefixes = sorted(layout.account_prefixes)[:LOOKED_AT_MAX]
        listed = notebook.ask(
            locate(bucket), CHECK, "s3:ListBucket", partial(_list_regions, store, bucket, prefixes)
        )
        found |= listed or set()
    return found


def _list_regions(store: ObjectStore, bucket: str, prefixes: Sequence[str]) -> set[str]:
    found: set[str] = set()
    sampled = 0
    for prefix in prefixes:
        folders = store.list_prefixes(bucket, prefix=f"{prefix}{DIGEST_LOG_TYPE}/").prefixes
        found.update(folder.rstrip("/").rpartition("/")[2] for folder in folders)
        sampled += bool(folders)
        if sampled == SAMPLE_ACCOUNTS:
            break
    return found


def _may_ask(simulation: Simulation, principal: str, region: str) -> bool:
    alone = replace(simulation, principals=[principal])
    verdict = _ask(alone, region)
    if not alone.principals:  # it could not be simulated; report that only once
        simulation.principals.remove(principal)
    return verdict is not None and bool(verdict.allowed)


def _ask(simulation: Simulation, region: str) -> Verdict | None:
    """With the condition key that a Region deny control checks; without a value it would deny
    everything or nothing.
    """
    return simulation.examine(ASK_FOR_PUBLIC_KEYS, "*", {"aws:RequestedRegion": region})
