"""`athena-ddl`: the statements that make packs and indexes tables of Amazon Athena."""

from __future__ import annotations

import re

import click

from log_aggregator.cli.options import target_options
from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.core.athena import FLOW_FIELDS, Scope, make_views, render_statements
from log_aggregator.core.athena_terms import render_terms_statements
from log_aggregator.core.times import parse_date
from log_aggregator.errors import SettingsError
from log_aggregator.model import NO_ACCOUNT, Target
from log_aggregator.settings import Settings

LOG_TYPES = ("CloudTrail", "Config", "vpcflowlogs")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,254}")
_ACCOUNT = re.compile(rf"[0-9]{{12}}|{NO_ACCOUNT}")
_FIELD = re.compile(r"[a-z][a-z0-9-]*")
_FOLDER = re.compile(r"(?:[A-Za-z0-9!_.*()-]+/)*[A-Za-z0-9!_.*()-]*")
_HEAD = (
    "-- Tables over packs and their indexes. docs/how-to/query-with-athena.md says what was "
    "tested, and what was not."
)


@click.command("athena-ddl")
@click.option(
    "--database", default="log_archive", show_default=True, help="Name of the database in Athena."
)
@click.option(
    "--log-type",
    "log_types",
    multiple=True,
    default=LOG_TYPES,
    metavar="TYPE",
    help=(
        f"Log type, as packs' keys spell it; may be repeated. Left out: {', '.join(LOG_TYPES)}. "
        "Other log types become tables of raw lines."
    ),
)
@click.option(
    "--source-bucket",
    "source_buckets",
    multiple=True,
    metavar="BUCKET",
    help="Bucket that the log objects were in; may be repeated. Left out: queries must name it.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ACCOUNT",
    help="Account, twelve digits; may be repeated. Left out: queries must name it.",
)
@click.option(
    "--from",
    "from_",
    default="2015-01-01",
    show_default=True,
    metavar="YYYY-MM-DD",
    help="First log date.",
)
@click.option(
    "--folder",
    default="",
    help="The folder in front of packs/, where buckets keep their own packs. Left out: none.",
)
@click.option(
    "--flow-fields",
    default=" ".join(FLOW_FIELDS),
    metavar="FIELDS",
    help="The fields of a custom flow log format, in order. Left out: those of the default format.",
)
@target_options
def athena_ddl(
    settings: Settings,
    database: str,
    log_types: tuple[str, ...],
    source_buckets: tuple[str, ...],
    accounts: tuple[str, ...],
    from_: str,
    folder: str,
    flow_fields: str,
) -> int:
    """Print CREATE TABLE and CREATE VIEW statements for Amazon Athena. Connects to nothing and
    changes nothing.

    The statements have not been run on Athena; the queries were tested on packs with another
    engine.
    """
    if settings.destination_bucket is None:
        raise SettingsError(
            "--destination-bucket: expected the bucket that holds the packs; where it holds those "
            "of its own logs, also --folder"
        )
    _check("--database", [database], _DATABASE, "lower-case letters, digits and _")
    _check("--log-type", log_types, _NAME, "a log type, such as CloudTrail")
    _check("--source-bucket", source_buckets, _NAME, "a bucket's name")
    _check("--account", accounts, _ACCOUNT, f"an account's twelve digits, or {NO_ACCOUNT!r}")
    _check("--folder", [folder], _FOLDER, "a key prefix")
    fields = flow_fields.replace("${", "").replace("}", "").split()
    _check("--flow-fields", fields or [""], _FIELD, "names of fields, separated by spaces")
    root = f"{folder.rstrip('/')}/" if folder else ""
    scope = Scope(
        Target(settings.destination_bucket, root),
        database,
        parse_date("--from", from_),
        source_buckets,
        accounts,
    )
    print_line(_HEAD)
    types = list(dict.fromkeys(log_types))
    views = make_views(scope, types, fields)
    for statement in (*render_statements(scope, views), *render_terms_statements(scope, types)):
        print_lines(["", *statement.split("\n")])
    return 0


def _check(
    option: str, values: list[str] | tuple[str, ...], allowed: re.Pattern[str], what: str
) -> None:
    for value in values:
        if not allowed.fullmatch(value):
            raise SettingsError(f"{option} {value!r}: expected {what}")
