"""`doctor`: checks whether a run would work, and changes nothing."""

from __future__ import annotations

import re

import click

from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    settings_options,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.printing import print_lines, terminal_width
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, SettingsError
from log_aggregator.reports.doctor import describe_findings, render_configuration, render_findings
from log_aggregator.settings import Settings
from log_aggregator.steps.doctor.examine import examine
from log_aggregator.wiring import SystemClock, connect, connect_inspector, make_run_rules

ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}")


@click.command()
@settings_options
@connection_options
@json_option
@click.option(
    "--role-arn",
    "role_arns",
    metavar="ARN",
    multiple=True,
    help="Check the permissions of this role (of a deployed function). May be repeated: a "
    "permission counts if any of the roles has it. Left out: your own permissions.",
)
def doctor(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    role_arns: tuple[str, ...],
) -> int:
    """Check whether a run would work: buckets, versions, locks, lifecycle, keys, permissions,
    landing zone. Changes nothing. Shows the AWS configuration, and where each value came from.

    Every finding says what to do. Exit code 1 if there is a problem; warnings alone give 0. What
    could not be checked is a warning.
    """
    for arn in role_arns:
        if not ROLE_ARN.fullmatch(arn):
            raise SettingsError(
                f"--role-arn {arn!r}: expected the ARN of a role, such as "
                "arn:aws:iam::111122223333:role/aggregator"
            )
    clock = SystemClock()
    today = clock.now().date()
    rules = make_run_rules(settings, DateWindow(today, today))
    connection = make_connection(profile, region, endpoint_url)
    inspector = connect_inspector(connection, settings.bucket_owners)
    store = connect(connection, settings.readers, settings.bucket_owners)
    try:
        findings = examine(inspector, store, clock, rules, role_arns)
    except CannotStart:
        if not as_json:  # the first thing to look at: it shows where each value came from
            print_lines(render_configuration(inspector.configuration, terminal_width()))
        raise
    described = describe_findings(findings, inspector.configuration)
    page_report(described, render_findings(described, terminal_width()), as_json=as_json)
    return 1 if described["problems"] else 0
