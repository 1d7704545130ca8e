"""`layouts`: which keys are logs, how one is read, and what could be declared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from log_aggregator.cli.groups import Group
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    read_layouts,
    read_settings_for,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.printing import print_json_lines, print_lines, print_report
from log_aggregator.cli.progress.counting import say, show_bar
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import BucketLayouts
from log_aggregator.core.layouts.explain import explain_key
from log_aggregator.core.layouts.pattern import PatternError
from log_aggregator.errors import SettingsError, cannot_start
from log_aggregator.reports.layouts import (
    describe_explanation,
    describe_layouts,
    describe_sample,
    render_explanation,
    render_layouts,
    render_sample,
)
from log_aggregator.steps.bucket_sample import PAGES_MAX, sample_bucket
from log_aggregator.steps.packing.buckets import look_at_bucket
from log_aggregator.wiring import open_job

_KEYS_AT_ONCE = 1000

_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The settings file whose declared layouts count. Left out: aggregator.toml, if there is "
    "one.",
)


@click.group(cls=Group)
def layouts() -> None:
    """Show which keys are logs, how a key is read and why, and what a bucket's logs could be
    declared as.
    """


@layouts.command("list")
@_config_option
@json_option
def list_layouts(config: Path | None, as_json: bool) -> None:
    """Show the whole table: built-in layouts, layouts that the settings declare, and keys that are
    not logs.
    """
    described = describe_layouts(read_layouts(config))
    page_report(described, render_layouts(described), as_json=as_json)


@layouts.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--bucket",
    help="Use only the layouts declared for this bucket. Left out: all declared layouts.",
)
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="A pattern to try, as if it were declared; may be repeated. Left out: none.",
)
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: an object for each key.")
def explain(
    keys: tuple[str, ...],
    bucket: str | None,
    patterns: tuple[str, ...],
    config: Path | None,
    as_json: bool,
) -> None:
    """Show how keys are read, and why: whether a run would pack them, by which layout, and what
    they say. Needs no network.

    KEY is a key without its bucket. Without KEY, or with -, keys are read from standard input, one
    per line.
    """
    declared = _layouts_of(bucket, patterns, config)
    explanations = (explain_key(key, declared) for key in _read_keys(keys))
    while some := list(islice(explanations, _KEYS_AT_ONCE)):
        if as_json:
            print_json_lines(map(describe_explanation, some))
        else:
            print_lines(line for each in some for line in render_explanation(each))


@layouts.command()
@click.argument("bucket")
@click.option(
    "--pages",
    type=click.IntRange(1, 100_000),
    default=PAGES_MAX,
    show_default=True,
    help="Most pages to list, of up to 1,000 keys each, spread over the folders.",
)
@_config_option
@connection_options
@json_option
def suggest(
    bucket: str,
    pages: int,
    config: Path | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """List some pages of a bucket, spread over its folders, and print declarations that would make
    its free keys logs, as TOML to paste; and which keys it would leave alone, and why.

    Writes nothing, and changes nothing. Works without settings; with them, it leaves out what is
    declared already.
    """
    if "*" in bucket:
        raise SettingsError(f"{bucket}: expected the whole name of one bucket")
    settings = read_settings_for(bucket, config)
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings) as job:
        if job.rules.is_main(bucket):
            raise SettingsError(
                f"{bucket}: expected another bucket; this is a Control Tower bucket, in which "
                "nothing can be declared"
            )
        source = look_at_bucket(job, bucket)
        with cannot_start(f"bucket {bucket!r} cannot be listed"), show_bar("keys", None) as show:
            own, seen = job.rules.own_prefixes(bucket), 0

            def on_progress(objects: int) -> None:
                nonlocal seen
                job.workers.check_stop()
                seen += objects
                show(seen)

            sample = sample_bucket(job.store, source, own, pages, on_progress)
    print_report(describe_sample(sample), render_sample(sample), as_json=as_json)


def _layouts_of(
    bucket: str | None, patterns: tuple[str, ...], config: Path | None
) -> BucketLayouts:
    """The patterns to try come first. Raises SettingsError."""
    try:
        tried = read_declarations(
            [{"name": f"pattern-{n}", "pattern": text} for n, text in enumerate(patterns, 1)]
        )
    except PatternError as error:
        raise SettingsError(f"--pattern: {error}") from None
    return BucketLayouts((*tried.declared, *read_layouts(config, bucket).declared))


def _read_keys(keys: tuple[str, ...]) -> Iterator[str]:
    if keys and keys != ("-",):
        yield from keys
        return
    if sys.stdin.isatty():
        say("Reading keys from standard input, one per line; end with ctrl-D")
    yield from _lines(sys.stdin.buffer)


def _lines(stream: Iterable[bytes]) -> Iterator[str]:
    for line in stream:
        key = line.rstrip(b"\r\n").decode("utf-8", "replace")
        if key:
            yield key
