"""Makes a page from its template and its figures.

A page is one file, light or dark like the reader's system, and can be printed. Its content security
policy forbids the browser to load anything and to run scripts. Pages have no scripts, so one that
someone smuggled into a key cannot run. Only our own style applies, identified by its hash.

All text is escaped twice on its way into a template: first control and invisible characters
(`escapes`), and then HTML's own characters. No template marks a value as safe.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from log_aggregator.escapes import escape

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render_template(name: str, **view: Any) -> bytes:
    """The page of a template."""
    return _make_environment().get_template(name).render(**view).encode()


@functools.cache
def _make_environment() -> Environment:
    # Jinja takes as long to import as the rest of a command, and most commands make no page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finish(value: Any) -> Any:
        return value if isinstance(value, Markup) else escape(str(value))

    def draw(lines: Iterable[str]) -> Markup:
        """One of our plots, whose texts are escaped already."""
        return Markup("".join(lines))  # noqa: S704

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finish,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.filters["draw"] = draw
    environment.globals["style"] = Markup(style)  # noqa: S704 - ours
    environment.globals["policy"] = Markup(make_policy(style))  # noqa: S704 - ours
    return environment


def make_policy(style: str) -> str:
    """https://www.w3.org/TR/CSP3/#strict-csp: nothing is loaded, nothing runs, and only this style
    applies.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
