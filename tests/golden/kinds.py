"""Every format that is written, and read again by later releases."""

from __future__ import annotations

from dataclasses import dataclass

from log_aggregator.core import adopted, custody, signatures
from log_aggregator.core.backfill import entries
from log_aggregator.core.evidence import at_rest_plan, manifest, samples
from log_aggregator.core.packformat import index, tail
from log_aggregator.core.tables import directory
from log_aggregator.core.terms import packterms
from log_aggregator.steps.cloudtrail import public_keys, refusals


@dataclass(frozen=True)
class Kind:
    """Something that is written, and read again by later releases."""

    folder: str
    """Under tests/golden/formats/."""
    what: str
    where: str
    """Its key in the bucket for packs, behind the root."""
    format: str
    """The name that it says of itself; a beginning of bytes where it is in capitals."""
    version: int
    """The one that is written today."""
    page: str
    """Which page specifies it, from docs/reference/."""

    @property
    def row(self) -> str:
        """In the table of docs/reference/compatibility.md."""
        versions = ", ".join(str(number) for number in range(1, self.version + 1))
        where = f"`{self.where}`" if self.where.endswith("/") else self.where
        return (
            f"| [{self.what}]({self.page}) | {where} | `{self.format}` | {versions} | "
            f"{self.version} |"
        )


KINDS = (
    Kind(
        "pack",
        "pack: the end of a gzip or tar pack",
        "packs/",
        "LAGGPK",
        tail.VERSION,
        "../internals/pack-format.md#tail",
    ),
    Kind(
        "pack",
        "index of a pack",
        "indexes/",
        index.FORMAT,
        index.VERSION,
        "../internals/pack-format.md#index",
    ),
    Kind(
        "adopted",
        "index of an adopted aggregate",
        "adopted/",
        adopted.FORMAT,
        adopted.VERSION,
        "../internals/pack-format.md#index-of-an-adopted-aggregate",
    ),
    Kind(
        "terms",
        "terms of a pack",
        "terms/",
        packterms.FORMAT,
        packterms.VERSION,
        "../internals/terms-format.md",
    ),
    Kind(
        "table",
        "table of terms",
        "tables/",
        directory.FORMAT,
        directory.VERSION,
        "../internals/tables-format.md",
    ),
    Kind(
        "custody",
        "custody record",
        "custody/",
        custody.FORMAT,
        custody.VERSION,
        "../internals/custody.md#what-a-record-says",
    ),
    Kind(
        "signature",
        "signature of a custody record",
        "signatures/",
        signatures.FORMAT,
        signatures.VERSION,
        "../internals/custody.md#signatures",
    ),
    Kind(
        "cloudtrail-key",
        "public key of CloudTrail",
        "keys/cloudtrail/",
        public_keys.FORMAT,
        public_keys.VERSION,
        "../how-to/validate-cloudtrail.md",
    ),
    Kind(
        "cloudtrail-region",
        "note that a Region refuses to give keys",
        "keys/regions/",
        refusals.FORMAT,
        refusals.VERSION,
        "../how-to/validate-cloudtrail.md",
    ),
    Kind(
        "backfill",
        "plan and entries of a backfill",
        "backfills/",
        entries.FORMAT,
        entries.VERSION,
        "../how-to/backfill-history.md",
    ),
    Kind(
        "drill",
        "sample of a drill",
        "drills/",
        samples.FORMAT,
        samples.VERSION,
        "../how-to/drill.md",
    ),
    Kind(
        "at-rest",
        "plan of a check of packs at rest",
        "at-rest/",
        at_rest_plan.FORMAT,
        at_rest_plan.VERSION,
        "../how-to/check-packs.md",
    ),
    Kind(
        "evidence",
        "evidence bundle",
        "a file of yours",
        manifest.FORMAT,
        manifest.VERSION,
        "../how-to/give-evidence-to-an-auditor.md",
    ),
)
UNVERSIONED = ("discards",)
"""Kinds of files that name no version: fields may only be added to their lines."""
