"""Makes the pages of docs/reference/ from the code: `make docs`. tests/unit/test_docs.py holds the
two together.
"""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path

from reference_pages.command_line import make_command_line
from reference_pages.errors import make_errors
from reference_pages.functions import make_functions
from reference_pages.json_fields import make_json
from reference_pages.layouts import make_layouts
from reference_pages.limits import make_limits
from reference_pages.metrics import make_metrics
from reference_pages.parameters import make_parameters
from reference_pages.prices import make_prices
from reference_pages.python_api import make_python
from reference_pages.servers import make_servers
from reference_pages.settings import make_settings
from reference_pages.standards import make_standards
from reference_pages.terms import make_terms

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = (
    "<!-- Made by `make docs` from the code. Do not edit: change docs/reference_pages/ or the "
    "code. -->"
)
MAKERS = {
    "settings.md": make_settings,
    "parameters.md": make_parameters,
    "functions.md": make_functions,
    "metrics.md": make_metrics,
    "command-line.md": make_command_line,
    "layouts.md": make_layouts,
    "errors.md": make_errors,
    "json.md": make_json,
    "limits.md": make_limits,
    "prices.md": make_prices,
    "python.md": make_python,
    "servers.md": make_servers,
    "standards.md": make_standards,
    "terms.md": make_terms,
}


def main() -> None:
    """Writes all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in make_pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def make_pages() -> dict[str, str]:
    """Every page's name and text."""
    return {name: "\n".join([NOTE, "", *make()]).rstrip() + "\n" for name, make in MAKERS.items()}


if __name__ == "__main__":
    main()
