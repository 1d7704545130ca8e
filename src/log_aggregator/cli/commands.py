"""The commands. Each has its own module, which is imported only when the command is used; the list
of commands takes its texts from here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from log_aggregator.cli.groups import Group
from log_aggregator.errors import NotInstalled


class Row(NamedTuple):
    """A command: its module and the name in it, and its text in the list of commands."""

    place: str
    help: str


COMMANDS = {
    "init": Row(
        "log_aggregator.cli.init:init",
        "Look at the account, ask for what it cannot tell, and write a settings file with "
        "comments; print how to make the bucket for the packs, and what to do next.",
    ),
    "run": Row(
        "log_aggregator.cli.run:run",
        "Pack a day's log objects and verify the packs; delete the originals only if told to.",
    ),
    "plan": Row(
        "log_aggregator.cli.run:plan",
        "Show what `run` would do: which log objects it would take, by log type and bucket, and "
        "what it would leave alone and why.",
    ),
    "survey": Row(
        "log_aggregator.cli.survey:survey",
        "Estimate what log objects cost, and what packing them would save, by log type and "
        "account, from a sample of the listing.",
    ),
    "delete": Row(
        "log_aggregator.cli.delete:delete",
        "Delete originals that are packed, after showing how many, in which buckets and of which "
        "log types, and having that number typed.",
    ),
    "backfill": Row(
        "log_aggregator.cli.backfill:backfill",
        "Pack a long range of days, window by window.",
    ),
    "status": Row(
        "log_aggregator.cli.status:status",
        "Show how far backfills are: windows done, failed, under way and to do, log objects, "
        "bytes, dollars, rate, and roughly how long the rest takes.",
    ),
    "verify": Row("log_aggregator.cli.verify:verify", "Check packs against their indexes."),
    "validate-cloudtrail": Row(
        "log_aggregator.cli.validate_cloudtrail:validate_cloudtrail",
        "Validate CloudTrail's digests and every log that they name, in packs, in their original "
        "buckets, or in both.",
    ),
    "coverage": Row(
        "log_aggregator.cli.coverage:coverage",
        "Show what each day has, by log type and account: originals, packs, both or nothing; and "
        "what is missing that must be there.",
    ),
    "keep-public-keys": Row(
        "log_aggregator.cli.keep_public_keys:keep_public_keys",
        "Store CloudTrail's public keys of a Region next to the packs, where the role of a run "
        "cannot fetch them.",
    ),
    "index": Row(
        "log_aggregator.cli.index:index",
        "Make indexes: for packs that lost theirs, for other tools' aggregates, and for searching.",
    ),
    "find": Row(
        "log_aggregator.cli.find:find",
        "Find packed log objects, and show which packs they are in.",
    ),
    "search": Row(
        "log_aggregator.cli.search:search",
        "Search the events in packs, frozen ones too, for an access key, an address, a role, a "
        "resource or an event name.",
    ),
    "extract": Row(
        "log_aggregator.cli.extract:extract",
        "Get original log objects back out of their packs: one by its key, or many by the same "
        "conditions as `find`.",
    ),
    "thaw": Row(
        "log_aggregator.cli.thaw:thaw",
        "Thaw the packs that hold the log objects you look for: show the price, start the "
        "restores, and wait for them.",
    ),
    "drill": Row(
        "log_aggregator.cli.drill:drill",
        "Recover a random sample of all packed log objects, compare every byte, and record the "
        "result in custody.",
    ),
    "put-back": Row(
        "log_aggregator.cli.put_back:put_back_command",
        "Put originals back under their own keys: bytes, user metadata, content type and encoding.",
    ),
    "layouts": Row(
        "log_aggregator.cli.layouts:layouts",
        "Show which keys are logs, how a key is read and why, and what a bucket's logs could be "
        "declared as.",
    ),
    "doctor": Row(
        "log_aggregator.cli.doctor:doctor",
        "Check whether a run would work: buckets, versions, locks, lifecycle, keys, permissions, "
        "landing zone.",
    ),
    "iam-policy": Row(
        "log_aggregator.cli.iam_policy:iam_policy",
        "Print the IAM policy that a stage needs, for the buckets of the settings and nothing "
        "else.",
    ),
    "rehearse": Row(
        "log_aggregator.cli.rehearse:rehearse_command",
        "Rehearse the whole life of a few synthetic logs on this S3, and test every guarantee that "
        "the safety of your own logs depends on.",
    ),
    "demo": Row(
        "log_aggregator_lab.cli.demo:demo",
        "Watch a day of a synthetic AWS organisation being packed, verified and deleted on an S3 "
        "server that runs on this machine only; then see a digest, a log object and a pack get "
        "lost, and the loss being found.",
    ),
    "generate": Row(
        "log_aggregator_lab.cli.generate:generate",
        "Fill buckets with a synthetic organisation's logs, to try things out.",
    ),
    "custody": Row(
        "log_aggregator.cli.custody:custody",
        "Verify, sign and show the records that runs keep next to their packs, of what was found, "
        "packed, verified and deleted; each names the hash of the one before.",
    ),
    "evidence": Row(
        "log_aggregator.cli.evidence:evidence",
        "Make a bundle for an auditor: originals or a list of them, digests, keys, indexes, "
        "custody records, signatures, and a verifier that runs offline.",
    ),
    "stats": Row(
        "log_aggregator.cli.stats:stats",
        "Show what is packed so far: log objects, packs and bytes by log type, account, month and "
        "bucket, and what that saves.",
    ),
    "report": Row(
        "log_aggregator.cli.report:report",
        "Write a page that shows an auditor what is there, that it is unaltered, and that it can "
        "be recovered.",
    ),
    "completion": Row(
        "log_aggregator.cli.completion:completion",
        "Print the script that makes a shell complete commands and options.",
    ),
    "athena-ddl": Row(
        "log_aggregator.cli.athena_ddl:athena_ddl",
        "Print CREATE TABLE and CREATE VIEW statements for Amazon Athena.",
    ),
}
"""By name. Commands of the lab need packages that are not installed by default."""


class LazyCommands(Group):
    """A group that imports a command when it is used.

    As in https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def __init__(self, *args: Any, rows: Mapping[str, Row], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows = rows

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows.get(cmd_name)
        return None if row is None else _complete(cmd_name, _load(cmd_name, row.place))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the rows alone: a shell should not wait for every command to be imported."""
        found = [
            CompletionItem(name, help=row.help)
            for name, row in sorted(self._rows.items())
            if name.startswith(incomplete)
        ]
        return found if not incomplete.startswith("-") else super().shell_complete(ctx, incomplete)

    def list_texts(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """From the rows alone, as above."""
        for name in self.list_commands(ctx):
            yield name, self._rows[name].help


def _complete(name: str, command: click.Command) -> click.Command:
    from log_aggregator.cli.everywhere import complete_command

    complete_command([name], command)
    return command


def _load(name: str, place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    try:
        command: click.Command = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if not module.startswith("log_aggregator_lab"):
            raise
        return _make_missing(name, error.name or module)
    return command


def _make_missing(name: str, package: str) -> click.Command:
    """Stands in for a command of the lab where the lab's packages are not installed."""

    def fail(**_: object) -> None:
        raise NotInstalled.of(package, "lab")

    return click.Command(
        name,
        callback=fail,
        context_settings={"ignore_unknown_options": True},
        params=[click.Argument(["words"], nargs=-1, expose_value=False)],
        help="Needs more packages: pip install 'control-tower-log-aggregator[lab]'.",
    )
