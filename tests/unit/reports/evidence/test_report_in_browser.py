"""The page of a report in a real browser: nothing runs, nothing is fetched, and it is readable in
light and dark mode, on paper, without scripts and by a screen reader.

Skipped if there is no browser. These take seconds: a browser is started.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.browser import Chromium, Image, find_chromium
from tests.support.devtools import Tab, open_tab
from tests.support.hostile import HARM
from tests.support.reports import make_report, make_year
from tests.unit.reports.evidence.test_report_page import HOSTILE, make_hostile_report

from log_aggregator.reports.evidence.page import render_page

LIGHT, DARK = (0xFC, 0xFC, 0xFB), (0x19, 0x19, 0x18)
BAD = {(0xB3, 0x12, 0x1D), (0xFF, 0x7B, 0x72)}
SENTINELS = {
    "the title": "document.title.includes('owned') || document.title === '1'",
    "elements": "document.querySelectorAll('script, img, iframe, object, form, base, link').length",
    "attributes": "[...document.querySelectorAll('*')].some(each => [...each.attributes].some("
    "one => one.name.startsWith('on') || /^\\s*javascript:/i.test(one.value)))",
}
"""What would show that text got out."""


@pytest.fixture(scope="module")
def program() -> str:
    found = find_chromium()
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    return found


@pytest.fixture(scope="module")
def tab(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with open_tab(program, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "report.html"
    file.write_bytes(render_page(make_report(make_year(20, ("CloudTrail", "Config")))))
    return file


def requests(tab: Tab) -> list[str]:
    sent = [each for each in tab.events if each["method"] == "Network.requestWillBeSent"]
    return [each["params"]["request"]["url"] for each in sent]


def complaints(tab: Tab) -> list[str]:
    """Refusals by the policy and other errors."""
    return [
        each["params"]["entry"]["text"] for each in tab.events if each["method"] == "Log.entryAdded"
    ]


def test_hostile_text_does_nothing(tab: Tab, tmp_path: Path) -> None:
    """It runs no script, adds no element and requests nothing; it appears as text."""
    file = tmp_path / "hostile.html"
    plain = tmp_path / "plain.html"
    plain.write_bytes(render_page(make_hostile_report("plain")))
    tab.open(plain)
    elements = tab.evaluate("document.querySelectorAll('*').length")
    for text in (*HOSTILE, "".join(f"q{char}z" for char in HARM)):
        file.write_bytes(render_page(make_hostile_report(text)))
        tab.open(file)
        assert not [name for name, each in SENTINELS.items() if tab.evaluate(each)], text
        assert tab.evaluate("document.querySelectorAll('*').length") == elements, text
        assert requests(tab) == [file.as_uri()]
        assert not [each for each in tab.events if each["method"] == "Runtime.consoleAPICalled"]
        assert complaints(tab) == []
    file.write_bytes(render_page(make_hostile_report(HOSTILE[0])))
    tab.open(file)
    assert HOSTILE[0] in tab.evaluate("document.body.textContent")


def test_the_policy_blocks_scripts(tab: Tab, tmp_path: Path) -> None:
    """The policy forbids a script even if one got into the page, and foreign styles too."""
    data = render_page(make_report(None))
    more = b"<script>document.title='owned'</script><p style='color:red' id='own'>x</p></main>"
    file = tmp_path / "scripted.html"
    file.write_bytes(data.replace(b"</main>", more))
    tab.open(file)
    assert tab.evaluate("document.title").startswith("Evidence")
    assert len(complaints(tab)) == 2
    assert (
        tab.evaluate("getComputedStyle(document.getElementById('own')).color") != "rgb(255, 0, 0)"
    )


def test_the_policy_allows_our_style(tab: Tab, page: Path) -> None:
    """Its hash is right: otherwise the page would have no style."""
    tab.open(page)
    assert complaints(tab) == []
    assert tab.evaluate("getComputedStyle(document.querySelector('.days')).height") == "12px"


def test_a_screen_reader_gets_all_information(tab: Tab, page: Path) -> None:
    """It reads headings, table names, and row and column headers; strips are skipped, because the
    words next to them say the same.
    """
    tab.open(page)
    told = tab.read_accessibility()
    names = {(role, name) for role, name in told}
    assert ("heading", "Is it complete?") in names
    assert ("region", "Can it be recovered?") in names
    assert ("navigation", "In short") in names
    assert ("table", "Coverage of CloudTrail") in names
    assert ("rowheader", "100000000000") in names
    assert any(role == "columnheader" and "2025-01-01 to" in name for role, name in told)
    assert any("1 missing, 3 hole" in name for _, name in told)
    assert not [role for role, _ in told if role in ("SvgRoot", "img", "image", "graphics-symbol")]
    tables = [name for role, name in told if role == "table"]
    assert all(tables)


def test_the_page_has_no_scripts(tab: Tab, page: Path) -> None:
    """The page has no scripts."""
    tab.open(page)
    shown = tab.evaluate("document.body.innerText")
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)
        assert tab.evaluate("document.body.innerText") == shown
    finally:
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_supported(tab: Tab, page: Path, scheme: str) -> None:
    """The page follows the reader's system; missing days stand out in both schemes."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    tab.ask("Emulation.setEmulatedMedia", features=[feature])
    try:
        tab.open(page)
        image = Image.read(tab.shoot(".legend .d8"))
    finally:
        tab.ask("Emulation.setEmulatedMedia", features=[])
    assert image.rows[0][0] == (DARK if scheme == "dark" else LIGHT)
    assert BAD & image.colors


def test_nothing_is_wider_than_the_screen(tab: Tab, page: Path) -> None:
    """On a small screen tables scroll inside themselves."""
    for width in (1100, 390):
        tab.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        tab.open(page)
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
    tab.ask("Emulation.clearDeviceMetricsOverride")


def test_the_page_can_be_printed(program: str, page: Path, tmp_path: Path) -> None:
    """It prints on several pages."""
    pdf = Chromium(program, tmp_path).print(page)
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") > 1
