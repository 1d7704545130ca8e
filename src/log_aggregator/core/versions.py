"""Chooses among several versions of one key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from log_aggregator.model import Identity, Member


def choose_versions(
    packs: Sequence[Sequence[Member]], *, newest_only: bool = False, version_id: str | None = None
) -> list[tuple[tuple[Member, ...], frozenset[Identity]]]:
    """For each pack of a group: the wanted members, and those that are the newest wanted version of
    their key.

    A log object that is in two packs is taken from the first. The newest version is the one with
    the latest LastModified; if they are equal, the one that was listed as latest.
    """
    first: dict[Identity, int] = {}
    newest: dict[str, Member] = {}
    for number, members in enumerate(packs):
        for member in members:
            if version_id is not None and member.version_id != version_id:
                continue
            first.setdefault(member.identity, number)
            known = newest.get(member.key)
            if known is None or age_of(member) > age_of(known):
                newest[member.key] = member
    identities = frozenset(member.identity for member in newest.values())
    wanted = identities if newest_only else first.keys()
    return [
        (
            tuple(
                member
                for member in members
                if member.identity in wanted and first[member.identity] == number
            ),
            frozenset(member.identity for member in members if member.identity in identities),
        )
        for number, members in enumerate(packs)
    ]


def age_of(member: Member) -> tuple[datetime, bool, str, str]:
    """Sorts versions of a key: the newest has the greatest value."""
    return (member.last_modified, member.is_latest, member.version_id or "", member.etag)
