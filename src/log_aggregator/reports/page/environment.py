"""Makes a page of its template and its figures.

A page is one file, light or dark as the reader's system is, and prints. Its policy forbids the
browser to load anything, and to run any script: there is none in it, so none that somebody else put
into a key can run. Of styles only ours may apply, by its hash.

All text is escaped twice on its way into a template: what acts on a terminal or does not show is
written out (`escapes`), and then what HTML takes for its own. No template marks a value as safe.
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
    # Jinja takes as long to import as all the rest of a command, and most make no page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finish(value: Any) -> Any:
        return value if isinstance(value, Markup) else escape(str(value))

    def draw(lines: Iterable[str]) -> Markup:
        """A plot of ours, whose texts are escaped already."""
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
    """https://www.w3.org/TR/CSP3/#strict-csp: nothing is loaded, nothing runs, and the one style
    that applies is this.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
