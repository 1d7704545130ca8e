"""How large a report's page is, and how long a browser takes to show it: 1,000 accounts, a year and
three log types, drawn and opened.

The browser is a headless Chromium, where there is one. Of the times in it the first is of a browser
that was just started.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.report import Options, Outcome, Table, Target
from tests.support.browser import find_chromium
from tests.support.devtools import open_tab
from tests.support.reports import make_report, make_year

from log_aggregator.reports.evidence.page import render_page

LOG_TYPES = ("CloudTrail", "Config", "vpcflowlogs")
ACCOUNTS, ACCOUNTS_QUICK = (100, 1_000), (100,)
TIMES = 3
SECONDS_MAX = 2.0
SIZE_MB_MAX = 3.0


def measure(options: Options) -> Outcome:
    columns = {
        "accounts": ",d",
        "MB": ".2f",
        "drawn, s": ".2f",
        "opened first, s": ".2f",
        "opened again, s": ".2f",
    }
    table = Table(f"The page of a year of {len(LOG_TYPES)} log types", columns)
    outcome = Outcome([table], is_quick=options.is_quick)
    program = find_chromium()
    for accounts in ACCOUNTS_QUICK if options.is_quick else ACCOUNTS:
        report = make_report(make_year(accounts, LOG_TYPES))
        render_page(report)  # the templates are compiled once
        began = time.perf_counter()
        data = render_page(report)
        drawn = time.perf_counter() - began
        opened = _open(program, data) if program else []
        first, again = (opened[0], min(opened[1:])) if opened else ("no browser", "no browser")
        table.rows.append((accounts, len(data) / 1e6, drawn, first, again))
        name = f"{accounts:,} accounts"
        outcome.targets.append(Target(f"size, {name}", len(data) / 1e6, SIZE_MB_MAX, "MB"))
        if opened:
            outcome.targets.append(Target(f"opening, {name}", opened[0], SECONDS_MAX, "s"))
    outcome.notes.append(
        "Opened: from the address to a picture of the first screen; the rest is laid out when it "
        "is scrolled to."
    )
    return outcome


def _open(program: str, data: bytes) -> list[float]:
    """Seconds, each time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "report.html"
        page.write_bytes(data)
        with open_tab(program, folder) as tab:
            return [tab.open(page) for _ in range(TIMES)]
