"""./deploy: the steps, one after the other. What it does is said on standard error, results are on
standard output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from deployment.account import Account, check_buckets, connect
from deployment.changeset import (
    ChangeSet,
    execute,
    make_name,
    open_change_set,
    plan_request,
    write_template,
)
from deployment.configuration import Configuration, override, parse_pairs, read_configuration
from deployment.guide import guide
from deployment.rendering import render_changes, render_first_steps, render_outputs
from deployment.samcli import Sam, find_sam
from deployment.sizes import check_sizes
from deployment.stack import Event, Stack, read_stack
from deployment.template import Template, read_template
from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.errors import Interrupted, SettingsError

ROOT = Path(__file__).resolve().parents[1]

EPILOG = """\b
Exit codes:
  0    deployed, or nothing to change, or --dry-run has shown the change set
  1    a step failed; the reasons are printed, and CloudFormation rolls back
  2    a setting is wrong; nothing was touched
  3    could not start: no SAM CLI, no credentials, the wrong account; nothing was touched
  130  stopped by ctrl-C or SIGTERM; what is left is said

\b
Environment: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and whatever else AWS's tools read;
LAMBDA_PYTHON and LAMBDA_ARCHITECTURE build for another runtime than the template names.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The command line."""

    dry_run: bool = False
    yes: bool = False
    region: str | None = None
    profile: str | None = None
    stack_name: str | None = None
    config_file: Path = ROOT / "samconfig.toml"
    template_file: Path = ROOT / "template.yaml"
    parameters: Mapping[str, str] = field(default_factory=dict)


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="All of it but the deployment: make the change set, print it, remove it again.",
)
@click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Do not ask before the change set is executed. Needed where there is no terminal.",
)
@click.option(
    "--region",
    help=(
        "Region of the stack, the same as the buckets'; else as in samconfig.toml, else as "
        "configured for AWS."
    ),
)
@click.option(
    "--profile", help="AWS profile; else as in samconfig.toml, else as configured for AWS."
)
@click.option(
    "--stack-name", help="Name of the stack; else as in samconfig.toml, else log-aggregator."
)
@click.option(
    "--config-file", type=click.Path(path_type=Path), help="Another file than samconfig.toml."
)
@click.option(
    "--template-file", type=click.Path(path_type=Path), help="Another template than template.yaml."
)
@click.option(
    "--parameter",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the template; wins over the file. May be repeated.",
)
def deploy(
    dry_run: bool,
    yes: bool,
    region: str | None,
    profile: str | None,
    stack_name: str | None,
    config_file: Path | None,
    template_file: Path | None,
    parameter: tuple[str, ...],
) -> None:
    """Builds the functions, checks the template and the account, shows what would change, and
    deploys it after a yes.

    Run it with credentials of the Log Archive account. Without samconfig.toml it asks a few
    questions and writes one.
    """
    wishes = Wishes(
        dry_run, yes, region, profile, stack_name, parameters=parse_arguments(parameter)
    )
    if config_file is not None:
        wishes = replace(wishes, config_file=config_file.resolve())
    if template_file is not None:
        wishes = replace(wishes, template_file=template_file.resolve())
    run(wishes)


def run(wishes: Wishes) -> None:
    """The whole story. Raises the errors of log_aggregator.errors and DeploymentFailed."""
    if not (wishes.dry_run or wishes.yes or sys.stdin.isatty()):
        raise SettingsError(
            "there is no terminal to ask on: --yes deploys without asking, --dry-run only shows"
        )
    program = find_sam(ROOT)
    announce(f"SAM CLI: {program}")
    template = read_template(wishes.template_file)
    configuration = obtain_configuration(wishes)
    template.check_names(configuration.parameters)
    account = connect(configuration.profile, configuration.region)
    announce(f"account {account.account_id}, region {account.region}, as {account.arn}")
    cloudformation = account.client("cloudformation")
    stack = read_stack(cloudformation, configuration.stack_name)
    stack.check_can_change()
    parameters = template.effective(
        configuration.parameters, {} if stack.is_new else stack.parameters
    )
    check_sizes(parameters)
    check_buckets(account, parameters)
    announce("buckets: all there, all of this account and region")
    packaged = build(
        Sam(
            program,
            template.path.parent,
            build_environment(template, parameters, account, configuration),
        ),
        wishes,
        configuration,
        account,
    )
    change(account, cloudformation, wishes, configuration, template, stack, packaged)


def obtain_configuration(wishes: Wishes) -> Configuration:
    """From the file; from the guide, where there is no file but a terminal."""
    if not wishes.config_file.exists() and sys.stdin.isatty():
        guide(
            connect(wishes.profile, wishes.region, need_region=False),
            ROOT / "samconfig.toml.example",
            wishes.config_file,
        )
    found = read_configuration(wishes.config_file)
    announce(f"settings: {wishes.config_file}")
    return override(
        found,
        stack_name=wishes.stack_name,
        region=wishes.region,
        profile=wishes.profile,
        parameters=wishes.parameters,
    )


def build_environment(
    template: Template,
    parameters: Mapping[str, str],
    account: Account,
    configuration: Configuration,
) -> dict[str, str]:
    """What `sam build` hands to src/Makefile: the functions' Python and processor. Our own
    environment wins, for emulators.
    """
    environment = {"AWS_DEFAULT_REGION": account.region}
    if template.python_version:
        environment["LAMBDA_PYTHON"] = template.python_version
    if "Architecture" in parameters:
        environment["LAMBDA_ARCHITECTURE"] = parameters["Architecture"]
    if configuration.profile:
        environment["AWS_PROFILE"] = configuration.profile
    own = {
        name: os.environ[name]
        for name in ("LAMBDA_PYTHON", "LAMBDA_ARCHITECTURE")
        if os.environ.get(name)
    }
    return {**environment, **own}


def build(sam: Sam, wishes: Wishes, configuration: Configuration, account: Account) -> Path:
    """Three steps of sam: build, validate, package. The packaged template's path."""
    built = sam.folder / ".aws-sam" / "build"
    packaged = sam.folder / ".aws-sam" / f"packaged-{configuration.stack_name}.yaml"
    common = ["--config-file", str(wishes.config_file), "--region", account.region]
    announce(
        f"sam build --parallel ({sam.environment.get('LAMBDA_PYTHON', 'default')}, "
        f"{sam.environment.get('LAMBDA_ARCHITECTURE', 'default')})"
    )
    sam.run(
        "build",
        "--parallel",
        "--template-file",
        str(wishes.template_file),
        "--build-dir",
        str(built),
        *common,
    )
    announce("sam validate --lint")
    sam.run("validate", "--lint", "--template-file", str(wishes.template_file), *common)
    bucket = (
        ["--s3-bucket", configuration.s3_bucket] if configuration.s3_bucket else ["--resolve-s3"]
    )
    announce(f"sam package {' '.join(bucket)}: functions into S3, unless they are there")
    options = [*bucket, "--s3-prefix", configuration.s3_prefix or configuration.stack_name, *common]
    sam.run(
        "package",
        "--template-file",
        str(built / "template.yaml"),
        "--output-template-file",
        str(packaged),
        *options,
    )
    return packaged


def change(
    account: Account,
    cloudformation: Any,
    wishes: Wishes,
    configuration: Configuration,
    template: Template,
    stack: Stack,
    packaged: Path,
) -> None:
    """The change set: shown, then removed or executed."""
    request = plan_request(configuration, stack, list(template.defaults), make_name())
    request |= write_template(
        account.client("s3"), packaged, configuration.s3_prefix or configuration.stack_name
    )
    announce(
        f"change set for stack {stack.name}, which "
        f"{'is new' if stack.is_new else 'is ' + stack.status}"
    )
    try:
        with open_change_set(cloudformation, stack, request) as change_set:
            if change_set.is_empty:
                print_line(f"No changes: stack {stack.name} is as it should be.")
                return
            print_lines(render_changes(change_set.changes))
            if wishes.dry_run or not confirm(wishes, change_set):
                announce("removing the change set again; nothing was changed")
                return
            done = execute(cloudformation, change_set, show_event)
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped; the change set was removed again, nothing was changed"
        ) from None
    announce(f"stack {stack.name}: {done.status}")
    values = template.effective(configuration.parameters, done.parameters)
    first_steps = render_first_steps(values, done.outputs, account.region)
    print_lines(["", *render_outputs(done.outputs), "", *first_steps])


def confirm(wishes: Wishes, change_set: ChangeSet) -> bool:
    """Raises KeyboardInterrupt on ctrl-C."""
    if wishes.yes:
        return True
    try:
        return click.confirm(
            f"Deploy this to stack {change_set.stack.name}?", default=False, err=True
        )
    except click.Abort:
        raise KeyboardInterrupt from None


def show_event(event: Event) -> None:
    """What has ended, or failed; not what begins."""
    if event.status.endswith(("_COMPLETE", "_FAILED")):
        reason = f": {event.reason}" if event.status.endswith("_FAILED") and event.reason else ""
        announce(f"  {event.status:<26} {event.logical_id} ({event.type}){reason}")


def parse_arguments(arguments: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE, the value as it is: the shell has taken its quotes off already."""
    for argument in arguments:
        if "=" not in argument:
            raise SettingsError(f"--parameter {argument!r}: expected KEY=VALUE")
    return parse_pairs("--parameter", dict(argument.split("=", 1) for argument in arguments))


def announce(text: str) -> None:
    print_line(f"deploy: {text}", err=True)
