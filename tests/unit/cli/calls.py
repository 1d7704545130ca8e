"""Every command once, with arguments that work where something is packed."""

from __future__ import annotations

from collections.abc import Iterator

import click
from tests.support.signing import key_file
from tests.support.world import DAY

from log_aggregator.cli import commands
from log_aggregator.cli.commands import COMMANDS

DATE = ("--date", str(DAY))
SOURCE = ("--other-buckets", "logs")
CALLS = {
    "run": ("run", *DATE, *SOURCE),
    "plan": ("plan", *DATE, *SOURCE),
    "verify": ("verify", *DATE),
    "validate-cloudtrail": ("validate-cloudtrail", *DATE, "--public-keys", "archive"),
    "coverage": ("coverage", *DATE, *SOURCE),
    "index rebuild": ("index", "rebuild", *DATE),
    "index adopt": ("index", "adopt", "s3://dest/old/", "--log-type", "CloudTrail", *DATE),
    "index terms": ("index", "terms", *DATE, "--again"),
    "index tables": ("index", "tables"),
    "find": ("find", *DATE),
    "search": ("search", "AKIAIOSFODNN7EXAMPLE", *DATE),
    "extract": ("extract", *DATE, "--directory", "out"),
    "evidence": (
        *("evidence", "--account", "111111111111"),
        *("--from", str(DAY), "--to", str(DAY), "--output", "out.zip"),
    ),
    "thaw": ("thaw", *DATE),
    "drill": ("drill",),
    "put-back": ("put-back", *DATE),
    "layouts suggest": ("layouts", "suggest", "logs"),
    "stats": ("stats",),
    "delete": ("delete", "--verified", "--older-than", "0d", "--yes", *DATE, *SOURCE),
    "backfill": ("backfill", "--from", str(DAY), "--to", str(DAY), *SOURCE),
    "status": ("status",),
    "custody verify": ("custody", "verify"),
    "custody sign": ("custody", "sign", "--sign-with", key_file()),
    "custody show": ("custody", "show"),
    "custody trace": ("custody", "trace", "s3://logs/key"),
}
ASKS_NOBODY = {
    "layouts list": ("layouts", "list"),
    "layouts explain": ("layouts", "explain", "key"),
    "athena-ddl": ("athena-ddl", *SOURCE),
    "completion": ("completion", "bash"),
    "iam-policy": ("iam-policy", "--stage", "survey", *SOURCE),
}
OF_ITS_OWN = {
    "doctor": ("doctor", *SOURCE),
    "generate": ("generate",),
    "demo": ("demo",),
    "init": ("init", "--yes"),
    "keep-public-keys": ("keep-public-keys", "keys.json", "--log-region", "eu-west-1"),
    "rehearse": ("rehearse", "--yes"),
    "survey": ("survey", *SOURCE),
    "report": ("report", *SOURCE),
}
"""The first asks through another client, the others make their own; see the integration tests."""


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(commands)
    for name in COMMANDS:
        command = commands.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in command.commands.items())
        elif command is not None:
            yield name, command
