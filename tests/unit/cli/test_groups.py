"""The lists of commands can be read to their ends."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from log_aggregator.cli import commands


@pytest.mark.parametrize("group", [[], ["custody"], ["index"], ["layouts"]], ids=str)
def test_no_text_of_a_command_is_cut_off(group: list[str]) -> None:
    done = CliRunner().invoke(commands, [*group, "--help"])
    assert done.exit_code == 0
    assert "\nCommands:\n" in done.output
    assert "..." not in done.output.partition("\nCommands:\n")[2]


def test_the_list_says_that_a_run_keeps_originals() -> None:
    listed = " ".join(CliRunner().invoke(commands, ["--help"]).output.split())
    assert "verify the packs; delete the originals only if told to" in listed
