"""Terms: what each log type has, and where it is read."""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.terms.model import Field, Unsearched
from log_aggregator.core.terms.normalise import VALUE_CHARS_MAX, normalise
from log_aggregator.core.terms.readers.parameters import CLOSED_WORDS, kind_words
from log_aggregator.core.terms.readers.pieces import LINE_BYTES_MAX
from log_aggregator.core.terms.readers.records import EVENT_BYTES_MAX, EVENTS_MAX, VALUES_MAX
from log_aggregator.core.terms.table import ROWS
from log_aggregator.core.terms.tally import FROZEN_BYTES_MAX, MEMBER_TERMS_MAX
from log_aggregator.limits import KIB, MIB, SEARCHED_MEMBER_BYTES_MAX
from reference_pages.table import table


def make_terms() -> Iterator[str]:
    yield from INTRODUCTION
    yield from table(("log type", "field", "where it is read"), _rows())
    yield from LEFT_OUT
    yield from table(
        ("log type", "is not read"), ((name, row.left_out) for name, row in ROWS.items())
    )
    yield from PARAMETERS
    yield from table(("under a key", "is"), kind_words())
    yield from CLOSED
    yield from table(("field", "such as", "is kept as"), _normal_rows())
    yield from LIMITS
    yield from UNSEARCHED
    yield from table(("an answer says", "when"), _reason_rows())


def _rows() -> Iterator[tuple[str, str, str]]:
    for log_type, row in ROWS.items():
        for field, places in row.places.items():
            yield log_type, f"`{field.value}`", places


def _normal_rows() -> Iterator[tuple[str, str, str]]:
    for field, value in EXAMPLES:
        yield f"`{field.value}`", f"`{value}`", f"`{normalise(field, value)}`"


def _reason_rows() -> Iterator[tuple[str, str]]:
    for reason in Unsearched:
        yield reason.value, REASONS[reason.name]


EXAMPLES = (
    (Field.ADDRESS, "2001:DB8:0::1"),
    (Field.ADDRESS, "::ffff:192.0.2.1"),
    (Field.HOST, "WWW.Example.com."),
    (Field.EVENT, "s3.amazonaws.com:PutObject"),
    (Field.ACCESS_KEY, "akiaiosfodnn7example"),
    (Field.ERROR, "AccessDenied"),
    (Field.INTERFACE, "ENI-0A1B2C3D"),
    (Field.FINDING, "Recon:EC2/PortProbeUnprotectedPort"),
)

REASONS = {
    "LOG_TYPE": "the log type has no row above; this is known from the pack's key",
    "UNPARSABLE": (
        "a log, or a part of it, is not what its log type says, is damaged, or is binary "
        "(flow logs in Parquet); what could be read of it is found all the same"
    ),
    "COPIED": "a log was so large that S3 copied it into the pack, unread",
    "TOO_LARGE": (
        f"a log inflates to more than {SEARCHED_MEMBER_BYTES_MAX // MIB} MiB; or one of its events "
        f"takes more than {EVENT_BYTES_MAX // MIB} MiB or has more than {VALUES_MAX:,} values, one "
        f"of its lines takes more than {LINE_BYTES_MAX // KIB} KiB, or it has more than "
        f"{EVENTS_MAX:,} JSON objects; its other events are found all the same"
    ),
    "TOO_MANY": "a log brought more different terms than there is room for; see above",
    "NOT_MADE": (
        "the pack was written before there were terms, or they could not be written; "
        "`log-aggregator index terms` makes them"
    ),
    "OFF": "the setting `search` is `off`",
    "UNREAD": "the terms of a pack are there and cannot be read",
    "ADOPTED": (
        "`index adopt` made an index of what another tool packed; its log objects come back with "
        "`extract`"
    ),
    "NOT_MERGED": (
        "the terms of a pack are in no table, and too many packs are like that to read the terms "
        "of each; `log-aggregator index tables` merges them"
    ),
    "HASHED": ("the values of a pack are kept as hashes, and a prefix or a range was asked for"),
    "OTHER_KEY": ("the values of a pack were hashed with another key than the one that is set"),
}

INTRODUCTION = """\
# Terms

A term is a value by which people search events: a principal, an address, an access key, a resource, the name of a call.
While a pack is written, the terms of its members are collected and stored beside it ([format](../internals/terms-format.md)): how often each was seen, first and last when, and in which members.

Never kept are event ids and request ids, contents of parameters beyond names and ids, bodies, policies, user agents and paths of requests.
A term is counted once for each event that holds it.
Log types that are not in this table have no terms, and every answer says how many of their packs were not searched.

""".splitlines()

LEFT_OUT = """
## What is not read

A search for such a value finds nothing, although its log was searched.

""".splitlines()

PARAMETERS = """
## Names and ids in parameters

CloudTrail's `requestParameters`, `responseElements`, `additionalEventData` and `serviceEventDetails`, and resources and actions of GuardDuty, are other objects for every call.
So the last word of a key decides, at any depth, and only texts and lists of texts are taken:

""".splitlines()

CLOSED = """
Nothing is looked at below keys whose last word says that they hold contents: WORDS.
Names of people and of log streams, external ids of roles, and ids of requests, events, messages, uploads and object versions are left out.

## One way to write a value

Values are kept in one way, and what you type is made the same, so that upper and lower case do not matter where AWS knows no difference.

""".replace("WORDS", ", ".join(f"`{word}`" for word in CLOSED_WORDS)).splitlines()

NORMALISED_NOTE = f"""
All other fields are kept as they stand.
Longer values than {VALUE_CHARS_MAX} characters are cut, what you type as well; they are mostly ARNs of S3 objects.
Where a log should name an address and names a service, such as `cloudformation.amazonaws.com`, the term is a host.
"""

LIMITS = f"""{NORMALISED_NOTE}
## Limits

One log may bring {MEMBER_TERMS_MAX:,} different terms that no other log of its pack had before it, and all terms of a pack may take {FROZEN_BYTES_MAX // MIB} MiB while they are collected, about 200,000 random ids.
Beyond that, the rest of the log, or of the pack, is not searched, and an answer says so.
""".splitlines()

UNSEARCHED = """
## What was not searched

An answer of "nothing" is never given for what was not looked at.
Each answer counts the logs and packs in its range that could not be searched, by reason:

""".splitlines()
