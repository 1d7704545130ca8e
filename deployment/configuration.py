"""samconfig.toml, read as `sam deploy` reads it: [default.global.parameters], and over them
[default.deploy.parameters].
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from log_aggregator.errors import SettingsError

SAM_VERSION = 0.1
"""Of the file's format.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

STACK_NAME = "log-aggregator"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What to deploy, and where. None: as configured for AWS, or for sam to choose."""

    stack_name: str = STACK_NAME
    region: str | None = None
    profile: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = CAPABILITIES
    tags: Mapping[str, str] = field(default_factory=dict)
    s3_bucket: str | None = None
    s3_prefix: str | None = None
    role_arn: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", self.stack_name):
            raise SettingsError(
                f"stack_name = {self.stack_name!r}: expected letters, digits and hyphens, "
                "a letter first"
            )


def read_configuration(path: Path) -> Configuration:
    """Raises SettingsError, which names the file and what is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is not there: cp samconfig.toml.example samconfig.toml, and set your "
            "buckets in it"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from None
    if not isinstance(document.get("version"), float):
        raise SettingsError(
            f"{path}: the line `version = {SAM_VERSION}`, which sam wants, is missing"
        )
    try:
        return _make_configuration({**_section(document, "global"), **_section(document, "deploy")})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def override(
    configuration: Configuration,
    *,
    stack_name: str | None,
    region: str | None,
    profile: str | None,
    parameters: Mapping[str, str],
) -> Configuration:
    """The command line wins."""
    return replace(
        configuration,
        stack_name=stack_name or configuration.stack_name,
        region=region or configuration.region,
        profile=profile or configuration.profile,
        parameters={**configuration.parameters, **parameters},
    )


def parse_pairs(name: str, value: Any) -> dict[str, str]:
    """Names and values, in any of the ways that sam takes them: a table, a string `A=1 B="two
    words"`, a list of such strings, or `ParameterKey=A,ParameterValue=1`. Raises SettingsError.
    """
    if isinstance(value, Mapping):
        return {key: _as_text(name, key, item) for key, item in value.items()}
    if isinstance(value, list):
        return {key: text for item in value for key, text in parse_pairs(name, item).items()}
    if not isinstance(value, str):
        raise SettingsError(f"{name} = {value!r}: expected a table of names and values")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise SettingsError(f"{name} = {value!r}: {error}") from None
    return dict(_parse_pair(name, word) for word in words)


def _parse_pair(name: str, word: str) -> tuple[str, str]:
    found = re.fullmatch(
        r"ParameterKey=([^,]+),ParameterValue=(.*)", word, re.DOTALL
    ) or re.fullmatch(r"([^=]+)=(.*)", word, re.DOTALL)
    if not found:
        raise SettingsError(f"{name}: {word!r}: expected NAME=VALUE")
    return found[1], found[2]


def render_samconfig(example: str, region: str, parameters: Mapping[str, str]) -> str:
    """The example's text with these values in it; its comments stay. Raises SettingsError for a
    name that the example does not have.
    """
    text = example
    for key, value in {"region": region, **parameters}.items():
        # a basic string of TOML looks like one of JSON
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        # a backslash in it would mean something to re
        line = line.replace("\\", "\\\\")
        text, count = re.subn(rf"^(?:# ?)?{key} *=.*$", line, text, count=1, flags=re.MULTILINE)
        if not count:
            raise SettingsError(f"samconfig.toml.example has no line for {key}")
    return text


def _make_configuration(values: Mapping[str, Any]) -> Configuration:
    plain = {
        name: _text(name, values[name])
        for name in ("stack_name", "region", "profile", "s3_bucket", "s3_prefix", "role_arn")
        if values.get(name)
    }
    capabilities = values.get("capabilities") or CAPABILITIES
    return Configuration(
        **plain,
        parameters=parse_pairs("parameter_overrides", values.get("parameter_overrides", {})),
        capabilities=tuple(capabilities.split() if isinstance(capabilities, str) else capabilities),
        tags=parse_pairs("tags", values.get("tags", {})),
    )


def _section(document: Mapping[str, Any], command: str) -> Mapping[str, Any]:
    found: Any = document
    for name in ("default", command, "parameters"):
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise SettingsError(f"[default.{command}.parameters]: {name} is not a table")
    return dict(found)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{name} = {value!r}: expected a string")
    return value


def _as_text(name: str, key: str, value: Any) -> str:
    """As sam does: a list is joined with commas, a number written out."""
    if isinstance(value, list):
        return ",".join(str(item).strip() for item in value if item != "")
    if isinstance(value, (str, int, float)):
        return str(value)
    raise SettingsError(
        f"{name}.{key} = {value!r}: expected a string, a number or a list of strings"
    )
