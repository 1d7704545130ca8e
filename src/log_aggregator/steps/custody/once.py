"""Lists what is written once: custody records, and their signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.pages import list_pages


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that is not as it was written."""

    where: str
    what: str


def list_written_once(
    store: ObjectStore,
    bucket: str,
    prefix: str,
    parse: Callable[[str], int | None],
    no_such: str,
    findings: list[Finding],
) -> dict[int, LogObject]:
    """The current objects, by the number that `parse` finds in their keys. Adds keys without a
    number to the findings, and, in a bucket with versions, objects that were replaced or deleted.
    Raises StoreError.
    """
    current: dict[int, LogObject] = {}
    for page in list_pages(store.list_object_versions, bucket, prefix):
        findings += (
            Finding(marker.key, f"it was deleted at {marker.last_modified:%Y-%m-%d %H:%M:%S}Z")
            for marker in page.markers
        )
        for entry in page.objects:
            number = parse(entry.key)
            if number is None:
                findings.append(Finding(entry.key, no_such))
            elif not entry.is_latest:
                findings.append(
                    Finding(entry.key, f"its version {entry.version_id} was replaced or deleted")
                )
            else:
                current[number] = entry
    return current
