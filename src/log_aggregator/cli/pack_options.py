"""Options that say which packs a command is about: by key, by date, or all of them; and by the
logs that they hold.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from log_aggregator.cli.options import date_options, make_cli_window, read_layouts
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.adopted import ADOPTED
from log_aggregator.core.query import Query
from log_aggregator.errors import SettingsError
from log_aggregator.model import Target
from log_aggregator.settings import Settings
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.upkeep.check import PackPlace

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PackChoice:
    """The packs that were asked for. Where `keys` is empty, `query` says which."""

    keys: tuple[str, ...]
    filters: Query
    all_: bool
    dates: tuple[str | None, str | None, str | None]

    def __post_init__(self) -> None:
        has_dates = any(text is not None for text in self.dates)
        if self.keys and (has_dates or self.all_ or self.filters != Query()):
            raise SettingsError(
                "PACK: expected either keys of packs, or dates and filters, not both"
            )
        if self.all_ and has_dates:
            raise SettingsError("--all: expected either --all or dates, not both")

    def query(self, settings: Settings) -> Query:
        """For packs that are not named one by one. Raises SettingsError."""
        if self.all_:
            return self.filters
        window = make_cli_window(*self.dates, settings.look_back_days)
        days = Query.of_days(window.first, window.last)
        return replace(self.filters, first=days.first, last=days.last)

    def describe(self, query: Query) -> str:
        """The days, for people."""
        if self.all_ or query.first is None or query.last is None:
            return "all dates"
        first, last = query.first.date(), query.last.date()
        return str(first) if first == last else f"{first} to {last}"


def pack_options(function: F) -> F:
    """Gives the command `choice: PackChoice`. Raises SettingsError where what is asked for
    contradicts itself.
    """

    @functools.wraps(function)
    def with_choice(**values: Any) -> Any:
        dates = (values.pop("date_"), values.pop("from_"), values.pop("to_"))
        filters = make_query(
            **{name: values.pop(name) for name in ("accounts", "log_types", "buckets")},
            layouts=read_layouts(values.get("config")),
        )
        return function(
            choice=PackChoice(values.pop("packs"), filters, values.pop("all_"), dates), **values
        )

    decorated: Any = with_choice
    for option in reversed(_FILTERS):
        decorated = option(decorated)
    decorated = click.option("--all", "all_", is_flag=True, help="All dates.")(
        date_options(decorated)
    )
    return click.argument("packs", metavar="[PACK]...", nargs=-1)(decorated)  # type: ignore[no-any-return]


def find_places(texts: Iterable[str], targets: Iterable[Target]) -> list[PackPlace]:
    """Packs, by key or `s3://bucket/key`; the key of an index means its pack. Raises
    SettingsError.
    """
    known = list(targets)
    return list(dict.fromkeys(_find_place(text, known) for text in texts))


def _find_place(text: str, targets: list[Target]) -> PackPlace:
    bucket, key = (
        text.removeprefix("s3://").split("/", 1)
        if text.startswith("s3://") and "/" in text[5:]
        else (None, text)
    )
    places = [
        place
        for target in targets
        if bucket in (None, target.bucket) and (place := _place_in(target, key))
    ]
    if not places:
        names = ", ".join(f"s3://{target.bucket}/{target.root}packs/..." for target in targets)
        raise SettingsError(f"{text}: not the key of a pack; expected {names}")
    if len(places) > 1:
        raise SettingsError(f"{text}: packs are in {len(places)} buckets; expected s3://bucket/key")
    return places[0]


def _place_in(target: Target, key: str) -> PackPlace | None:
    if key.startswith(f"{target.root}{ADOPTED}"):
        return PackPlace(target, key, is_adopted=True)
    try:
        pack_key = target.pack_key(key) if key.startswith(f"{target.root}indexes/") else key
        return PackPlace(target, entry_of(target, pack_key).pack_key)
    except ValueError:
        return None


_FILTERS = (
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
        help="Log type, such as CloudTrail. Left out: any.",
    ),
    click.option(
        "--bucket",
        "buckets",
        multiple=True,
        metavar="NAME",
        help="Bucket that the log objects were in. Left out: any.",
    ),
)
