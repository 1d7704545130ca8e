"""May a run ask CloudTrail for its public keys, in every Region that digests come from?"""

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
"""Accounts without digests may be looked at before there are enough with some."""

DIGESTS_ELSEWHERE = (
    "Runs tell it once, and pack digests of these Regions without their keys. See "
    'docs/how-to/validate-cloudtrail.md, section "Regions that cannot be asked".'
)


def examine_public_keys(notebook: Notebook, simulation: Simulation, regions: Sequence[str]) -> None:
    """A run keeps the keys of the digests that it packs. Where it may not ask at all, every run
    reports a failure, and packs all the same. Where it is some Regions that refuse, as a Region
    deny does, it is told once.

    `regions` begins with the stack's own, where nothing but the permission can be missing.
    """
    own, *others = regions
    able = [each for each in list(simulation.principals) if _may_ask(simulation, each, own)]
    if not able:
        advice = (
            f"{PACK_POLICY} Without it every run with CloudTrail digests reports a failure, though "
            "it packs them."
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
    """Of a few accounts, by bucket. A trail of all Regions delivers an empty digest of each, so a
    few tell of all.
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
    if not alone.principals:  # it could not be simulated, which is told once
        simulation.principals.remove(principal)
    return verdict is not None and bool(verdict.allowed)


def _ask(simulation: Simulation, region: str) -> Verdict | None:
    """A Region deny goes by this key, and without it denies everything or nothing."""
    return simulation.examine(ASK_FOR_PUBLIC_KEYS, "*", {"aws:RequestedRegion": region})
