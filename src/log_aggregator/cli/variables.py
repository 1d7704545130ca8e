"""An environment variable for every option, named by one rule.

A setting's variable is `LOG_AGGREGATOR_` and its name, as in the Lambda functions
(`handlers.entry`): the same text means the same in both. The options that every command has follow
the same rule. The variable of any other option contains the command's words, because `--bucket`
differs from command to command. The command line overrides a variable, and a variable the settings
file.

Profile, Region and endpoint have only AWS's own variables.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

PREFIX = "LOG_AGGREGATOR"
AWS_OPTIONS = {
    "profile": "AWS_PROFILE",
    "region": "AWS_REGION",
    "endpoint_url": "AWS_ENDPOINT_URL_S3",
}
JSON_OPTION = "--json"
JSON_VARIABLE = f"{PREFIX}_JSON"
OF_ALL_COMMANDS = frozenset({"--config", JSON_OPTION, "--quiet", "--verbose", "--log-file"})
SETTING = "of a setting"
"""Placeholder that `options` sets for an option's variable until it is named here."""


def name_variables(words: Sequence[str], command: click.Command) -> None:
    """Names the variables of a command's options that have none yet. `words` are the command's."""
    for parameter in command.params:
        if (
            isinstance(parameter, click.Option)
            and parameter.name not in AWS_OPTIONS
            and parameter.envvar in (None, SETTING)
        ):
            parameter.envvar = _name(words, parameter)


def variable_of(option: click.Option) -> str:
    """Its name, for people."""
    return AWS_OPTIONS.get(option.name or "") or str(option.envvar or "")


def describe_variables(words: Sequence[str]) -> str:
    """The rule, for the end of a command's help."""
    own = f"{_join(words)}_OPTION"
    return (
        f"Environment variables: {PREFIX}_OPTION for settings, --config, --json, --quiet, "
        f"--verbose and --log-file, such as LOG_AGGREGATOR_DESTINATION_BUCKET; {own} for all "
        "others."
    )


def is_on(variable: str) -> bool:
    """As click reads a flag's variable."""
    return os.environ.get(variable, "").strip().lower() in {"1", "true", "t", "yes", "y", "on"}


def _name(words: Sequence[str], option: click.Option) -> str:
    typed = max(option.opts, key=len)
    is_shared = option.envvar == SETTING or typed in OF_ALL_COMMANDS
    return f"{PREFIX if is_shared else _join(words)}_{_fit(typed.lstrip('-'))}"


def _join(words: Sequence[str]) -> str:
    return "_".join([PREFIX, *map(_fit, words)])


def _fit(word: str) -> str:
    return word.replace("-", "_").upper()
