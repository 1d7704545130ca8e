"""`iam-policy`: the permissions that a user or role needs, for these buckets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.at_rest import check_role
from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    settings_options,
)
from log_aggregator.cli.output import check_free, prepare_folder, write_file
from log_aggregator.cli.printing import print_json, print_lines
from log_aggregator.core.policies import make_documents
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError
from log_aggregator.reports.policy import describe_policies, name_file, render_notes
from log_aggregator.settings import Settings
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.doctor.grants import (
    Scope,
    Stage,
    check_keys,
    is_key_arn,
    look_at_buckets,
    plan_statements,
)
from log_aggregator.wiring import SystemClock, connect_inspector, make_rules

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


@click.command("iam-policy")
@click.option(
    "--stage",
    "stages",
    type=click.Choice([stage.value for stage in Stage]),
    multiple=True,
    required=True,
    help="survey looks and changes nothing; pack writes packs and keeps originals; delete deletes "
    "originals that are in verified packs; read finds, extracts, verifies and thaws. search looks "
    "up what is kept for searching, and shows events only together with read. drill recovers a "
    "sample and records the result; prove starts the hashing of packs at rest, and hash is for the "
    "role that S3 hashes with. May be repeated, for one policy of several stages.",
)
@click.option(
    "--source-kms-key-arn",
    "source_keys",
    metavar="ARN",
    multiple=True,
    help="A KMS key that log objects are encrypted with; may be repeated. Left out: none.",
)
@click.option(
    "--target-kms-key-arn",
    "target_keys",
    metavar="ARN",
    multiple=True,
    help="A KMS key that packs are encrypted with, where kms_key_id is not its ARN; may be "
    "repeated. Left out: none.",
)
@click.option(
    "--role-arn",
    "roles",
    metavar="ARN",
    multiple=True,
    help="For stage prove: the role that S3 hashes packs with; may be repeated. Left out: none.",
)
@click.option(
    "--partition",
    type=click.Choice(PARTITIONS),
    default=PARTITIONS[0],
    show_default=True,
    help="The AWS partition, which ARNs begin with.",
)
@click.option(
    "--directory",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write each policy to its own file in this folder. Left out: to standard output.",
)
@click.option("--force", is_flag=True, help="With --directory: overwrite files of the same name.")
@click.option(
    "--look",
    is_flag=True,
    help="Ask S3 which of the buckets have versions and KMS keys of your own, and allow only what "
    "they need.",
)
@settings_options
@connection_options
@json_option
def iam_policy(
    stages: tuple[str, ...],
    source_keys: tuple[str, ...],
    target_keys: tuple[str, ...],
    roles: tuple[str, ...],
    partition: str,
    folder: Path | None,
    force: bool,
    look: bool,
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Print the IAM policy that a stage needs, for the buckets of the settings and nothing else.
    Needs neither a network nor credentials, except for --look.

    The policy allows the calls that the program makes in that stage. A nightly `run` needs pack and
    delete together. A policy that is longer than IAM allows is split into several; attach all of
    them.

    """
    asked = [stage for stage in Stage if stage.value in stages]
    check_keys("--source-kms-key-arn", source_keys)
    check_keys("--target-kms-key-arn", target_keys)
    if force and folder is None:
        raise SettingsError("--force: allowed only with --directory")
    for role in roles:
        check_role(role)
    scope = replace(_make_scope(settings, partition, source_keys, target_keys), roles=roles)
    notebook = Notebook()
    if look:
        inspector = connect_inspector(
            make_connection(profile, region, endpoint_url), settings.bucket_owners
        )
        scope = look_at_buckets(scope, inspector, notebook)
    documents = make_documents(plan_statements(scope, asked))
    described = describe_policies(documents, asked, scope, settings.kms_key_id, notebook.findings)
    if folder is not None:
        described["files"] = _write_files(folder, described["policies"], force=force)
    elif len(documents) > 1 and not as_json:
        raise SettingsError(
            f"--stage: one policy would be too long, so there are {len(documents)}; add "
            "--directory, which writes each to a file"
        )
    _print(described, as_json=as_json)


def _make_scope(
    settings: Settings,
    partition: str,
    source_keys: tuple[str, ...],
    target_keys: tuple[str, ...],
) -> Scope:
    today = SystemClock().now().date()
    return Scope(
        make_rules(settings, DateWindow(today, today)),
        settings.bucket_owners,
        partition,
        source_keys,
        tuple(dict.fromkeys((*_named_key(settings.kms_key_id), *target_keys))),
        _named_key(settings.search_kms_key_id),
    )


def _named_key(key_id: str | None) -> tuple[str, ...]:
    """IAM matches only ARNs, not key ids or aliases."""
    return (key_id,) if key_id is not None and is_key_arn(key_id) else ()


def _write_files(folder: Path, policies: Iterable[dict[str, Any]], *, force: bool) -> list[str]:
    """All of them or none: existing files are found before the first one is written."""
    require_room()
    prepare_folder(folder, "--directory", force=True)
    paths = {folder / name_file(policy["name"]): policy["document"] for policy in policies}
    for path in paths:
        check_free(path, "--directory", force=force)
    for path, document in paths.items():
        write_file(path, [json.dumps(document, indent=2).encode(), b"\n"], None)
    return [str(path) for path in paths]


def _print(described: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(described)
        return
    if described["files"]:
        print_lines(described["files"])
    else:
        print_json(described["policies"][0]["document"])
    print_lines(render_notes(described), err=True)
