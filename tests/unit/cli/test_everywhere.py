"""What every command has: variables, defaults, an example, -q, -v, --log-file, and completion."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import click
import pytest
from tests.support.world import DAY, World, document, make_world, trail_key
from tests.unit.cli.calls import every_command
from tests.unit.cli.conftest import Command

from log_aggregator.cli import commands
from log_aggregator.cli.commands import COMMANDS
from log_aggregator.cli.completion import SHELLS
from log_aggregator.cli.everywhere import complete_command
from log_aggregator.cli.examples import EXAMPLES
from log_aggregator.cli.printing import Results
from log_aggregator.cli.variables import variable_of
from log_aggregator.handlers import entry
from log_aggregator.settings import SETTINGS

SECONDS_MAX = 120
BEGIN = """
import sys
sys.argv[0] = "log-aggregator"
from log_aggregator.__main__ import main
main()
"""


LEAVES = dict(every_command())


def options_of(name: str) -> list[click.Option]:
    return [each for each in LEAVES[name].params if isinstance(each, click.Option)]


def packed() -> World:
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    return world


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_has_a_variable_and_a_default(name: str) -> None:
    """Each option has a variable named by the rule, and unless it is a switch its help states the
    default.
    """
    for option in options_of(name):
        assert re.fullmatch(r"(LOG_AGGREGATOR|AWS)_[A-Z0-9_]+", variable_of(option)), option.opts
        help_text = option.help or ""
        assert (
            option.is_flag
            or option.required
            or option.show_default
            or re.search(r"Left out|Required|Default: ", help_text)
        ), f"{name} {option.opts}: what holds without it?"


def test_each_variable_has_one_meaning() -> None:
    """Commands share a variable only for options of one name, and a setting's variable is that of
    the Lambda functions.
    """
    meanings = defaultdict(set)
    for name in LEAVES:
        for option in options_of(name):
            meanings[variable_of(option)].add(max(option.opts, key=len))
    assert {variable: names for variable, names in meanings.items() if len(names) > 1} == {}
    assert {f"{entry.PREFIX}{row.name.upper()}" for row in SETTINGS if row.on_command_line} <= set(
        meanings
    )


@pytest.mark.parametrize("name", LEAVES)
def test_every_example_in_a_help_text_is_valid(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command accepts the words that its example shows."""
    monkeypatch.chdir(tmp_path)  # one of them is --log-file
    text = f"{LEAVES[name].help}\n{LEAVES[name].epilog}"
    found = re.findall(rf"^ *log-aggregator ({name}.*)$", text, re.MULTILINE)
    assert found
    for line in found:
        words = shlex.split(re.split(r" [|>] ", line)[0])[len(name.split()) :]
        with click.Context(commands) as root:
            LEAVES[name].make_context(name, list(words), parent=root)
    Results.begin()


def test_every_example_belongs_to_a_command() -> None:
    assert set(EXAMPLES) <= set(LEAVES)


def test_options_beat_variables_and_variables_beat_the_file(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = packed()
    settings = tmp_path / "s.toml"
    settings.write_text('destination_bucket = "of-the-file"\n', encoding="utf-8")
    monkeypatch.setenv("LOG_AGGREGATOR_CONFIG", str(settings))
    monkeypatch.setenv("LOG_AGGREGATOR_FIND_DATE", str(DAY))
    assert command(world, "find").code == 0  # "dest" is typed
    done = command(world, "find", place=())
    assert (done.code, "of-the-file" in done.err) == (3, True)
    monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_BUCKET", "dest")
    assert command(world, "find", place=()).code == 0
    monkeypatch.setenv("LOG_AGGREGATOR_FIND_DATE", "2025-01-01")
    assert command(world, "find", place=()).code == 1


def test_the_json_variable_applies_to_errors(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_AGGREGATOR_JSON", "1")
    assert b'"error": "NoSuchOriginal"' in command(make_world(), "find", "--date", str(DAY)).out


def test_quiet_prints_only_errors_and_warnings(command: Command) -> None:
    world = packed()
    found = command(world, "find", "--date", str(DAY))
    quiet = command(world, "find", "--date", str(DAY), "-q")
    assert (found.out, found.err != "", quiet.err) == (quiet.out, True, "")
    assert "nothing found" in command(world, "find", "--date", "2025-01-01", "-q").err
    assert "Warning: " in command(world, "put-back", "--date", str(DAY), "-q").err


def test_verbose_prints_every_request(command: Command) -> None:
    """The next command in the same process is not verbose."""
    world = packed()
    done = command(world, "find", "--date", str(DAY), "-v")
    assert re.search(r"^ListObjectsV2 s3://dest/\S* done, \d+ ms$", done.err, re.MULTILINE)
    assert "ListObjectsV2" not in command(world, "find", "--date", str(DAY)).err


def test_a_log_file_gets_every_message(command: Command, tmp_path: Path) -> None:
    """The log file has timestamps, even for a quiet command; it is appended to and only its owner
    can read it.
    """
    world, log = packed(), tmp_path / "log"
    for date in (str(DAY), "2025-01-01"):
        command(world, "find", "--date", date, "-q", "--log-file", str(log))
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 .", line) for line in lines)
    assert [line[30:] for line in lines if "log-aggregator find" in line] == [
        f"log-aggregator find --date {date} -q --log-file {log} --destination-bucket dest"
        for date in (DAY, "2025-01-01")
    ]
    assert "index read" in lines[1]
    assert any("nothing found" in line for line in lines)
    assert log.stat().st_mode & 0o077 == 0


def test_an_unwritable_log_file_is_refused(command: Command, tmp_path: Path) -> None:
    done = command(make_world(), "find", "--date", str(DAY), "--log-file", str(tmp_path))
    assert (done.code, "--log-file" in done.err) == (2, True)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_a_script_for_the_shell(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["log-aggregator", "completion", shell])
    assert commands.main(["completion", shell], standalone_mode=False) == 0
    out = capsys.readouterr().out
    assert f"_LOG_AGGREGATOR_COMPLETE={shell}_complete" in out
    assert "log-aggregator" in out


def complete(*words: str) -> list[str]:
    """Ask for completions as bash does, in a new process."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            BEGIN,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env=dict(os.environ)
        | {
            "_LOG_AGGREGATOR_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["log-aggregator", *words]),
            "COMP_CWORD": str(len(words)),
        },
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_and_options_are_completed() -> None:
    """Commands complete, and so do a command's options, including those that every command has."""
    assert set(COMMANDS) == set(complete(""))
    assert complete("valid") == ["validate-cloudtrail"]
    assert complete("find", "--log-f") == ["--log-file"]


@pytest.mark.parametrize(("no_color", "is_bold"), [(None, True), ("1", False)])
def test_no_color_removes_colours(no_color: str | None, is_bold: bool) -> None:
    """NO_COLOR (https://no-color.org) also turns off bold."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    terminal, its_end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as out:
            subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "from log_aggregator.cli.printing import print_heading; print_heading('x')",
                ],
                check=True,
                stdout=out,
                timeout=SECONDS_MAX,
                env=environment | ({"NO_COLOR": no_color} if no_color else {}),
            )
        assert (b"\x1b[" in screen.read(4096)) is is_bold


def test_a_commands_own_epilog_stays() -> None:
    """A command may bring its own examples; the rule of the variables follows them once."""
    command = click.Command("own", epilog="Its own words.")
    for _ in range(2):
        complete_command(["own"], command)
    assert command.epilog is not None
    assert command.epilog.startswith("Its own words.\n\nEnvironment variables: ")
    assert command.epilog.count("LOG_AGGREGATOR_OWN_OPTION") == 1
    assert [option.name for option in command.params] == ["quiet", "verbose", "log_file"]
