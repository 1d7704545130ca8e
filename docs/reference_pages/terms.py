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
    "LOG_TYPE": "the log type has no row above, as the pack's key shows",
    "UNPARSABLE": (
        "a log, or a part of it, does not match its log type, is damaged, or is binary (flow logs "
        "in Parquet); the readable part is still found"
    ),
    "COPIED": "a log was so large that S3 copied it into the pack, unread",
    "TOO_LARGE": (
        f"a log inflates to more than {SEARCHED_MEMBER_BYTES_MAX // MIB} MiB, or has more than "
        f"{EVENTS_MAX:,} JSON objects, an event with more than {EVENT_BYTES_MAX // MIB} MiB or "
        f"{VALUES_MAX:,} values, or a line with more than {LINE_BYTES_MAX // KIB} KiB; its other "
        "events are still found"
    ),
    "TOO_MANY": "a log has more different terms than there is room for; see above",
    "NOT_MADE": (
        "the pack was written before terms existed, or they could not be written; `log-aggregator "
        "index terms` makes them"
    ),
    "OFF": "the setting `search` is `off`",
    "UNREAD": "the terms of a pack exist but cannot be read",
    "ADOPTED": (
        "another tool packed it, and `index adopt` made its index; get its log objects back with "
        "`extract`"
    ),
    "NOT_MERGED": (
        "the terms of a pack are in no table, and there are too many of these packs to read the "
        "terms of each; `log-aggregator index tables` merges them"
    ),
    "HASHED": ("the values of a pack are kept as hashes, and a prefix or a range was asked for"),
    "OTHER_KEY": ("the values of a pack were hashed with a key other than the configured one"),
}

INTRODUCTION = """\
# Terms

The values that a search finds in each log type, and those that it does not: a term is a principal, an address, an access key, a resource or the name of a call, for example.
While a pack is written, the terms of its members are stored next to it ([format](../internals/terms-format.md)): how often each was seen, when first and last, and in which members.

Event ids and request ids, contents of parameters beyond names and ids, bodies, policies, user agents and paths of requests are never kept.
A term is counted once for each event that has it.
Log types outside this table have no terms, and every answer says how many of their packs were not searched.

""".splitlines()

LEFT_OUT = """
## What is not read

A search for these values finds nothing, although the log was searched.

""".splitlines()

PARAMETERS = """
## Names and ids in parameters

CloudTrail's `requestParameters`, `responseElements`, `additionalEventData` and `serviceEventDetails`, and resources and actions of GuardDuty, have a different structure for every call.
So the last word of a key decides, at any depth, and only strings and lists of strings are taken:

""".splitlines()

CLOSED = """
Keys whose last word means contents are skipped with everything below them: WORDS.
Names of people and of log streams, external ids of roles, and ids of requests, events, messages, uploads and object versions are left out.

## One way to write a value

Stored values and your search are written in the same way, so upper and lower case do not matter where AWS makes no difference.

""".replace("WORDS", ", ".join(f"`{word}`" for word in CLOSED_WORDS)).splitlines()

NORMALISED_NOTE = f"""
All other fields are kept unchanged.
Values longer than {VALUE_CHARS_MAX} characters are cut, and so is your search; they are mostly ARNs of S3 objects.
If a log names a service, such as `cloudformation.amazonaws.com`, in place of an address, the term is a host.
"""

LIMITS = f"""{NORMALISED_NOTE}
## Limits

One log may add {MEMBER_TERMS_MAX:,} different terms that no earlier log of its pack had, and all terms of a pack may take {FROZEN_BYTES_MAX // MIB} MiB while they are collected, about 200,000 random ids.
Beyond that, the rest of the log, or of the pack, is not searched, and an answer says so.
""".splitlines()

UNSEARCHED = """
## What was not searched

A search never answers "nothing" for logs that it did not search.
Each answer counts the logs and packs in its range that could not be searched, by reason:

""".splitlines()
