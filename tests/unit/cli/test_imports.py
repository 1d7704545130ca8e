"""What a command imports: by module names, regardless of the time it takes."""

from __future__ import annotations

import functools
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import click
import pytest

from log_aggregator.cli import commands
from log_aggregator.cli.commands import COMMANDS

SECONDS_MAX = 120

CALL = """
import json
from log_aggregator.cli import commands
for words in {words}:
    commands.main(words, prog_name="log-aggregator", standalone_mode=False)
"""

CONNECT = """
import log_aggregator.cli.find
from log_aggregator.wiring import Connection, connect
connect(Connection(None, "eu-west-1", "http://127.0.0.1:9", "key", "secret"))
"""

CLIENTS = """
import click, botocore.session, pycurl
botocore.session.Session().create_client("s3", region_name="eu-west-1")
"""

SHOW_BAR = """
from log_aggregator.cli.progress.counting import show_bar
with show_bar("verifying", 3) as show:
    show(1)
"""


def modules_after(script: str, err: int | IO[bytes] = subprocess.PIPE) -> set[str]:
    """The modules imported when the script ends. It sees no AWS configuration."""
    here = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys\nprint(chr(0), *sys.modules)"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=err,
        timeout=SECONDS_MAX,
        env=here | {"TERM": "xterm"},
    )
    return set(done.stdout.decode().rpartition("\0")[2].split())


@functools.cache
def modules_of_python() -> set[str]:
    """The modules present without us: the standard library, and what this environment adds."""
    return modules_after("pass") | sys.stdlib_module_names


def packages(modules: set[str]) -> set[str]:
    """The top-level names of third-party packages."""
    known = {name.partition(".")[0] for name in modules_of_python()}
    return {name.partition(".")[0] for name in modules} - known - {"log_aggregator"}


def rooms(modules: set[str]) -> set[str]:
    """Our own packages, and the subpackages of the steps."""
    own = (name.split(".")[1:] for name in modules if name.startswith("log_aggregator."))
    return {".".join(parts[: 2 if parts[0] == "steps" else 1]) for parts in own} - {"steps"}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_list_of_commands_imports_no_command(option: str) -> None:
    """It imports neither a command's modules nor any package but click."""
    modules = modules_after(CALL.format(words=[[option]]))
    assert packages(modules) == {"click"}
    assert rooms(modules) == {"cli", "errors", "escapes", "signals"}


def helps() -> Iterator[list[str]]:
    """`--help` of every command and group except the lab's."""
    for name, row in COMMANDS.items():
        if row.place.startswith("log_aggregator."):
            command = commands.get_command(click.Context(commands), name)
            yield [name, "--help"]
            if isinstance(command, click.Group):
                yield from ([name, inner, "--help"] for inner in command.commands)


def test_a_help_text_imports_no_client() -> None:
    """Only commands that talk to AWS import the client, so help and wrong options answer fast.
    zlib-ng and msgspec are small C modules; msgspec imports typing-extensions if present.
    """
    asked = list(helps())
    assert ["index", "rebuild", "--help"] in asked
    found = packages(modules_after(CALL.format(words=asked))) - {"typing_extensions"}
    assert found == {"click", "zlib_ng", "msgspec"}


def test_find_imports_only_what_it_uses() -> None:
    """Once connected it has imported clients and index readers, and no code that packs, thaws,
    estimates or draws bars.
    """
    modules = modules_after(CONNECT)
    clients = modules_after(CLIENTS)
    assert packages(modules) == packages(clients)
    assert rooms(modules) == {
        *("adapters", "cli", "core", "errors", "escapes", "limits", "model", "ports", "reports"),
        *("settings", "wiring"),
        *("steps.conditions", "steps.job", "steps.packs", "steps.retrieval", "steps.rules"),
        *("signals", "steps.workers"),
    }
    seldom = ("core.costs", "core.inventory", "core.custody", "ports.account", "steps.packing")
    assert not [name for name in modules if name.startswith(seldom, len("log_aggregator."))]


def test_progress_bars_are_imported_only_on_terminals() -> None:
    """rich, which draws them, is imported only where standard error is a terminal."""
    terminal, its_end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as err:
            assert "rich" in packages(modules_after(SHOW_BAR, err))
        assert b"verifying" in screen.read(4096)
    assert packages(modules_after(SHOW_BAR)) == {"click"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_matches_their_help(name: str) -> None:
    """The table repeats the first sentence of the command's help, because the list imports
    nothing.
    """
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert COMMANDS[name].help == command.get_short_help_str(limit=1000)
