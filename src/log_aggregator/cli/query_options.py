"""Options that say which log objects a command is about. They become a `Query`.

@click.command()
@query_options(key_arguments=True)
@target_options
@connection_options
def find(query: Query, settings: Settings, ...) -> int:
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

import click

from log_aggregator.cli.options import read_layouts
from log_aggregator.core.layouts import LAYOUTS
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.query import Query
from log_aggregator.core.times import check_date, parse_date
from log_aggregator.errors import SettingsError
from log_aggregator.model import NO_ACCOUNT

F = TypeVar("F", bound=Callable[..., Any])

LOG_TYPES = tuple(
    sorted({name for row in LAYOUTS if (name := row.log_type or row.service)}, key=str.lower)
)
"""The built-in log types. Any other service under `AWSLogs/` is a log type of its own name, and so
is every layout that is or was declared.
"""

_OTHER_SERVICE = "AWSLogs/"
_DECLARED = "declared/"
_WITHOUT_ACCOUNT = "none"


def query_options(*, key_arguments: bool = False) -> Callable[[F], F]:
    """Gives the command `query: Query`. With `key_arguments` it also takes keys as arguments.

    The values of a repeated option are alternatives; different options must all match. The command
    raises SettingsError where one of them is wrong.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_query(**values: Any) -> Any:
            asked = {
                name: values.pop(name)
                for name in (
                    "log_types",
                    "accounts",
                    "log_regions",
                    "buckets",
                    "date_",
                    "from_",
                    "to_",
                )
            }
            keys = (*values.pop("key_arguments", ()), *values.pop("keys"))
            layouts = read_layouts(values.get("config"))
            return function(query=make_query(keys=keys, layouts=layouts, **asked), **values)

        decorated: Any = with_query
        for option in reversed(_OPTIONS):
            decorated = option(decorated)
        if key_arguments:
            decorated = click.argument("key_arguments", metavar="[KEY]...", nargs=-1)(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def make_query(
    *,
    accounts: Iterable[str] = (),
    log_types: Iterable[str] = (),
    log_regions: Iterable[str] = (),
    buckets: Iterable[str] = (),
    keys: Iterable[str] = (),
    date_: str | None = None,
    from_: str | None = None,
    to_: str | None = None,
    layouts: Layouts | None = None,
) -> Query:
    """The query that these texts ask for; `layouts` are those that the settings declare. Raises
    SettingsError, which names the option, the value and what was expected.
    """
    layouts = layouts or Layouts()
    first, last = _parse_range(date_, from_, to_)
    return Query(
        buckets=frozenset(map(_parse_bucket, _each(buckets))),
        log_types=frozenset(_parse_log_type(text, layouts) for text in _each(log_types)),
        accounts=frozenset(map(_parse_account, _each(accounts))),
        regions=frozenset(map(_parse_region, _each(log_regions))),
        keys=tuple(dict.fromkeys(map(_parse_key, keys))),
        first=first,
        last=last,
        layouts=layouts,
    )


def require_condition(query: Query) -> None:
    """A command without any condition must not mean all logs of all years. Raises SettingsError."""
    if query == Query():
        raise SettingsError(
            "expected at least one condition: a KEY, --account, --log-type, --date ...; "
            "--key '*' means all log objects"
        )


def _each(values: Iterable[str]) -> Iterable[str]:
    """An option given twice means the same as once with a comma."""
    return (item.strip() for value in values for item in value.split(","))


def _parse_account(text: str) -> str:
    if text == _WITHOUT_ACCOUNT:
        return NO_ACCOUNT
    if not re.fullmatch("[0-9]{12}", text):
        raise SettingsError(
            f"--account {text!r}: expected the twelve digits of an account, or "
            f"{_WITHOUT_ACCOUNT!r} for logs whose keys name no account;"
            " for every account leave it out"
        )
    return text


def _parse_log_type(text: str, layouts: Layouts) -> str:
    names = (*LOG_TYPES, *(layout.name for layout in layouts.declared))
    found = {name.lower(): name for name in names}.get(text.lower())
    elsewhere = text.removeprefix(_OTHER_SERVICE).removeprefix(_DECLARED)
    if found is None and elsewhere != text and re.fullmatch("[A-Za-z0-9._-]+", elsewhere):
        return elsewhere
    if found is None:
        raise SettingsError(
            f"--log-type {text!r}: no layout has this name; expected one of {', '.join(names)}."
            f" For another service under AWSLogs/<account>/ use {_OTHER_SERVICE}<service>;"
            f" for a layout that the settings no longer declare, {_DECLARED}<name>"
        )
    return found


def _parse_region(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9-]*", text):
        raise SettingsError(f"--log-region {text!r}: expected a region such as eu-west-1")
    return text


def _parse_bucket(text: str) -> str:
    name = text.removeprefix("s3://").rstrip("/")
    if not re.fullmatch("[a-z0-9][a-z0-9._-]{1,62}", name):
        raise SettingsError(
            f"--bucket {text!r}: expected the name of the bucket that the logs were in"
        )
    return name


def _parse_key(text: str) -> str:
    bucket, slash, key = (
        text.removeprefix("s3://").partition("/") if text.startswith("s3://") else ("-", "/", text)
    )
    if not (bucket and slash and key):
        raise SettingsError(
            f"--key {text!r}: expected a key, s3://bucket/key, or either with *, ? or [abc] in it"
        )
    return text


def _parse_range(
    date_: str | None, from_: str | None, to_: str | None
) -> tuple[datetime | None, datetime | None]:
    if date_ is not None:
        if from_ is not None or to_ is not None:
            raise SettingsError("--date: expected either --date, or --from and --to")
        day = _parse_day(date_)
        return datetime.combine(day, time.min, UTC), datetime.combine(day, time.max, UTC)
    first = None if from_ is None else _parse_moment("--from", from_, time.min)
    last = None if to_ is None else _parse_moment("--to", to_, time.max)
    if first is not None and last is not None and first > last:
        raise SettingsError(f"--from {from_} --to {to_}: the range ends before it begins")
    return first, last


def _parse_day(text: str) -> date:
    day = parse_date("--date", text, "; for a time of day use --from and --to")
    return _sensible("--date", text, datetime.combine(day, time.min, UTC)).date()


def _parse_moment(name: str, text: str, time_of_day: time) -> datetime:
    """A date means its beginning or its end; a time without a zone is UTC."""
    try:
        try:
            moment = datetime.combine(date.fromisoformat(text), time_of_day, UTC)
        except ValueError:
            moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{name} {text!r}: expected a date such as 2026-01-31, or with a time, "
            "2026-01-31T13:00 (UTC)"
        ) from None
    return _sensible(name, text, moment)


def _sensible(name: str, text: str, moment: datetime) -> datetime:
    """Refuses dates in the future, except as the end of a range, where they do no harm."""
    today, day = datetime.now(UTC).date(), moment.date()
    check_date(name, text, min(day, today) if name == "--to" else day, today)
    return moment


_OPTIONS = (
    click.option(
        "--account",
        "accounts",
        multiple=True,
        metavar="ID",
        help="Account, twelve digits; 'none' for logs without one. Left out: any.",
    ),
    click.option(
        "--log-type",
        "log_types",
        multiple=True,
        metavar="NAME",
        help=(
            "Log type, such as CloudTrail, in any case, or the name of a declared layout; "
            "AWSLogs/<service> where it has no layout of its own. Left out: any."
        ),
    ),
    click.option(
        "--log-region",
        "log_regions",
        multiple=True,
        metavar="REGION",
        help="Region that the key names, such as eu-west-1. Left out: any.",
    ),
    click.option(
        "--bucket",
        "buckets",
        multiple=True,
        metavar="NAME",
        help="Bucket that the log objects were in. Left out: any.",
    ),
    click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="KEY",
        help="Original key, s3://bucket/key, or a glob of either; * spans slashes. Left out: any.",
    ),
    click.option(
        "--date", "date_", metavar="YYYY-MM-DD", help="One log date (UTC). Left out: any."
    ),
    click.option(
        "--from",
        "from_",
        metavar="DATE[TIME]",
        help="First log date, or hour: 2026-01-31 or 2026-01-31T13:00 (UTC). Left out: no limit.",
    ),
    click.option(
        "--to",
        "to_",
        metavar="DATE[TIME]",
        help="Last log date, to its end, or hour (UTC). Left out: no limit.",
    ),
)
