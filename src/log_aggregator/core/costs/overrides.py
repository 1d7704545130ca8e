"""The operator's own prices, which replace those of the table: another region, another year, a
discount. The values come from a file that was read already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from math import isfinite
from typing import Any

from log_aggregator.core.costs.prices import Prices, StorageClass
from log_aggregator.errors import SettingsError

_COUNTED_BY = frozenset(
    {"cools_after", "days_min", "size_bytes_min", "overhead_bytes", "overhead_standard_bytes"}
)
STORAGE_PRICES = tuple(
    field.name for field in fields(StorageClass) if field.name not in _COUNTED_BY
)
"""The prices that a table of the file may hold. S3's minimum sizes, days and overheads are the same
everywhere.
"""
_TEXTS = ("region", "date", "source")
_NAMES = (*_TEXTS, "kms_request_10000", "storage")


def override_prices(prices: Prices, values: Mapping[str, Any]) -> Prices:
    """The prices, with these values replaced: `region`, `date`, `source`, `kms_request_10000`, and
    `storage` by class and name.

    Raises SettingsError for an unknown name, or a value that is not a price. It names the setting
    and what was expected.
    """
    _check_names(values, _NAMES, "")
    changes: dict[str, Any] = {name: _text(values[name], name) for name in _TEXTS if name in values}
    if "kms_request_10000" in values:
        changes["kms_request_10000"] = _price(values["kms_request_10000"], "kms_request_10000")
    classes = _mapping(values.get("storage", {}), "storage")
    _check_names(classes, prices.storage, "storage.")
    changed = {
        name: _override_class(prices.storage[name], table, f"storage.{name}")
        for name, table in classes.items()
    }
    return replace(prices, **changes, storage={**prices.storage, **changed})


def _override_class(storage: StorageClass, table: Any, where: str) -> StorageClass:
    values = _mapping(table, where)
    _check_names(values, STORAGE_PRICES, f"{where}.")
    changes: dict[str, Any] = {
        name: _price(value, f"{where}.{name}")
        for name, value in values.items()
        if name != "cooled_gb_month"
    }
    if "cooled_gb_month" in values:
        changes["cooled_gb_month"] = _cooled(
            values["cooled_gb_month"], len(storage.cools_after), f"{where}.cooled_gb_month"
        )
    return replace(storage, **changes)


def _check_names(values: Iterable[str], known: Iterable[str], where: str) -> None:
    names = list(known)
    for name in values:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(
                f"{where}{name}: there is no such price{meant} expected one of {', '.join(names)}"
            )


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} = {value!r}: expected a table of prices")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise SettingsError(f"{where} = {value!r}: expected one line of text")
    return value


def _price(value: Any, where: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not isfinite(value)
        or value < 0
    ):
        raise SettingsError(f"{where} = {value!r}: expected a number of dollars, 0 or more")
    return float(value)


def _cooled(value: Any, count: int, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise SettingsError(f"{where} = {value!r}: expected a list of {count} prices")
    return tuple(_price(each, where) for each in value)
