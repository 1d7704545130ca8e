"""The destination bucket, as commands and templates: the same as the stack makes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from tests.infra.stack import ACCOUNT, DESTINATION, OTHER_KEY, REGION, deploy, load_template

from log_aggregator.core.destination import (
    Destination,
    Lock,
    Retention,
    make_bucket_policy,
    make_commands,
    make_template,
    make_terraform,
)

RUNNER = f"arn:aws:iam::{ACCOUNT}:role/aggregator"
LOCKED = Retention(30, 4000, Lock("COMPLIANCE", 400))


def make(**more: Any) -> Destination:
    return Destination(DESTINATION, REGION, ACCOUNT, **more)


def properties_of(destination: Destination) -> dict[str, Any]:
    found: dict[str, Any] = make_template(destination)["Resources"]["Packs"]["Properties"]
    return found


@pytest.mark.parametrize(
    ("destination", "parameters"),
    [
        (make(), {}),
        (
            make(retention=LOCKED, kms_key_arn=OTHER_KEY),
            {
                "ObjectLockMode": "COMPLIANCE",
                "ObjectLockDays": "400",
                "ExpirationInDays": "4000",
                "DaysUntilGlacierDeepArchive": "30",
                "DestinationKmsKeyArn": OTHER_KEY,
            },
        ),
    ],
    ids=["default", "locked, with a key"],
)
def test_the_bucket_equals_the_stacks(destination: Destination, parameters: dict[str, str]) -> None:
    """The properties match except for those added by other stack parameters. The policy also
    matches, with the runner in place of the functions' roles.
    """
    stack = deploy(load_template(), parameters)
    wanted = as_text(stack.properties("CommonDestinationBucket"))
    assert as_text(properties_of(destination)) == wanted
    policy = stack.properties("CommonDestinationBucketPolicy")["PolicyDocument"]
    roles = policy["Statement"][-1]["Condition"]["ArnEquals"]
    roles["aws:PrincipalArn"] = [RUNNER]
    assert make_bucket_policy(make(runner=RUNNER)) == policy
    policy["Statement"].pop()
    assert make_bucket_policy(destination) == policy


def as_text(value: Any) -> Any:
    """Convert numbers to text, as in parameters."""
    match value:
        case dict():
            return {name: as_text(inner) for name, inner in value.items()}
        case list():
            return [as_text(inner) for inner in value]
        case bool() | None:
            return value
        case _:
            return str(value)


def options_of(destination: Destination) -> dict[str, dict[str, str]]:
    """The options of each command."""
    found = {}
    for line in make_commands(destination):
        program, service, operation, *words = shlex.split(line)
        assert (program, service) == ("aws", "s3api")
        found[operation] = dict(pairs(words))
    return found


def pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    values = iter(words)
    for word in values:
        yield word, "" if word == "--object-lock-enabled-for-bucket" else next(values)


def test_the_commands_configure_the_same_bucket() -> None:
    """S3 accepts them in this order; each names the account that must own the bucket."""
    commands = options_of(make(retention=LOCKED, kms_key_arn=OTHER_KEY, runner=RUNNER))
    assert next(iter(commands)) == "create-bucket"
    assert list(commands)[-1] == "put-bucket-policy"
    assert "--object-lock-enabled-for-bucket" in commands["create-bucket"]
    for operation, options in commands.items():
        assert options["--bucket"] == DESTINATION
        assert options["--region"] == REGION
        owner = "" if operation == "create-bucket" else ACCOUNT
        assert options.get("--expected-bucket-owner", "") == owner
    policy = json.loads(commands["put-bucket-policy"]["--policy"])
    assert policy == make_bucket_policy(make(runner=RUNNER))
    lock = commands["put-object-lock-configuration"]["--object-lock-configuration"]
    assert json.loads(lock) == properties_of(make(retention=LOCKED))["ObjectLockConfiguration"]


def test_us_east_1_has_no_location_constraint() -> None:
    """S3 refuses us-east-1 as a location constraint."""
    command = next(iter(make_commands(Destination("packs", "us-east-1"))))
    assert "LocationConstraint" not in command
    assert "LocationConstraint=eu-west-1" in next(iter(make_commands(make())))


def test_a_bucket_without_a_lock_does_not_mention_one() -> None:
    assert "put-object-lock-configuration" not in options_of(make())
    assert "ObjectLockEnabled" not in properties_of(make())


def test_terraform_contains_the_same_template() -> None:
    lines = list(make_terraform(make()))
    body = lines[lines.index("  template_body = <<-EOT") + 1 : lines.index("  EOT")]
    assert json.loads("\n".join(body)) == make_template(make())
