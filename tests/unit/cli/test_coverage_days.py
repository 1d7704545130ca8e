"""Which days `coverage` covers."""

from __future__ import annotations

from datetime import date

import pytest

from log_aggregator.cli.coverage import choose_window
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ((None, None, None), "2026-02-28", "2026-03-30"),
        (("2026-03-14", None, None), "2026-03-14", "2026-03-14"),
        ((None, "2026-03-01", None), "2026-03-01", "2026-03-30"),
        ((None, None, "2026-03-14"), "2026-02-12", "2026-03-14"),
        ((None, "2025-03-01", "2026-03-14"), "2025-03-01", "2026-03-14"),
    ],
    ids=["nothing", "a day", "from", "to", "both"],
)
def test_which_days_are_covered(
    asked: tuple[str | None, str | None, str | None], first: str, last: str
) -> None:
    window = DateWindow(date.fromisoformat(first), date.fromisoformat(last))
    assert choose_window(*asked, TODAY) == window


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (("2026-03-14", "2026-03-01", None), "--date"),
        ((None, "2026-03-14", "2026-03-01"), "--from"),
        ((None, "no day", None), "--from"),
        ((None, None, "2026-04-01"), "--to"),
    ],
    ids=["a day and a range", "turned round", "no day", "the future"],
)
def test_a_mistake_names_its_option(
    asked: tuple[str | None, str | None, str | None], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        choose_window(*asked, TODAY)
