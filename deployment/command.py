"""./deploy: checks, then `sam build` and `sam deploy`. Its own messages go to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from deployment import samcli
from deployment.checks import Plan, connect_account, run_checks
from deployment.configuration import STACK_NAME, Configuration, read_configuration
from deployment.stack import list_open, read_stack, read_warnings, remove_open
from deployment.template import choose_values
from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.errors import Interrupted, SettingsError

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "samconfig.toml"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")

EPILOG = """\b
Exit codes:
  0    deployed, or nothing to change, or declined, or --dry-run has shown the change set
  1    sam or CloudFormation failed; the reasons are printed, and CloudFormation rolls back
  2    a setting is wrong; nothing was touched
  3    could not start: no SAM CLI, no credentials, no permission, the wrong account; nothing
       was touched
  130  stopped by ctrl-C or SIGTERM; it prints what is left behind

\b
Environment: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the other variables of AWS's tools;
LAMBDA_PYTHON and LAMBDA_ARCHITECTURE build for a runtime other than the template's.
"""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dry-run", is_flag=True, help="Show the change set, and deploy nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; required without a terminal.")
@click.option("--region", help="Region of the stack, which must be that of the buckets.")
@click.option("--profile", help="AWS profile. Left out: from the AWS configuration.")
@click.option("--stack-name", help=f"Name of the stack. Left out: the file's, or {STACK_NAME}.")
@click.option("--config-file", type=Path, default=SETTINGS, help="Left out: samconfig.toml.")
@click.option(
    "--parameter",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the template; overrides the file, and may be repeated.",
)
def deploy(
    *, dry_run: bool, yes: bool, config_file: Path, parameter: tuple[str, ...], **named: str | None
) -> None:
    """Check the settings and the account, build the functions, show what would change, and deploy
    it once you agree.

    Run it with credentials of the Log Archive account. Options override samconfig.toml.
    """
    if not (dry_run or yes or sys.stdin.isatty()):
        raise SettingsError(
            "there is no terminal to ask on: --yes deploys without asking, --dry-run only shows "
            "what would change"
        )
    sam = samcli.find_sam(ROOT)
    wishes = {**named, "parameters": parse_arguments(parameter)}
    configuration = read_configuration(config_file.resolve(), wishes)
    plan = check(configuration)
    announce("sam build --parallel; the first time takes minutes")
    build = ["build", "--parallel", "--config-file", str(configuration.path)]
    samcli.run(sam, ROOT, build, LAMBDA_ARCHITECTURE=plan.parameters["Architecture"])
    announce("sam deploy")
    how = "--no-execute-changeset" if dry_run else "" if yes else "--confirm-changeset"
    change(plan, sam, render_arguments(configuration, plan.account.region, how))


def check(configuration: Configuration) -> Plan:
    """Everything that can be checked before the build. Raises SettingsError, CannotStart."""
    account = connect_account(configuration)
    caller = account.caller
    announce(f"account {caller.account}, region {account.region}, as {caller.arn}")
    stack = read_stack(account.client("cloudformation"), configuration.stack_name)
    stack.check_can_change()
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    values = choose_values(template, configuration.parameters, stack.parameters)
    plan = Plan(account, stack, values)
    for finding in run_checks(plan):
        announce(f"{finding.level}: {finding.where}: {finding.seen}. {finding.advice}")
    return plan


def change(plan: Plan, sam: str, arguments: Sequence[str]) -> None:
    """Has sam make a change set, and execute it if that is wanted; otherwise removes it again."""
    cloudformation, name = plan.account.client("cloudformation"), plan.stack.name
    known = list_open(cloudformation, plan.stack)
    # without a terminal, the table need not fit into a window
    variables = {} if sys.stdout.isatty() else {"COLUMNS": "160"}
    is_stopped = False
    try:
        samcli.run(sam, ROOT, arguments, **variables)
        if "--no-execute-changeset" in arguments:
            for change_set in list_open(cloudformation, read_stack(cloudformation, name)) - known:
                print_lines(read_warnings(cloudformation, change_set))
    except KeyboardInterrupt:
        is_stopped = True
    finally:
        is_removed = remove_open(cloudformation, plan.stack, known)
    outcome = "the change set was removed again; nothing was changed" if is_removed else ""
    if is_stopped:
        events = f"aws cloudformation describe-stack-events --stack-name {name}"
        begun = f"if the deployment had begun, it continues in CloudFormation: {events}"
        raise Interrupted(f"stopped; {outcome or begun}")
    announce(outcome or "done. See what the next run will do: docs/how-to/first-dry-run.md")


def render_arguments(configuration: Configuration, region: str, how: str) -> list[str]:
    """Arguments of `sam deploy`, which reads the configuration file as well. Parameters go into a
    separate file, so that no value has to be quoted for sam.
    """
    name, settings = configuration.stack_name, configuration.settings
    parameters = ROOT / ".aws-sam" / f"parameters-{name}.yaml"  # JSON is YAML
    parameters.write_text(json.dumps(dict(configuration.parameters)), encoding="utf-8")
    given = ["deploy", "--config-file", str(configuration.path), "--no-fail-on-empty-changeset"]
    given += ["--stack-name", name, "--region", region]
    given += ["--parameter-overrides", f"file://{parameters}"]
    given += ["--profile", configuration.profile] if configuration.profile else []
    given += ["--no-confirm-changeset"] if how != "--confirm-changeset" else []
    given += [how] if how else []
    given += [] if settings.get("s3_bucket") else ["--resolve-s3"]
    given += [] if settings.get("s3_prefix") else ["--s3-prefix", name]
    given += [] if settings.get("capabilities") else ["--capabilities", *CAPABILITIES]
    return [*given, *([] if sys.stdout.isatty() else ["--no-progressbar"])]


def parse_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE. The value is taken as it is, because the shell has removed its quotes already."""
    for argument in arguments:
        if "=" not in argument:
            raise SettingsError(f"--parameter {argument!r}: expected NAME=VALUE")
    return dict(argument.split("=", 1) for argument in arguments)


def announce(text: str) -> None:
    print_line(f"deploy: {text}", err=True)
