"""Makes docs/pictures/architecture.svg and state-machine.svg from template.yaml and statemachines/:
`make docs`.
"""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path

from picture_parts.architecture import draw_architecture
from picture_parts.state_machine import draw_state_machines
from reference_pages.template import load_definition, load_template, state_machines_of

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    """Writes both."""
    for name, text in make_pictures().items():
        (PICTURES / name).write_text(text, encoding="utf-8")


def make_pictures() -> dict[str, str]:
    """Each picture's name and text."""
    template = load_template()
    definitions = {
        name: load_definition(ROOT / found["Properties"]["DefinitionUri"])
        for name, found in state_machines_of(template).items()
    }
    return {
        "architecture.svg": draw_architecture(template),
        "state-machine.svg": draw_state_machines(definitions),
    }


if __name__ == "__main__":
    main()
