"""What came of a drill: a random sample of members that was brought back and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from log_aggregator.core.evidence.proportions import bound_bad_share


@dataclass(frozen=True, slots=True)
class RecoveryTime:
    """From the request to the last byte of a member, over `members` of them that came back."""

    members: int
    p50_seconds: float
    p95_seconds: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> RecoveryTime | None:
        """By nearest rank. None where nothing came back."""
        if not seconds:
            return None
        ordered = sorted(seconds)

        def rank(share: float) -> float:
            return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

        return cls(len(ordered), rank(0.50), rank(0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill that has come to its end. When it was, of which days, by whom and what failed stand
    in its record: `began` is when its sample was drawn, `ended` when the last member was compared.
    """

    seed: int
    confidence: float
    """Between 0 and 1."""
    population: int
    """Members in all packs that it was drawn from; where `is_counted` is False, about so many."""
    is_counted: bool
    population_packs: int
    members: int
    """Of the sample."""
    bad: int
    """Those that did not come back as they were packed, for whatever reason."""
    packs: int
    """Packs that they lie in."""
    packs_frozen: int
    """Those of them that had to be thawed. All others were warm."""
    packs_bad: int
    """Those that are not what their index says: size, checksum, or the index in their own tail."""
    digests_valid: int
    """CloudTrail digests in the sample whose signature is right, by the public keys kept here."""
    digests_invalid: int
    digests_unvouched: int
    """Those of which nothing can be said: their public key is not kept here."""
    warm: RecoveryTime | None
    frozen: RecoveryTime | None
    """From the request to thaw on. What is looked at later than it was thawed takes as long as the
    look did: it is an upper bound.
    """
    dollars: float
    """For thawing, at list prices."""
    sample_key: str
    """Which members they were: the key of the list, in the bucket of the packs."""
    sample_sha256: str

    def __post_init__(self) -> None:
        counts = [
            getattr(self, item.name)
            for item in fields(self)
            if item.name.startswith(("population", "members", "bad", "packs", "digests"))
        ]
        if type(self.seed) is not int or any(type(n) is not int or n < 0 for n in counts):
            raise ValueError("a count of a drill is a number from 0 on")
        if self.bad > self.members or not 0 < self.confidence < 1:
            raise ValueError("a drill found more bad members than it drew, or is surer than sure")

    @property
    def is_whole(self) -> bool:
        """All members that there are were drawn, so that nothing is left to chance."""
        return self.is_counted and self.members == self.population

    @property
    def is_sound(self) -> bool:
        """Everything came back. What no key vouches for is no evidence against it."""
        return not (self.bad or self.packs_bad or self.digests_invalid) and self.members > 0

    @property
    def bad_share_max(self) -> float:
        """What it proves: one is `confidence` sure that at most this share of all is bad."""
        if self.is_whole and self.members:
            return self.bad / self.members
        return bound_bad_share(self.members, self.bad, self.confidence) if self.members else 1.0

    @property
    def proof(self) -> str:
        """The same as a sentence."""
        if not self.members:
            return "nothing was drawn, so nothing is proven"
        if self.is_whole:
            return f"all {self.members:,} members were brought back; {self.bad:,} of them are bad"
        share = _round_up(100 * self.bad_share_max)
        return f"{100 * self.confidence:g}% sure that fewer than {share:g}% of all members are bad"


def describe_drill(drill: Drill) -> dict[str, Any]:
    """In plain types, as it stands in a record."""
    return asdict(drill)


def parse_drill(fields_of: Mapping[str, Any]) -> Drill:
    """The inverse. Raises ValueError, TypeError, KeyError: what stands there is no drill."""
    if set(fields_of) != _FIELDS:
        raise ValueError("a drill with other fields")
    return Drill(
        **{
            **fields_of,
            "warm": _parse_time(fields_of["warm"]),
            "frozen": _parse_time(fields_of["frozen"]),
            "confidence": float(fields_of["confidence"]),
            "dollars": float(fields_of["dollars"]),
            "is_counted": bool(fields_of["is_counted"]),
            "sample_key": _parse_text(fields_of["sample_key"]),
            "sample_sha256": _parse_text(fields_of["sample_sha256"]),
        }
    )


def _parse_time(found: Mapping[str, Any] | None) -> RecoveryTime | None:
    if found is None:
        return None
    return RecoveryTime(
        int(found["members"]), float(found["p50_seconds"]), float(found["p95_seconds"])
    )


def _parse_text(found: object) -> str:
    """It is shown, so it must be text."""
    if not isinstance(found, str):
        raise TypeError("no text")
    return found


def _round_up(percent: float) -> float:
    """To two digits that count, never down: what is proven is not exaggerated. 299 of 299 make
    0.99698, which is "fewer than 1%".
    """
    digits = 1 - math.floor(math.log10(percent))
    return min(100.0, round(math.ceil(percent * 10**digits - 1e-9) / 10**digits, max(digits, 0)))


_FIELDS = {item.name for item in fields(Drill)}
