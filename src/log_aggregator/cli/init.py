"""`init`: looks at an account and writes a settings file. Changes nothing in the account."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    CONFIG_DEFAULT,
    connection_options,
    json_option,
    make_connection,
)
from log_aggregator.cli.output import check_free, write_file
from log_aggregator.cli.printing import print_json, print_lines
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.questions import Questions, can_ask
from log_aggregator.core.destination import Destination, Lock, Retention
from log_aggregator.errors import AccessDenied, NoSuchBucket, SettingsError
from log_aggregator.limits import READERS
from log_aggregator.ports.account import AccountInspector
from log_aggregator.ports.store import ObjectStore
from log_aggregator.reports.init.buckets import describe_bucket, render_buckets
from log_aggregator.reports.init.report import Written, describe_init, render_init
from log_aggregator.reports.init.settings_file import Choices, make_settings_text
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.account import find_partition
from log_aggregator.steps.doctor.grants import check_keys
from log_aggregator.steps.doctor.prospect import Prospect, Use, look_around
from log_aggregator.wiring import SystemClock, connect, connect_inspector

FORMS = ("cli", "cloudformation", "terraform")
LOCK_MODES = ("none", "GOVERNANCE", "COMPLIANCE")
KEEP_DAYS = 30
LOCK_DAYS = 365
DAYS_MAX = 36_500
RUNNER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]{1,576}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options say; None where a question is still open."""

    buckets: tuple[str, ...]
    bucket_accounts: tuple[tuple[str, str], ...]
    destination_bucket: str | None
    keep_originals_days: int | None
    object_lock: str | None
    object_lock_days: int | None
    archive_days: int | None
    expiration_days: int | None
    kms_key_arn: str | None
    runner_arn: str | None


@click.command("init")
@click.option(
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=CONFIG_DEFAULT,
    show_default=True,
    help="The settings file to write. An existing file is not touched.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--bucket",
    "buckets",
    metavar="NAME",
    multiple=True,
    help="Look at this bucket and no others; may be repeated. Left out: all of the account's.",
)
@click.option(
    "--bucket-accounts",
    metavar="VALUE",
    help="Accounts of buckets that belong to another account: NAME=ACCOUNT, separated by commas. "
    "Left out: none.",
)
@click.option(
    "--destination-bucket",
    metavar="NAME",
    help="The bucket that packs are to go to. Left out: it asks.",
)
@click.option(
    "--keep-originals-days",
    type=click.IntRange(0, 3660),
    help="Days for which originals are kept once their pack is verified. Left out: it asks.",
)
@click.option(
    "--object-lock",
    type=click.Choice(LOCK_MODES),
    help="Object Lock mode of the packs' bucket. Left out: it asks.",
)
@click.option(
    "--object-lock-days",
    type=click.IntRange(1, DAYS_MAX),
    help="Days for which Object Lock holds. Left out: it asks.",
)
@click.option(
    "--archive-days",
    type=click.IntRange(0, DAYS_MAX - 1),
    help="Days after which packs move to Glacier Deep Archive. Left out: it asks.",
)
@click.option(
    "--expiration-days",
    type=click.IntRange(1, DAYS_MAX),
    help="Days after which packs are deleted. Left out: it asks.",
)
@click.option(
    "--kms-key-arn",
    metavar="ARN",
    help="The KMS key that packs are encrypted with. Left out: it asks.",
)
@click.option(
    "--runner-arn",
    metavar="ARN",
    help="The role or user that will run the program; the bucket's policy forbids it to delete "
    "packs. Left out: it asks.",
)
@click.option(
    "--form",
    type=click.Choice(FORMS),
    default=FORMS[0],
    show_default=True,
    help="How to print the packs' bucket: as commands of the AWS CLI, or as a template.",
)
@click.option(
    "--yes", is_flag=True, help="Ask nothing, and use the defaults where no option is given."
)
@connection_options
@json_option
def init(
    path: Path,
    force: bool,
    form: str,
    yes: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    bucket_accounts: str | None,
    **options: Any,
) -> int:
    """Look at the account, ask for what it cannot tell, and write a settings file with comments;
    print how to make the bucket for the packs, and what to do next.

    Changes nothing in the account: it lists a few pages of each bucket, asks for its configuration,
    and reads no log. It asks nothing with --yes or --json, or without a terminal, and names what it
    is not allowed to look at. Exit code 1 if it finds no bucket with logs.

    """
    require_room()
    check_free(path, force=force)
    wishes = Wishes(bucket_accounts=_parse_accounts(bucket_accounts), **options)
    _check_wishes(wishes)
    questions = Questions(can_ask() and not yes and not as_json)
    connection = make_connection(profile, region, endpoint_url)
    inspector = connect_inspector(connection, wishes.bucket_accounts)
    store = connect(connection, READERS, wishes.bucket_accounts)
    prospect = _look(inspector, store, wishes.buckets)
    if not as_json:
        print_lines(render_buckets([describe_bucket(b, is_taken=False) for b in prospect.buckets]))
    choices = _choose(prospect, wishes, questions, inspector)
    given = {"--profile": profile, "--region": region, "--endpoint-url": endpoint_url}
    words = tuple(word for name, value in given.items() if value for word in (name, value))
    today = SystemClock().now().date()
    if choices is not None:
        _write(path, make_settings_text(prospect, choices, today))
    written = Written(str(path), form, today - timedelta(days=1), words, questions.answers)
    described = describe_init(prospect, choices, written)
    if as_json:
        print_json(described)
    else:
        print_lines(render_init(described))
    return 0 if choices is not None else 1


def _parse_accounts(text: str | None) -> tuple[tuple[str, str], ...]:
    """Follows the rules of the setting. Raises SettingsError."""
    values = {"other_buckets": "any", "bucket_accounts": text}
    return read_settings(None, values).bucket_accounts


def _check_wishes(wishes: Wishes) -> None:
    """Before the first question. Raises SettingsError."""
    if wishes.destination_bucket is not None:
        _check_destination(wishes.destination_bucket, wishes.buckets)
    for name in wishes.buckets:
        read_settings(None, {"control_tower_bucket": name})
    _check_key(wishes.kms_key_arn or "")
    _check_runner(wishes.runner_arn or "")


def _check_destination(name: str, occupied: Collection[str]) -> str:
    """The bucket must hold nothing but packs. Raises SettingsError."""
    read_settings(None, {"destination_bucket": name})
    if name in occupied:
        raise SettingsError(
            f"destination_bucket = {name!r}: expected a bucket for packs alone; this one holds "
            "other logs"
        )
    if name.startswith("aws-controltower"):
        raise SettingsError(
            f"destination_bucket = {name!r}: expected another name; Control Tower does not let "
            "others configure buckets whose names begin with aws-controltower"
        )
    return name


def _check_key(arn: str) -> str:
    if arn:
        check_keys("--kms-key-arn", [arn])
    return arn


def _check_runner(arn: str) -> str:
    if arn and not RUNNER.fullmatch(arn):
        raise SettingsError(
            f"--runner-arn {arn!r}: expected the ARN of a role or a user, such as "
            "arn:aws:iam::111122223333:role/aggregator"
        )
    return arn


def _look(inspector: AccountInspector, store: ObjectStore, names: Sequence[str]) -> Prospect:
    """The bar appears once the buckets are listed, because their number is not known before."""
    with ExitStack() as stack:
        bars: list[Callable[[int], None]] = []

        def on_progress(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(show_bar("looking at buckets", total)))
            bars[0](done)

        return look_around(inspector, store, names, on_progress)


def _choose(
    prospect: Prospect, wishes: Wishes, questions: Questions, inspector: AccountInspector
) -> Choices | None:
    """None where there is nothing to choose from."""
    taken = _choose_sources(prospect, wishes, questions)
    if not taken:
        return None
    others = prospect.of(Use.MAIN, Use.OTHER, Use.FREE)
    occupied = {*taken, *(bucket.name for bucket in others)}
    name = questions.ask(
        "destination_bucket",
        wishes.destination_bucket,
        _default_destination(prospect),
        "The bucket that packs are to go to",
        lambda text: _check_destination(text, occupied),
    )
    _check_destination(name, occupied)
    keep_days = questions.ask(
        "keep_originals_days",
        wishes.keep_originals_days,
        KEEP_DAYS,
        "Days for which originals are kept once their pack is verified",
        click.IntRange(0, 3660),
    )
    is_made = _is_made(inspector, name)
    partition = find_partition(prospect.caller)
    destination = Destination(name, prospect.region, prospect.account, partition)
    if not is_made:
        destination = _configure(destination, wishes, questions)
    main = {bucket.name for bucket in prospect.of(Use.MAIN)}
    return Choices(
        tuple(each for each in taken if each in main),
        tuple(each for each in taken if each not in main),
        destination,
        keep_days,
        wishes.bucket_accounts,
        is_made,
    )


def _choose_sources(prospect: Prospect, wishes: Wishes, questions: Questions) -> list[str]:
    """All buckets with logs of known layouts, and buckets with undeclared logs that were named."""
    found = [
        bucket
        for bucket in prospect.of(Use.MAIN, Use.OTHER, Use.FREE)
        if bucket.use is not Use.FREE or bucket.name in wishes.buckets
    ]
    names = sorted(bucket.name for bucket in found)
    if not names or not questions.is_asking:
        return names
    print_lines([""], err=True)
    if questions.confirm(f"Take logs from all buckets that have any ({len(names)})?"):
        return names
    return [name for name in names if questions.confirm(f"Take logs from {name}?")]


def _default_destination(prospect: Prospect) -> str:
    """The bucket that has packs already, or the name that the stack would choose."""
    targets = prospect.of(Use.TARGET)
    if len(targets) == 1:
        return targets[0].name
    parts = ["all-aggregated-logs", prospect.account, prospect.region]
    return "-".join(part for part in parts if part)


def _is_made(inspector: AccountInspector, name: str) -> bool:
    """Raises SettingsError where there is a bucket of that name that cannot be read."""
    try:
        inspector.head_bucket(name)
    except NoSuchBucket:
        return False
    except AccessDenied as error:
        raise SettingsError(
            f"destination_bucket = {name!r}: this bucket exists, and access to it is denied; it "
            f"may be someone else's, so choose another name: {error}"
        ) from None
    return True


def _configure(destination: Destination, wishes: Wishes, questions: Questions) -> Destination:
    """The configuration of a bucket that is to be made. Raises SettingsError."""
    mode = questions.ask(
        "object_lock",
        wishes.object_lock,
        LOCK_MODES[0],
        "Object Lock mode of that bucket; COMPLIANCE cannot be shortened by anyone",
        click.Choice(LOCK_MODES),
    )
    lock = None
    if mode != LOCK_MODES[0]:
        days = questions.ask(
            "object_lock_days",
            wishes.object_lock_days,
            LOCK_DAYS,
            "Days for which packs are locked",
            click.IntRange(1, DAYS_MAX),
        )
        lock = Lock(mode, days)
    default = Retention()
    archive_days = questions.ask(
        "archive_days",
        wishes.archive_days,
        default.archive_days,
        "Days after which packs move to Glacier Deep Archive",
        click.IntRange(0, DAYS_MAX - 1),
    )
    expiration_days = questions.ask(
        "expiration_days",
        wishes.expiration_days,
        default.expiration_days,
        "Days after which packs are deleted, for good",
        click.IntRange(archive_days + 1, DAYS_MAX),
    )
    retention = Retention(archive_days, expiration_days, lock)
    _check_retention(retention)
    return replace(
        destination,
        retention=retention,
        kms_key_arn=questions.ask(
            "kms_key_arn",
            wishes.kms_key_arn,
            "",
            "ARN of the KMS key that packs are encrypted with; empty for S3's own",
            _check_key,
        ),
        runner=questions.ask(
            "runner_arn",
            wishes.runner_arn,
            "",
            "ARN of the role or user that will run the program; empty if not known yet",
            _check_runner,
        ),
    )


def _check_retention(retention: Retention) -> None:
    if retention.expiration_days <= retention.archive_days:
        raise SettingsError(
            f"--expiration-days {retention.expiration_days}: expected more than --archive-days "
            f"({retention.archive_days})"
        )
    if retention.lock and retention.lock.days > retention.expiration_days:
        raise SettingsError(
            f"--object-lock-days {retention.lock.days}: expected at most --expiration-days "
            f"({retention.expiration_days}), because locked packs cannot be deleted"
        )


def _write(path: Path, text: str) -> None:
    """Parses the text first, so that only a file that a run can read is written."""
    read_settings(None, tomllib.loads(text))
    write_file(path, [text.encode()], None)
