"""`--prices`: prices that replace the built-in ones."""

from __future__ import annotations

from pathlib import Path

from log_aggregator.core.costs import PRICES, Prices
from log_aggregator.core.costs.overrides import override_prices
from log_aggregator.errors import SettingsError
from log_aggregator.settings import read_toml


def read_prices(path: Path | None) -> Prices:
    """The built-in prices with those of a file on top. Raises SettingsError."""
    if path is None:
        return PRICES
    values = read_toml(path, "--prices")
    try:
        return override_prices(PRICES, values)
    except SettingsError as error:
        raise SettingsError(f"--prices {path}: {error}") from None
