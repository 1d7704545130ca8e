"""The page of a report: complete, harmless, self-contained, and every figure links to its
record.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from tests.support.hostile import HARM
from tests.support.reports import (
    FIRST,
    SHA256,
    make_calendar,
    make_check,
    make_drill,
    make_place,
    make_protection,
    make_proven,
    make_record,
    make_report,
    make_year,
)

from log_aggregator.core.evidence.at_rest import Verdict
from log_aggregator.core.evidence.calendar import DayState, Gap, GapKind, RowName
from log_aggregator.core.evidence.standards import REQUIREMENTS, Section
from log_aggregator.ports.account import LifecycleRule, ObjectLock
from log_aggregator.reports.evidence.page import render_page
from log_aggregator.steps.custody.once import Finding
from log_aggregator.steps.evidence.report import Answer, Place, Protection, Report

VOID = frozenset({"meta", "br"})
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script></style></title></svg></table><img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "' onmouseover='document.title=1' autofocus onfocus='document.title=1",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}{% raw %}&lt;&#60;script&#62;",
    "\u2028\u2029\u202e\x00\x1b[2J]]>--><!--",
)


class Page(HTMLParser):
    """Fails on an element that is not closed, or closed without being open."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


def make_full_report() -> Report:
    return make_report(make_year(3, ("CloudTrail", "Config")))


def make_hostile_report(text: str) -> Report:
    """A report with hostile text wherever text from outside can occur."""
    name = RowName(text, text, text)
    gap = Gap(GapKind.MISSING, name, FIRST, 2, 1, samples=(text,), text=text)
    calendar = make_calendar([(name, bytes([DayState.MISSING]))], [gap], [text])
    records = [
        make_record(3, key=text, run=text, drill=replace(make_drill(), sample_key=text)),
        make_record(2, at_rest=make_check(Verdict.DAMAGED, text)),
        make_record(1, sha256=text, problem=text, kind=None, days=None, ended=None),
    ]
    rule = LifecycleRule(text, text, expiration_days=9)
    protection = replace(
        make_protection(), lock=Answer(None, text), lifecycle=Answer((rule,), text)
    )
    return make_report(
        calendar, make_place(records, protection, [Finding(text, text)]), signed(text)
    )


def signed(text: str) -> Place:
    """A place with its own bucket and a whole chain."""
    return make_place(proven=make_proven(text))


def test_all_parts_are_present() -> None:
    """Each part has its title, its tables and what standards require."""
    page = Page(render_page(make_full_report()))
    for section in Section:
        assert section.value in page.values("id")
    for row in REQUIREMENTS:
        assert row.text in page.text
        assert row.url in page.values("href")
    for words in (
        *("Is it complete?", "Is it unaltered?", "Can it be recovered?", "What was saved"),
        *("299 of 1,000,000", "95% sure that fewer than 1% of all members are bad"),
        *("New objects are locked in COMPLIANCE mode for 365 days.", "3 of 12 log files"),
        SHA256,
    ):
        assert words in page.text


def test_figures_link_to_their_records() -> None:
    """No link is dead, and no anchor occurs twice."""
    page = Page(render_page(make_full_report()))
    anchors = page.values("id")
    assert len(anchors) == len(set(anchors))
    inside = [href for href in page.values("href") if href.startswith("#")]
    assert {href[1:] for href in inside} <= set(anchors)
    assert {"#record-0-3", "#record-0-2"} <= set(inside)
    assert any(href.startswith("#gap-") for href in inside)


def test_nothing_is_loaded_and_no_script_runs() -> None:
    """The page has no script, inline style or address to fetch, and the policy forbids them all."""
    data = render_page(make_full_report())
    page = Page(data)
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "srcset", "xlink:href", "action", "data", "style"}
    assert not [name for name in names if name.startswith("on")]
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "form", "base"}
    [policy] = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert not re.search(rb"url\(|@import", data)
    assert all(href.startswith(("#", "https://")) for href in page.values("href"))


def test_text_from_outside_is_escaped() -> None:
    """It never becomes an element or attribute, wherever it occurs, and stays readable."""
    plain = Page(render_page(make_hostile_report("plain")))
    for text in (*HOSTILE, *(f"q{char}z" for char in HARM)):
        data = render_page(make_hostile_report(text))
        page = Page(data)
        assert page.tags == plain.tags, text
        assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}
        assert "owned" not in " ".join(page.values("href"))
        assert not [char for char in data.decode() if not char.isprintable() and char != "\n"]
    assert HOSTILE[0] in Page(render_page(make_hostile_report(HOSTILE[0]))).text


def test_unknown_things_are_called_unknown() -> None:
    """The page says what was not looked at, not answered or not made yet."""
    why = "AccessDenied: not you"
    lock: Answer[ObjectLock] = Answer(None, why)
    nothing = Protection(
        lock, Answer(None, why), Answer(None, why), Answer(None, why), Answer(None, why)
    )
    page = Page(render_page(make_report(None, make_place([], nothing))))
    assert page.text.count("unknown: AccessDenied: not you") == 5
    assert "Coverage was not checked" in page.text
    assert "There has been no drill yet; log-aggregator drill runs one." in page.text
    assert "There are no custody records." in page.text
    assert "✓" not in page.text


def test_the_same_report_gives_the_same_bytes() -> None:
    """A bundle can therefore hold the page and name its hash."""
    assert render_page(make_full_report()) == render_page(make_full_report())


def test_a_thousand_accounts_fit_into_two_megabytes() -> None:
    """The page covers a year of three log types."""
    data = render_page(make_report(make_year(1_000, ("CloudTrail", "Config", "vpcflowlogs"))))
    assert len(data) < 2_500_000
