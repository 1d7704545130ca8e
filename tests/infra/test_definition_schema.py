"""The state machines' definitions against CloudFormation's own schema of the Amazon States
Language.

`sam validate --lint` cannot see them, because they are separate files; so each is put into a
template as it will be deployed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cfnlint.api
import pytest
from tests.support.statemachine import load_definition

Definition = dict[str, Any]
NAMES = ("combine_log_files", "process_historical_main_logs")


def lint(definition: Definition) -> list[str]:
    """The linter's messages."""
    properties = {"RoleArn": "arn:aws:iam::111122223333:role/machine", "Definition": definition}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": resource}}
    return [str(match) for match in cfnlint.api.lint(json.dumps(template))]


def load(name: str) -> Definition:
    return load_definition(
        name,
        CombineLogFilesSMArn="arn:aws:states:eu-west-1:111122223333:stateMachine:logs-CombineLogFilesSM",
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_definition_fits_the_schema(name: str) -> None:
    """Every state has the fields of its type and no others, and paths and retries are valid."""
    assert lint(load(name)) == []


def _misspell(definition: Definition) -> None:
    definition["States"]["Plan"]["ResultPaht"] = "$.plan"


def _no_path(definition: Definition) -> None:
    definition["States"]["Plan"]["OutputPath"] = "Payload"


def _nowhere(definition: Definition) -> None:
    definition["StartAt"] = "Nowhere"


def _no_beginning(definition: Definition) -> None:
    del definition["States"]["PackLogs"]["Branches"][0]["StartAt"]


@pytest.mark.parametrize("mistake", [_misspell, _no_path, _nowhere, _no_beginning])
def test_mistakes_in_a_definition_are_found(mistake: Callable[[Definition], None]) -> None:
    """The linter does look at the definition."""
    definition = load("combine_log_files")
    mistake(definition)
    assert lint(definition)
