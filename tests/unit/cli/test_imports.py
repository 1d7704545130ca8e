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
    """What has been imported when the script is done. It sees no configuration of AWS."""
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
    """What is there without us: the standard library, and what this environment adds."""
    return modules_after("pass") | sys.stdlib_module_names


def packages(modules: set[str]) -> set[str]:
    """What others have written, by its topmost name."""
    known = {name.partition(".")[0] for name in modules_of_python()}
    return {name.partition(".")[0] for name in modules} - known - {"log_aggregator"}


def rooms(modules: set[str]) -> set[str]:
    """What we have written, by room, and by the room's rooms in the steps."""
    own = (name.split(".")[1:] for name in modules if name.startswith("log_aggregator."))
    return {".".join(parts[: 2 if parts[0] == "steps" else 1]) for parts in own} - {"steps"}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_list_of_commands_needs_none_of_them(option: str) -> None:
    """Neither what a command is made of, nor any package but click."""
    modules = modules_after(CALL.format(words=[[option]]))
    assert packages(modules) == {"click"}
    assert rooms(modules) == {"cli", "errors", "escapes", "signals"}


def helps() -> Iterator[list[str]]:
    """`--help` of every command but the lab's, those of groups included."""
    for name, row in COMMANDS.items():
        if row.place.startswith("log_aggregator."):
            command = commands.get_command(click.Context(commands), name)
            yield [name, "--help"]
            if isinstance(command, click.Group):
                yield from ([name, inner, "--help"] for inner in command.commands)


def test_a_help_text_connects_to_nothing() -> None:
    """Only what talks to AWS imports what does it; so a wrong option is told at once, too. zlib-ng
    and msgspec are small modules in C; the latter takes typing-extensions where it is there.
    """
    asked = list(helps())
    assert ["index", "rebuild", "--help"] in asked
    found = packages(modules_after(CALL.format(words=asked))) - {"typing_extensions"}
    assert found == {"click", "zlib_ng", "msgspec"}


def test_find_imports_what_it_uses() -> None:
    """When it is connected: clients, and what reads indexes; nothing that packs, thaws, estimates
    or shows bars.
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


def test_bars_are_for_terminals() -> None:
    """rich, which draws them, is imported where standard error is a terminal, and nowhere else."""
    terminal, its_end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as err:
            assert "rich" in packages(modules_after(SHOW_BAR, err))
        assert b"verifying" in screen.read(4096)
    assert packages(modules_after(SHOW_BAR)) == {"click"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    """The first sentence of its help; it stands in the table because the list imports nothing."""
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert COMMANDS[name].help == command.get_short_help_str(limit=1000)
