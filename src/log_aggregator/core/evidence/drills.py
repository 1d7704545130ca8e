"""The result of a drill: a random sample of members that was read back and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from log_aggregator.core.evidence.proportions import bound_bad_share


@dataclass(frozen=True, slots=True)
class RecoveryTime:
    """From the request to the last byte of a member, over the `members` that came back."""

    members: int
    p50_seconds: float
    p95_seconds: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> RecoveryTime | None:
        """Percentiles by nearest rank. None if nothing came back."""
        if not seconds:
            return None
        ordered = sorted(seconds)

        def rank(share: float) -> float:
            return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

        return cls(len(ordered), rank(0.50), rank(0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill that is over. Its dates, days, run and failures are in its custody record: `began` is
    when the sample was drawn, `ended` when the last member was compared.
    """

    seed: int
    confidence: float
    """Between 0 and 1."""
    population: int
    """Members in all packs that the sample was drawn from; an estimate if `is_counted` is False."""
    is_counted: bool
    population_packs: int
    members: int
    """Members in the sample."""
    bad: int
    """Members that did not come back as they were packed, for whatever reason."""
    packs: int
    """The packs of these members."""
    packs_frozen: int
    """Packs that had to be thawed. All others were warm."""
    packs_bad: int
    """Packs that differ from their index in size, checksum, or the index in their tail."""
    digests_valid: int
    """CloudTrail digests in the sample with a valid signature, by the public keys kept here."""
    digests_invalid: int
    digests_unvouched: int
    """Digests that cannot be checked, because their public key is not kept here."""
    warm: RecoveryTime | None
    frozen: RecoveryTime | None
    """Counted from the request to thaw. This is an upper bound: it ends when the drill next looked,
    which may be later than the thaw.
    """
    dollars: float
    """For thawing, at list prices."""
    sample_key: str
    """The key of the list of members, in the bucket of the packs."""
    sample_sha256: str

    def __post_init__(self) -> None:
        counts = [
            getattr(self, item.name)
            for item in fields(self)
            if item.name.startswith(("population", "members", "bad", "packs", "digests"))
        ]
        if type(self.seed) is not int or any(type(n) is not int or n < 0 for n in counts):
            raise ValueError("expected whole numbers from 0 as a drill's seed and counts")
        if self.bad > self.members or not 0 < self.confidence < 1:
            raise ValueError(
                "expected at most as many bad members as were drawn, and a confidence between 0 "
                "and 1"
            )

    @property
    def is_whole(self) -> bool:
        """Whether all members were drawn, so that nothing is left to chance."""
        return self.is_counted and self.members == self.population

    @property
    def is_sound(self) -> bool:
        """Whether everything came back. A digest without a public key does not count against it."""
        return not (self.bad or self.packs_bad or self.digests_invalid) and self.members > 0

    @property
    def bad_share_max(self) -> float:
        """What it proves: with this `confidence`, at most this share of all members is bad."""
        if self.is_whole and self.members:
            return self.bad / self.members
        return bound_bad_share(self.members, self.bad, self.confidence) if self.members else 1.0

    @property
    def proof(self) -> str:
        """The same as a sentence."""
        if not self.members:
            return "nothing was drawn, so nothing is proven"
        if self.is_whole:
            return f"all {self.members:,} members were read back; {self.bad:,} of them are bad"
        share = _round_up(100 * self.bad_share_max)
        return f"{100 * self.confidence:g}% sure that fewer than {share:g}% of all members are bad"


def describe_drill(drill: Drill) -> dict[str, Any]:
    """In plain types, as it is written in a record."""
    return asdict(drill)


def parse_drill(fields_of: Mapping[str, Any]) -> Drill:
    """The inverse. Raises ValueError, TypeError, KeyError if it is not a drill."""
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
    """It is printed, so it must be text."""
    if not isinstance(found, str):
        raise TypeError("expected text")
    return found


def _round_up(percent: float) -> float:
    """To two significant digits, always up, so that the proof is not exaggerated. 299 good members
    of 299 give 0.99698, which is "fewer than 1%".
    """
    digits = 1 - math.floor(math.log10(percent))
    scale: float = 10.0**digits
    return min(100.0, round(math.ceil(percent * scale - 1e-9) / scale, max(digits, 0)))


_FIELDS = {item.name for item in fields(Drill)}
