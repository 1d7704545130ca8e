"""The parts of samconfig.toml that ./deploy uses: [default.global.parameters], overridden by
[default.deploy.parameters]. sam reads the same file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from log_aggregator.errors import SettingsError

STACK_NAME = "log-aggregator"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What to deploy, and where. `settings` is everything in the file. A region or profile of None
    comes from the AWS configuration.
    """

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    stack_name: str = STACK_NAME
    region: str | None = None
    profile: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_configuration(path: Path, wishes: Mapping[str, Any]) -> Configuration:
    """The command line overrides the file. Raises SettingsError, which names the file and what is
    wrong.
    """
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8")).get("default", {})
        settings = {
            **sections.get("global", {}).get("parameters", {}),
            **sections.get("deploy", {}).get("parameters", {}),
        }
        given = settings.get("parameter_overrides", {}).items()
    except FileNotFoundError:
        raise SettingsError(
            f"there is no {path}: run cp samconfig.toml.example samconfig.toml, and set your "
            "buckets in it"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{path}: expected TOML with tables as in samconfig.toml.example: {error}"
        ) from None
    found = {**settings, **{name: value for name, value in wishes.items() if value}}
    return Configuration(
        path,
        settings,
        found.get("stack_name") or STACK_NAME,
        found.get("region"),
        found.get("profile"),
        {**{name: _write(value) for name, value in given}, **wishes.get("parameters", {})},
    )


def _write(value: Any) -> str:
    """As sam does it: joins a list with commas, and writes a number out."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
