"""`extract`: gets originals back, byte for byte: one, or many by the same conditions as `find`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.output import FileSink, FolderSink, StreamSink, name_segments, open_stream
from log_aggregator.cli.printing import print_json, print_line, print_lines
from log_aggregator.cli.progress.counting import shares_terminal
from log_aggregator.cli.progress.fetching import show_fetching
from log_aggregator.cli.query_options import query_options, require_condition
from log_aggregator.core.query import Query
from log_aggregator.core.versions import age_of
from log_aggregator.errors import Failure, IncompleteSearch, NoSuchOriginal, SettingsError
from log_aggregator.reports.fetch import describe_fetch, render_fetch
from log_aggregator.reports.numbers import format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.fetch import (
    FetchResult,
    VersionChoice,
    Wanted,
    choose,
    fetch_all,
    tolerate_gaps,
)
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.wiring import open_job

_STDOUT = "standard output"
_GLOB = re.compile(r"[*?\[]")


@click.command()
@query_options(key_arguments=True)
@click.option(
    "--version-id",
    metavar="ID",
    help=(
        "This version of a key. Left out: for one key the newest that is packed, for several keys "
        "all versions."
    ),
)
@click.option("--newest", is_flag=True, help="For several keys: only the newest version of each.")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="File to write, or - for standard output. Left out: the key's last segment, in the "
    "current folder.",
)
@click.option(
    "--directory",
    "-d",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help=(
        "Folder for any number of originals, as <source bucket>/<key>. It is created if missing, "
        "and must be empty. Left out: see --output."
    ),
)
@click.option(
    "--lines",
    "as_lines",
    is_flag=True,
    help="Write lines of text, inflated, one original after the other, to --output or standard "
    "output.",
)
@click.option(
    "--metadata",
    "with_metadata",
    is_flag=True,
    help="Next to each file write <name>.metadata.json: user metadata, version, times.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@target_options
@connection_options
@json_option
def extract(
    query: Query,
    settings: Settings,
    version_id: str | None,
    newest: bool,
    output: str | None,
    directory: Path | None,
    as_lines: bool,
    with_metadata: bool,
    force: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Get original log objects back out of their packs: one by its key, or many by the same
    conditions as `find`.

    KEY is an original key, s3://bucket/key, or a glob of either, in quotes. Only the bytes that are
    needed are read from a pack, neighbours together. Every original is compared with the hash in
    the index before its file gets its name, or before it goes to standard output.

    Exit code 1 if nothing was found, or if something could not be read; the rest is written all the
    same.
    """
    destination = Destination(
        output, directory, as_lines, with_metadata, force, as_json, is_single=is_whole_key(query)
    )
    require_condition(query)
    if destination.to_stdout or as_json:  # otherwise nothing goes to standard output
        require_room()
    failures: list[Failure] = []
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        packs = find(job.store, job.workers, job.list_targets(), query)
        found = tolerate_gaps(packs, failures)
        if destination.takes_one:
            wanted: Iterable[Wanted] = [pick_one(query.keys[0], found, version_id, failures)]
        else:
            wanted = choose(found, VersionChoice(newest, version_id))
        result, name = extract_to(destination, job, wanted)
    result.failures += failures
    report(describe_fetch(result, name, job.requests), as_json=as_json)
    if not result.originals and not result.failures:
        raise NoSuchOriginal("nothing found: no pack holds a matching log object")
    return 1 if result.failures else 0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where originals are to go. Raises SettingsError where the options do not go together."""

    output: str | None = None
    directory: Path | None = None
    as_lines: bool = False
    with_metadata: bool = False
    force: bool = False
    as_json: bool = False
    is_single: bool = False
    folder_option: str = "--directory"
    """The option's name, for messages."""

    def __post_init__(self) -> None:
        if self.directory is not None and (self.output is not None or self.as_lines):
            raise SettingsError("--directory: not allowed with --output or --lines")
        if self.to_stdout and self.as_json:
            raise SettingsError(
                "--json: allowed only with --directory or --output FILE; otherwise originals and "
                "JSON would both go to standard output"
            )
        if self.with_metadata and (self.as_lines or self.to_stdout):
            raise SettingsError(
                "--metadata: allowed only with --directory, or with --output FILE for one original"
            )
        if (
            self.directory is None
            and not self.as_lines
            and not self.to_stdout
            and not self.is_single
        ):
            raise SettingsError(
                "KEY: expected one whole key; for more than one original add --directory DIR, "
                "--lines or --output -"
            )

    @property
    def to_stdout(self) -> bool:
        return self.output == "-" or (self.as_lines and self.output is None)

    @property
    def takes_one(self) -> bool:
        """The newest version of one key, in whichever bucket it was. A folder takes all
        versions.
        """
        return self.is_single and self.directory is None


def extract_to(
    destination: Destination, job: Job, wanted: Iterable[Wanted]
) -> tuple[FetchResult, str]:
    """Writes everything that is wanted there. Also gives the name of the place."""
    store, workers = job.store, job.workers
    is_quiet = destination.as_json or (destination.to_stdout and shares_terminal())
    with show_fetching("extracting", is_quiet=is_quiet) as progress:
        if destination.directory is not None:
            option = destination.folder_option
            folder = FolderSink(
                destination.directory,
                force=destination.force,
                with_metadata=destination.with_metadata,
                option=option,
            )
            return fetch_all(store, workers, wanted, folder, progress), str(destination.directory)
        if destination.to_stdout:
            stream = StreamSink(sys.stdout.buffer, _STDOUT, as_lines=destination.as_lines)
            result = fetch_all(store, workers, wanted, stream, progress)
            stream.flush()
            return result, _STDOUT
        if destination.as_lines and destination.output is not None:
            with open_stream(Path(destination.output), force=destination.force) as file:
                result = fetch_all(
                    store,
                    workers,
                    wanted,
                    StreamSink(file.file, destination.output, as_lines=True),
                    progress,
                )
                file.is_complete = not result.failures
            return result, str(file.path)
        (one,) = wanted
        path = Path(destination.output or name_segments(one.pack.members[0].key.rstrip("/"))[-1])
        sink = FileSink(path, force=destination.force, with_metadata=destination.with_metadata)
        return fetch_all(store, workers, [one], sink, progress), str(path)


def is_whole_key(query: Query) -> bool:
    """One key, and not a pattern of keys."""
    return len(query.keys) == 1 and not _GLOB.search(query.keys[0])


def pick_one(
    key: str, packs: Iterable[FoundPack], version_id: str | None, failures: list[Failure]
) -> Wanted:
    """The newest version of one key; prints a line where there are others. Raises NoSuchOriginal,
    or IncompleteSearch where an index could not be read.
    """
    places = [
        (wanted, member)
        for wanted in choose(packs, VersionChoice())
        for member in wanted.pack.members
    ]
    matching = [
        place for place in places if version_id is None or place[1].version_id == version_id
    ]
    if not matching and failures:
        gap, *gaps = failures[0].message.split("\n")
        raise IncompleteSearch(f"{key}: not found, but {gap}", lines=gaps)
    if not matching:
        versions = ", ".join(str(member.version_id) for _, member in places)
        raise NoSuchOriginal(
            f"{key}: no pack holds "
            + (f"this version of it; there are {versions}" if places else "it")
        )
    if version_id is None and len(matching) > 1:
        others = format_count(len(matching) - 1, "other version is", "other versions are")
        print_line(
            f"extracting the newest version; {others} packed too (--version-id takes one)", err=True
        )
    wanted, member = max(matching, key=lambda place: age_of(place[1]))
    return Wanted(
        replace(wanted.pack, members=(member,)), frozenset([member.identity]), wanted.spares
    )


def report(described: dict[str, Any], *, as_json: bool) -> None:
    """JSON on standard output; or the summary on standard error, because standard output may hold
    originals.
    """
    if as_json:
        print_json(described)
    else:
        print_lines(render_fetch(described), err=True)
