"""The site in a real browser, from a plain server of files, without any other host. Skipped where
there is no browser.

These take seconds: a browser is started.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.site.building import Built
from tests.support.browser import find_chromium
from tests.support.devtools import Tab, open_tab
from tests.support.waiting import wait_until

WIDE, PHONE = 1300, 390
WIDEST = """
[...document.querySelectorAll('.bd-article *')].filter(each =>
  each.getBoundingClientRect().right > innerWidth
  && !each.closest('pre, .pst-scrollable-table-container')).map(each => each.outerHTML)
"""
"""What reaches out of the screen, and does not scroll inside of itself."""


class Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A page that is left breaks off what it has asked for."""


@pytest.fixture(scope="module")
def address(site: Built) -> Iterator[str]:
    handler = functools.partial(Files, directory=f"{site.folder}")
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with open_tab(program, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Tab:
    show(browser)
    return browser


def show(tab: Tab, width: int = WIDE, scheme: str = "light") -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    tab.ask("Emulation.setEmulatedMedia", features=[feature])
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    tab.ask("Emulation.setDeviceMetricsOverride", **size)


def follow(tab: Tab, action: str) -> None:
    """Does what leads to another page, and waits until that is loaded. What is asked meanwhile is
    answered by the browser: a page that goes may never answer.
    """
    tab.events.clear()
    tab.evaluate(action)

    def is_loaded() -> bool:
        tab.ask("Page.getFrameTree")
        return any(each["method"] == "Page.loadEventFired" for each in tab.events)

    wait_until(is_loaded)


def title(tab: Tab) -> str:
    found: str = tab.evaluate("document.querySelector('h1').firstChild.textContent")
    return found


def test_the_front_page(tab: Tab, address: str, version: str) -> None:
    """The root leads to it; everything that it asks for comes from here, and is there."""
    front = f"{address}/{version}/README.html"
    tab.ask("Page.navigate", url=f"{address}/")
    wait_until(lambda: tab.ask("Page.getFrameTree")["frameTree"]["frame"]["url"] == front)
    tab.open(front)
    assert title(tab) == "Control Tower Log Aggregator"
    assert tab.evaluate("document.querySelector('.bd-article img').naturalWidth") > 0
    answers = [
        each["params"] for each in tab.events if each["method"] == "Network.responseReceived"
    ]
    urls = [each["response"]["url"] for each in answers]
    assert len(urls) > 5
    assert all(url.startswith((address, "data:")) for url in urls)
    assert not [each for each in tab.events if each["method"] == "Network.loadingFailed"]


def test_sections_are_folded(tab: Tab, address: str, version: str) -> None:
    """Except for the one of this page."""
    tab.open(f"{address}/{version}/docs/how-to/thaw-packs.html")
    opened = "[...document.querySelectorAll('.bd-sidebar-primary .toctree-l0 details[open]')]"
    assert tab.evaluate(f"{opened}.map(each => each.querySelector('.caption').innerText)") == [
        "Find logs, and get them back"
    ]
    here = "document.querySelector('.bd-sidebar-primary [aria-current=page]').innerText"
    assert tab.evaluate(here) == "Thaw packs"


def test_searching(tab: Tab, address: str, version: str) -> None:
    """Typed on any page; a result opens."""
    tab.open(f"{address}/{version}/docs/how-to/deploy.html")
    tab.evaluate("document.querySelector('form.bd-search input').value = 'thaw'")
    follow(tab, "document.querySelector('form.bd-search').submit()")
    found = "document.querySelector('#search-results a[href*=thaw-packs]')"
    wait_until(lambda: tab.evaluate(f"!!{found}"))
    follow(tab, f"{found}.click()")
    assert title(tab) == "Thaw packs"


def test_on_a_phone(tab: Tab, site: Built, address: str) -> None:
    """No page scrolls sideways: tables and code do, inside of themselves."""
    show(tab, PHONE)
    for file in sorted(site.folder.rglob("docs/**/*.html")):
        page = file.relative_to(site.folder).as_posix()
        tab.open(f"{address}/{page}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE, page
        assert tab.evaluate(WIDEST) == [], page


def test_every_page_can_be_reached_on_a_phone(tab: Tab, address: str, version: str) -> None:
    show(tab, PHONE)
    tab.open(f"{address}/{version}/README.html")
    shown = "document.querySelector('#pst-primary-sidebar-modal').open"
    assert not tab.evaluate(shown)
    tab.evaluate("document.querySelector('.primary-toggle').click()")
    wait_until(lambda: tab.evaluate(shown))
    link = "#pst-primary-sidebar-modal a[href$='how-to/rehearse.html']"
    follow(tab, f"document.querySelector({json.dumps(link)}).click()")
    assert title(tab) == "Rehearse"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark(tab: Tab, address: str, version: str, scheme: str, dark: bool) -> None:
    """As the reader's system is; the paper of pictures stays white, so that they can be read."""
    show(tab, scheme=scheme)
    tab.open(f"{address}/{version}/README.html")
    color = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(color.partition("(")[2].partition(",")[0])
    assert (red < 64) == dark
    paper = "getComputedStyle(document.querySelector('.bd-article img')).filter"
    assert tab.evaluate(paper) == ("brightness(0.9)" if dark else "none")


def test_without_scripts(tab: Tab, address: str, version: str) -> None:
    """The text, the navigation and the list of versions are there all the same."""
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(f"{address}/{version}/docs/how-to/thaw-packs.html")
        text = tab.evaluate("document.body.innerText")
    finally:
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert "Thaw packs" in text
    assert "Get logs back" in text
    assert version in text
