"""Options that several commands share. Those for settings are made from the rows of
`settings.SETTINGS`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from log_aggregator.cli.variables import SETTING
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.layouts.pattern import PatternError
from log_aggregator.core.windows import DateWindow, Days, make_window
from log_aggregator.errors import SettingsError
from log_aggregator.limits import MIB
from log_aggregator.settings import SETTINGS, Setting, Settings, read_settings, read_toml
from log_aggregator.wiring import Connection

F = TypeVar("F", bound=Callable[..., Any])
CONFIG_DEFAULT = Path("aggregator.toml")
TARGET_SETTINGS = frozenset(
    {
        "destination_bucket",
        "destination_account",
        "bucket_accounts",
        "control_tower_bucket",
        "other_buckets",
        "final_aggregation_prefix",
        "readers",
    }
)


def connection_options(function: F) -> F:
    """--profile, --region, --endpoint-url: everything else is the standard AWS configuration."""
    function = click.option(
        "--endpoint-url",
        help="S3 endpoint. Left out: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS itself.",
    )(function)
    function = click.option(
        "--region", help="AWS region of the buckets. Left out: from the AWS configuration."
    )(function)
    return click.option("--profile", help="AWS profile. Left out: from the AWS configuration.")(
        function
    )


def settings_options(function: F) -> F:
    """--config, and an option for every setting, which overrides the file."""
    return _add_settings(function, [row for row in SETTINGS if row.on_command_line])


def target_options(function: F) -> F:
    """--config, and options for the settings that say where packs are."""
    return _add_settings(function, [row for row in SETTINGS if row.name in TARGET_SETTINGS])


def target_writing_options(function: F) -> F:
    """The same, and the KMS key for what is written there."""
    return _add_settings(
        function, [row for row in SETTINGS if row.name in TARGET_SETTINGS | {"kms_key_id"}]
    )


def signing_options(function: F) -> F:
    """The same, and what custody records are signed with."""
    names = TARGET_SETTINGS | {"kms_key_id", "sign_with", "time_stamp_url"}
    return _add_settings(function, [row for row in SETTINGS if row.name in names])


def tables_options(function: F) -> F:
    """The same, and the KMS key of what is kept for searching."""
    names = TARGET_SETTINGS | {"kms_key_id", "search_kms_key_id"}
    return _add_settings(function, [row for row in SETTINGS if row.name in names])


def terms_options(function: F) -> F:
    """The same, and how the values for searching are kept."""
    names = TARGET_SETTINGS | {"kms_key_id", "search", "search_kms_key_id"}
    return _add_settings(function, [row for row in SETTINGS if row.name in names])


def _add_settings(function: F, rows: list[Setting]) -> F:
    @functools.wraps(function)
    def with_settings(**values: Any) -> Any:
        overrides = {row.name: values.pop(row.name) for row in rows}
        return function(settings=_read(values.pop("config"), overrides), **values)

    decorated: Any = with_settings
    for row in reversed(rows):
        decorated = _option(row)(decorated)
    help_text = f"The settings file. Left out: {CONFIG_DEFAULT}, if there is one."
    return click.option("--config", type=click.Path(path_type=Path), help=help_text)(decorated)  # type: ignore[no-any-return]


def read_settings_for(bucket: str, config: Path | None) -> Settings:
    """The settings of the file; without a file, those of a run over that bucket alone. Raises
    SettingsError.
    """
    path = _choose_config(config)
    return read_settings(path, {} if path else {"other_buckets": [bucket]})


def read_layouts(config: Path | None, bucket: str | None = None) -> Layouts:
    """The layouts that the settings file declares, if there is one; or those that count in one
    bucket, which do not exist in a Control Tower bucket. Raises SettingsError.
    """
    path = _choose_config(config)
    values = read_toml(path, "--config") if path else {}
    try:
        declared = read_declarations(values.get("layouts", []))
    except PatternError as error:
        raise SettingsError(str(error)) from None
    if bucket is None:
        return declared
    named = values.get("control_tower_bucket", ())
    main = [name.strip() for name in named.split(",")] if isinstance(named, str) else named
    return Layouts() if bucket in main else Layouts(declared.of(bucket).declared)


def date_options(function: F) -> F:
    """--date, or --from and --to, or nothing: yesterday, and look_back_days before it."""
    function = click.option(
        "--to", "to_", metavar="YYYY-MM-DD", help="Last log date of a range. Left out: see --date."
    )(function)
    function = click.option(
        "--from",
        "from_",
        metavar="YYYY-MM-DD",
        help="First log date of a range. Left out: see --date.",
    )(function)
    return click.option(
        "--date",
        "date_",
        metavar="YYYY-MM-DD",
        help="One log date. Left out: yesterday (UTC) and the look_back_days before it.",
    )(function)


def json_option(function: F) -> F:
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the result as JSON, and nothing else, on standard output.",
    )(function)


def make_connection(
    profile: str | None, region: str | None, endpoint_url: str | None
) -> Connection:
    return Connection(profile, region, endpoint_url)


def make_cli_window(
    date_: str | None, from_: str | None, to_: str | None, look_back_days: int, days_kept: int = 0
) -> DateWindow:
    """The days that a command is about. Raises SettingsError."""
    asked = Days(date_, from_, to_, names=("--date", "--from", "--to"))
    return make_window(asked, datetime.now(UTC).date(), look_back_days, days_kept)


def _option(row: Setting) -> Callable[[Any], Any]:
    if row.is_flag:
        name = row.name.replace("_", "-")
        return click.option(
            f"--{name}/--no-{name}", row.name, default=None, help=row.meaning, envvar=SETTING
        )
    return click.option(
        f"--{row.name.replace('_', '-')}",
        row.name,
        metavar="VALUE",
        help=f"{row.meaning} Expected: {row.allowed}.{_describe_default(row)}",
        envvar=SETTING,
    )


def _describe_default(row: Setting) -> str:
    """Unless the setting's meaning says so already."""
    if "Left out: " in row.meaning:
        return ""
    value = getattr(Settings(), row.name)
    if isinstance(value, int) and row.allowed.startswith("a size"):
        value = f"{value // MIB} MiB"
    return f" Default: {value or 'none' if not isinstance(value, int) else value}."


def _read(config: Path | None, overrides: dict[str, Any]) -> Settings:
    return read_settings(_choose_config(config), overrides)


def _choose_config(config: Path | None) -> Path | None:
    return CONFIG_DEFAULT if config is None and CONFIG_DEFAULT.exists() else config
