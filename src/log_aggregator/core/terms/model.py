"""The nouns of search: a term, its sightings, and the head of a pack's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Field(StrEnum):
    """What kind of value a term is, the same for all log types."""

    PRINCIPAL = "principal"  # the caller: ARN, user or role name, service, requester
    SESSION = "session"  # the name of a role's session
    ACCESS_KEY = "access-key"
    ADDRESS = "address"  # IPv4 or IPv6, of the caller or of either end of a flow
    EVENT = "event"  # `<source>:<name>`, as in IAM: "s3:PutObject"
    RESOURCE = "resource"  # an ARN or an id
    NAME = "name"  # a name in request parameters, or of a Config item
    ERROR = "error"
    INTERFACE = "interface"
    HOST = "host"  # a host name, a queried domain
    RULE = "rule"
    FINDING = "finding"

    __hash__ = str.__hash__  # Enum's is written in Python and ten times slower


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """A value as it is kept: normalised (`normalise`), at most `VALUE_CHARS_MAX` long."""

    field: Field
    value: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A term in one pack. `first` and `last` are event times in seconds since 1970, UTC; None if
    the events have none. `members` are places in the pack's index, ascending.
    """

    term: Term
    count: int
    first: int | None
    last: int | None
    members: tuple[int, ...]


PlainSighting = tuple[Field, str, int, int | None, int | None, Sequence[int]]
"""The same as (field, value, count, first, last, members), for loops in which making objects would
take most of the time.
"""


class Unsearched(StrEnum):
    """Why a member, or a whole pack, was not searched. Answers name these reasons, also as JSON
    fields, so the texts must not change.
    """

    LOG_TYPE = "log type without terms"
    UNPARSABLE = "cannot be parsed"
    COPIED = "copied unread"
    TOO_LARGE = "too large to be looked at"
    TOO_MANY = "more terms than are kept"
    NOT_MADE = "no terms were made of the pack"
    ADOPTED = "an adopted aggregate, which is not a pack and has no terms"
    OFF = "search is off"
    UNREAD = "its terms cannot be read"
    NOT_MERGED = "its terms are in no table, and too many are not"
    HASHED = "its values are kept as hashes, so only whole ones are found"
    OTHER_KEY = "its values were hashed with another key than LOG_AGGREGATOR_SEARCH_KEY"


@dataclass(frozen=True, slots=True)
class TermsHead:
    """The head of a pack's terms. `unsearched` counts members by reason; together with the searched
    ones they are all members of the pack. If `search_key` is not empty, values are hashed with the
    key of this id (`SearchKey.id`).
    """

    pack_key: str
    members: int
    unsearched: Mapping[Unsearched, int] = field(default_factory=dict)
    search_key: str = ""

    @property
    def searched(self) -> int:
        return self.members - sum(self.unsearched.values())
