"""Asks an S3 server which of the promises that this program relies on it keeps.

    python -m tests.servers --endpoint-url URL --bucket SCRATCH [--versioned-bucket OTHER] [--day]
    python -m tests.servers --known [NAME]... [--write]

The buckets must exist and be used for nothing else: a prefix `promises-…/` is written and removed
again; `--day` packs a day of a synthetic organisation, for which they must be empty. Credentials
are found as by AWS's clients. `--known` starts the servers that are installed here (`make servers`
installs them) and asks all of them; `--write` stores their answers for the page
docs/reference/servers.md, which `make docs` makes.

Exit code 1 if a promise that safety rests on is broken, or a log was lost; 2 if nothing could be
asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.servers.asking import PLAIN, VERSIONED, Asked, ask_known, ask_promises, make_client
from tests.servers.starting import KINDS, Missing, NotStarted
from tests.servers.tour import spend_day

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.scratch import BotoHands
from log_aggregator.errors import LogAggregatorError
from log_aggregator.steps.promises import PROMISES, Rests, Seen

SEEN = Path(__file__).parents[2] / "docs" / "reference_pages" / "servers.json"


def main() -> int:
    options = parse_options()
    if options.known is not None:
        return ask_all(options.known or list(KINDS), options)
    try:
        asked = ask_named(options)
    except (LogAggregatorError, BotoCoreError, ClientError, NotEmpty) as error:
        print(f"nothing was asked: {error}", file=sys.stderr)
        return 2
    show([asked], is_json=options.json)
    return 0 if asked.is_safe else 1


class NotEmpty(Exception):
    """A bucket has objects although it must be empty."""


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--endpoint-url", help="left out: as AWS's clients find it")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--bucket", help="a scratch bucket without versions")
    parser.add_argument("--versioned-bucket", help="a scratch bucket with versions")
    parser.add_argument("--day", action="store_true", help="pack a day, too")
    parser.add_argument("--known", nargs="*", metavar="NAME", choices=[*KINDS, []])
    parser.add_argument("--write", action="store_true", help=f"write {SEEN.name}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.known is None and not options.bucket:
        parser.error("expected --bucket, or --known")
    return options


def ask_named(options: argparse.Namespace) -> Asked:
    """The named server. Raises NotEmpty before anything is written."""
    settings = ClientSettings(
        region=options.region, profile=options.profile, endpoint_url=options.endpoint_url
    )
    client = make_client(settings)
    buckets = {PLAIN: options.bucket, VERSIONED: options.versioned_bucket}
    for bucket in filter(None, buckets.values()):
        if client.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents") and options.day:
            raise NotEmpty(f"s3://{bucket} has objects: expected an empty bucket for --day")
    asked = Asked(settings.endpoint_url or "S3")
    locked = options.versioned_bucket
    if locked and not BotoHands(client).find_lock(locked):
        locked = None
    asked.answers = ask_promises(settings, client, options.bucket, options.versioned_bucket, locked)
    if options.day:
        for state, bucket in buckets.items():
            if bucket:
                asked.days[state] = spend_day(settings, client, bucket)
    return asked


def ask_all(names: list[str], options: argparse.Namespace) -> int:
    """Every known server that is installed. None of them has to keep all promises."""
    all_asked, absent = [], {}
    for name in names:
        print(f"{KINDS[name].title} ...", file=sys.stderr)
        try:
            all_asked.append(ask_known(name))
        except (Missing, NotStarted, LogAggregatorError) as error:
            absent[KINDS[name].title] = str(error).splitlines()[0]
            print(f"{KINDS[name].title}: {error}", file=sys.stderr)
    show(all_asked, is_json=options.json)
    if options.write:
        servers = [asked.describe() for asked in all_asked]
        text = json.dumps({"servers": servers, "absent": absent}, indent=1, ensure_ascii=False)
        SEEN.write_text(text + "\n", encoding="utf-8")
    lost = sum(day.lost for asked in all_asked for day in asked.days.values())
    return 2 if not all_asked else 1 if lost else 0


def show(all_asked: list[Asked], *, is_json: bool) -> None:
    if is_json:
        print(json.dumps([asked.describe() for asked in all_asked], indent=1, ensure_ascii=False))
        return
    for asked in all_asked:
        print(f"{asked.title} {asked.version}".strip())
        for promise in PROMISES:
            answer = asked.answers[promise.name]
            mark = "!" if promise.rests is Rests.SAFETY and answer.seen is Seen.BROKEN else " "
            print(f" {mark} {answer.seen:10}{promise.text}")
            if answer.what and answer.seen is not Seen.NOT_ASKED:
                print(f"{'':13}{answer.what}")
        for state, day in asked.days.items():
            print(f"   a day {state}: {describe_counts(day.describe())}")
            for said in day.said:
                print(f"{'':13}{said}")


def describe_counts(day: dict[str, Any]) -> str:
    counts = ("packed", "deleted", "found", "extracted", "put_back", "lost")
    done = ", ".join(f"{day[name]} {name.replace('_', ' ')}" for name in counts)
    return f"{day['logs']} logs: {done}"


if __name__ == "__main__":
    sys.exit(main())
