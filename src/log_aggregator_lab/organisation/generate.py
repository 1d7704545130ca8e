"""The synthetic AWS organisation: the contents of its log buckets on a few days, object by object.

    from log_aggregator_lab.organisation.generate import demo, generate, late
    for item in generate(demo(seed=7)): item.bucket, item.key, item.body, ...

The seed determines everything; see `specification` for what "the same" means. Bodies are made when
they are asked for, so a million objects need no memory. All steps on one key (versions, delete
markers) are consecutive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from log_aggregator_lab.organisation.auxiliary import list_auxiliary
from log_aggregator_lab.organisation.cloudtrail import list_cloudtrail
from log_aggregator_lab.organisation.config_logs import list_config, list_insights
from log_aggregator_lab.organisation.digests import (
    list_digests,
    public_key_der,
    public_key_fingerprint,
)
from log_aggregator_lab.organisation.oddities import late_logs, list_oddities
from log_aggregator_lab.organisation.specification import (
    AuxiliaryCounts,
    OddityCounts,
    OrganisationSpec,
    demo,
    flat,
    small,
)
from log_aggregator_lab.organisation.synthetic import (
    ManifestEntry,
    Oddity,
    Purpose,
    Step,
    SyntheticObject,
    list_manifest,
)

__all__ = [
    "AuxiliaryCounts",
    "ManifestEntry",
    "Oddity",
    "OddityCounts",
    "OrganisationSpec",
    "Purpose",
    "Step",
    "SyntheticObject",
    "count_kinds",
    "demo",
    "expected",
    "flat",
    "generate",
    "late",
    "public_key_der",
    "public_key_fingerprint",
    "small",
]


def generate(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """Everything that is there before the first run."""
    yield from list_cloudtrail(spec)
    yield from list_digests(spec)
    yield from list_insights(spec)
    yield from list_config(spec)
    yield from list_auxiliary(spec)
    yield from list_oddities(spec)


def late(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """What arrives after the first run, for a day that was packed already."""
    yield from late_logs(spec)


def expected(spec: OrganisationSpec) -> Iterator[ManifestEntry]:
    """The manifest of `generate(spec)`, without a store: what must be there, with the hash of every
    body.
    """
    return list_manifest(generate(spec))


def count_kinds(
    objects: Iterable[SyntheticObject | ManifestEntry],
) -> Counter[tuple[str, Purpose, Oddity]]:
    """How many steps there are of each (source, purpose, oddity)."""
    return Counter((item.source, item.purpose, item.oddity) for item in objects)
