"""The settings: one TOML file, every value overridable on the command line, read once at the edge.

The rows of `SETTINGS` define them: name, expected value, meaning. The reference page of the docs
and the command line's options are made from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.layouts.pattern import PatternError
from log_aggregator.core.layouts.regions import REGION
from log_aggregator.errors import SettingsError
from log_aggregator.limits import GIB, MIB, READERS

_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "KIB": 1024,
    "MB": 1000**2,
    "MIB": 1024**2,
    "GB": 1000**3,
    "GIB": 1024**3,
    "TB": 1000**4,
    "TIB": 1024**4,
}
_STORAGE_CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """What is never touched, neither packed nor deleted. Dates are inclusive ranges."""

    buckets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    dates: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed and checked."""

    control_tower_bucket: tuple[str, ...] = ()
    other_buckets: tuple[str, ...] = ()
    organization_id: str | None = None
    aggregation_regions: tuple[str, ...] = ()
    other_regions: str = "keep"
    destination_bucket: str | None = None
    destination_account: str | None = None
    bucket_accounts: tuple[tuple[str, str], ...] = ()
    final_aggregation_prefix: str = "aggregated"
    storage_class: str = "STANDARD"
    kms_key_id: str | None = None
    search: str = "plain"
    search_kms_key_id: str | None = None
    sign_with: str | None = None
    time_stamp_url: str | None = None
    glacier_object_size: int = GIB
    pack_size_max: int = GIB
    members_max: int = 200_000
    look_back_days: int = 2
    verify: str = "checksum"
    delete_originals: bool = False
    keep_originals_days: int = 0
    holds: HoldSettings = field(default_factory=HoldSettings)
    layouts: Layouts = field(default_factory=Layouts)
    objects_max: int = 50_000_000
    part_size: int = 16 * MIB
    copy_size_min: int = 16 * MIB
    readers: int = READERS
    groups_at_once: int = 4

    @property
    def bucket_owners(self) -> tuple[tuple[str, str], ...]:
        """The accounts that buckets must belong to, where that is not the caller's own: (name, or
        beginning of names followed by *, account).
        """
        if self.destination_bucket is None or self.destination_account is None:
            return self.bucket_accounts
        return (*self.bucket_accounts, (self.destination_bucket, self.destination_account))

    @property
    def days_kept(self) -> int:
        """How far beyond `look_back_days` a run looks for originals that have become old enough to
        delete. 0 where a run deletes none.
        """
        return self.keep_originals_days if self.delete_originals else 0


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: how a value is read from TOML or from text."""

    name: str
    parse: Callable[[Any], Any]
    allowed: str
    meaning: str
    on_command_line: bool = True
    is_flag: bool = False
    """True or false: an option, and its opposite with `no-` before the name."""


def read_settings(path: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a file, with overrides on top. Raises SettingsError, which names setting,
    value and what is allowed.
    """
    values = dict(read_toml(path, "--config")) if path is not None else {}
    values |= {name: value for name, value in overrides.items() if value is not None}
    rows = {row.name: row for row in SETTINGS}
    unknown = sorted(set(values) - set(rows))
    if unknown:
        raise SettingsError(f"{unknown[0]}: there is no such setting; expected {', '.join(rows)}")
    settings = Settings(**{name: _parse(rows[name], value) for name, value in values.items()})
    _check_together(settings)
    return settings


def check_sources(settings: Settings) -> None:
    """For commands that take logs from buckets. Raises SettingsError where no bucket is named."""
    if not settings.control_tower_bucket and not settings.other_buckets:
        raise SettingsError(
            "control_tower_bucket, other_buckets: expected at least one bucket to take logs from"
        )


def read_toml(path: Path, option: str) -> Mapping[str, Any]:
    """The values of a file that `option` names. Raises SettingsError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{option} {path}: there is no such file") from None
    except OSError as error:
        raise SettingsError(f"{option} {path}: cannot be read: {error.strerror}") from None
    return _parse_toml(data, f"{option} {path}")


def parse_layouts(data: bytes, file: str) -> Layouts:
    """The declarations of a file that holds nothing else; `file` names it in errors. Raises
    SettingsError, in one line.
    """
    values = _parse_toml(data, file)
    others = sorted(set(values) - {"layouts"})
    if others:
        raise SettingsError(
            f"{file}: {others[0]}: expected nothing but tables that begin with [[layouts]]"
        )
    try:
        return read_declarations(values.get("layouts", []))
    except PatternError as error:
        raise SettingsError(f"{file}: {error}") from None


def _parse_toml(data: bytes, file: str) -> Mapping[str, Any]:
    import tomllib  # noqa: PLC0415 - most Lambda functions read no file; importing costs cold start

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        bare = _BARE_ACCOUNT.search(data.decode("utf-8-sig"))
        hint = IN_QUOTES.format(bare[1]) if bare else ""
        raise SettingsError(f"{file}: not a TOML file: {error}{hint}") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # tomllib passes these on where a number is too large or a nesting too deep
        raise SettingsError(f"{file}: not a TOML file: {error}") from None


def _parse(row: Setting, value: Any) -> Any:
    try:
        return row.parse(value)
    except PatternError as error:
        raise SettingsError(str(error)) from None
    except _UNFIT:
        hint = IN_QUOTES.format(_first_number(value)) if _fits(row, _quote(value)) else ""
        raise SettingsError(f"{row.name} = {value!r}: expected {row.allowed}{hint}") from None


IN_QUOTES = '; write it in quotes: "{}"'
_BARE_ACCOUNT = re.compile(r"[=\[,]\s*(0\d{11})\b")
"""TOML has no numbers that begin with a zero, so it refuses the whole file."""
_UNFIT = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


def _fits(row: Setting, value: Any) -> bool:
    try:
        row.parse(value)
    except _UNFIT:
        return False
    return True


def _quote(value: Any) -> Any:
    """The same, with its numbers as text: TOML reads an account id without quotes as a number."""
    if isinstance(value, Mapping):
        return {name: _quote(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_quote(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _first_number(value: Any) -> str:
    found = re.search(r"\d{2,}", str(value))
    return found[0] if found else ""


def _check_together(settings: Settings) -> None:
    if not (settings.control_tower_bucket or settings.other_buckets or settings.destination_bucket):
        raise SettingsError(
            "control_tower_bucket, other_buckets, destination_bucket: no bucket is named; "
            "`log-aggregator init` writes a settings file"
        )
    _check_accounts(settings)
    if settings.other_regions == "delete" and not settings.aggregation_regions:
        raise SettingsError(
            "other_regions = 'delete': expected aggregation_regions too, which says what the "
            "other regions are"
        )
    if settings.verify == "read-back" and settings.storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        raise SettingsError(
            "verify = 'read-back': expected 'checksum', because packs in storage_class = "
            f"{settings.storage_class!r} cannot be read back"
        )
    if settings.time_stamp_url is not None and settings.sign_with is None:
        raise SettingsError(
            f"time_stamp_url = {settings.time_stamp_url!r}: expected together with sign_with"
        )
    if settings.pack_size_max < settings.part_size:
        raise SettingsError(
            f"pack_size_max = {settings.pack_size_max}: expected part_size "
            f"({settings.part_size}) or more"
        )


def _check_accounts(settings: Settings) -> None:
    if settings.destination_account is None:
        return
    if settings.destination_bucket is None:
        raise SettingsError(
            f"destination_account = {settings.destination_account!r}: expected together with "
            "destination_bucket"
        )
    named = dict(settings.bucket_accounts).get(settings.destination_bucket)
    if named not in (None, settings.destination_account):
        raise SettingsError(
            f"destination_account = {settings.destination_account!r}: expected {named!r}, as "
            f"bucket_accounts says of {settings.destination_bucket}"
        )


def _size(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool):
            raise TypeError
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)\s*", str(value).upper())
        if not found:
            raise ValueError
        return _within(int(float(found[1]) * _SIZE_UNITS[found[2]]), low, high)

    return parse


def _count(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, (bool, float)):
            raise TypeError
        return _within(int(value), low, high)

    return parse


def _flag(value: Any) -> bool:
    """Text comes from the command line and the environment."""
    return value if isinstance(value, bool) else {"true": True, "false": False}[value]


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise ValueError
    return number


def _word(pattern: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return parse


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value == "" else parse(value)


def _words(pattern: str) -> Callable[[Any], tuple[str, ...]]:
    one = _word(pattern)

    def parse(value: Any) -> tuple[str, ...]:
        items: Sequence[Any] = (
            [item.strip() for item in value.split(",")] if isinstance(value, str) else value
        )
        return tuple(dict.fromkeys(one(item) for item in items if item != ""))

    return parse


def _choice(*allowed: str) -> Callable[[Any], str]:
    return _word("|".join(map(re.escape, allowed)))


def _prefix(value: Any) -> str:
    text = _word(r"[A-Za-z0-9!_.*'()/-]{1,256}")(value).strip("/")
    if not text or "//" in text:
        raise ValueError
    return text


def _holds(value: Any) -> HoldSettings:
    if set(value) - {item.name for item in fields(HoldSettings)}:
        raise ValueError
    return HoldSettings(
        buckets=_words(_BUCKET)(value.get("buckets", ())),
        accounts=_words(r"\d{12}")(value.get("accounts", ())),
        prefixes=tuple(
            prefix.removeprefix("s3://")
            for prefix in _words(r".{1,1100}")(value.get("prefixes", ()))
        ),
        dates=tuple(_date_range(item) for item in value.get("dates", ())),
    )


def _accounts(value: Any) -> tuple[tuple[str, str], ...]:
    """A table; or text, name=account with commas between them."""
    if isinstance(value, str):
        pairs = [item.split("=") for item in value.split(",") if item.strip()]
        rows = [(name.strip(), account.strip()) for name, account in pairs]
    else:
        rows = list(value.items() if isinstance(value, Mapping) else value)
    found: dict[str, str] = {}
    for name, account in rows:
        name_, account_ = _word(_BUCKET_OR_ALL)(name), _word(_ACCOUNT)(account)
        if found.setdefault(name_, account_) != account_:
            raise ValueError
    return tuple(sorted(found.items()))


def _date_range(value: Any) -> tuple[date, date]:
    first, dots, last = str(value).partition("..")
    days = date.fromisoformat(first.strip()), date.fromisoformat((last if dots else first).strip())
    if days[0] > days[1]:
        raise ValueError
    return days


_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_BUCKET_OR_PREFIX = r"[a-z0-9][a-z0-9.-]{0,62}\*?"
_BUCKET_OR_ALL = rf"{_BUCKET_OR_PREFIX}|\*"
_ACCOUNT = r"[0-9]{12}"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "control_tower_bucket",
        _words(_BUCKET),
        "one bucket name or a list of them",
        "Buckets that Control Tower writes CloudTrail and Config to.",
    ),
    Setting(
        "other_buckets",
        _words(_BUCKET_OR_PREFIX),
        "a list of bucket names, or beginnings of bucket names ending in *",
        "Auxiliary log buckets: names, or beginnings of names followed by *.",
    ),
    Setting(
        "organization_id",
        _optional(_word(r"o-[a-z0-9]{4,32}")),
        "an organisation id such as o-abc123defg",
        "The organisation's id. Left out: detected.",
    ),
    Setting(
        "aggregation_regions",
        _words(REGION),
        "a list of regions such as eu-west-1",
        "Regions whose logs are packed. Left out: all.",
    ),
    Setting(
        "other_regions",
        _choice("keep", "delete"),
        '"keep" or "delete"',
        "What happens to logs of regions that are not in aggregation_regions. `delete` "
        "deletes them without packing them.",
    ),
    Setting(
        "destination_bucket",
        _optional(_word(_BUCKET)),
        "a bucket name",
        "The bucket that packs and indexes go to. Left out: they stay in their source bucket, "
        "under final_aggregation_prefix.",
    ),
    Setting(
        "destination_account",
        _optional(_word(_ACCOUNT)),
        "an account id of 12 digits",
        "The account that destination_bucket must belong to. Left out: the one in bucket_accounts, "
        "or else that of the credentials.",
    ),
    Setting(
        "bucket_accounts",
        _accounts,
        "a table of bucket names, or beginnings ending in *, and account ids of 12 digits; on the "
        "command line NAME=ACCOUNT with commas",
        "The accounts that buckets must belong to: S3 refuses every request to a bucket of another "
        "account. A bucket that is not named must belong to the account of the credentials. With "
        "an S3 server that is not AWS's, it may belong to any.",
    ),
    Setting(
        "final_aggregation_prefix",
        _prefix,
        "a key prefix",
        "Prefix of packs/ and indexes/ where there is no destination_bucket.",
    ),
    Setting(
        "storage_class",
        _choice(*_STORAGE_CLASSES),
        ", ".join(_STORAGE_CLASSES),
        "Storage class of packs. Indexes are always STANDARD.",
    ),
    Setting(
        "kms_key_id",
        _optional(_word(r"[A-Za-z0-9:/_-]{1,2048}")),
        "a KMS key id, alias or ARN",
        "KMS key for packs and indexes. Left out: the bucket's default.",
    ),
    Setting(
        "search",
        _choice("plain", "hashed", "off"),
        '"plain", "hashed" or "off"',
        "Whether the values that people search events for are kept next to each pack: as they are, "
        "as keyed hashes (LOG_AGGREGATOR_SEARCH_KEY), or not at all; see "
        "docs/how-to/choose-what-search-keeps.md.",
    ),
    Setting(
        "search_kms_key_id",
        _optional(_word(r"[A-Za-z0-9:/_-]{1,2048}")),
        "a KMS key id, alias or ARN",
        "KMS key for what is kept for searching, under terms/ and tables/. Left out: kms_key_id.",
    ),
    Setting(
        "sign_with",
        _optional(
            _word(r"kms:arn:aws[a-z-]*:kms:[A-Za-z0-9:/_-]{1,2048}|(?!kms:)[^\x00-\x1f]{1,4096}")
        ),
        "kms: and the ARN of an RSA key in KMS, or the path of a PEM file with one",
        "Key that custody records are signed with at the end of each run; see "
        "docs/how-to/sign-custody-records.md. Left out: they are not signed.",
    ),
    Setting(
        "time_stamp_url",
        _optional(_word(r"https?://[^\s\x00-\x1f]{1,2048}")),
        "a URL that begins with http:// or https://",
        "With sign_with: the time-stamping authority (RFC 3161) that confirms when a record was "
        "signed. Left out: only the signer says when.",
    ),
    Setting(
        "glacier_object_size",
        _size(128 * 1024, 5 * 1024 * GIB),
        "a size from 128 KiB to 5 TiB",
        "Objects of this size or more are not packed: S3 copies each one by itself.",
    ),
    Setting(
        "pack_size_max",
        _size(5 * MIB, 100 * GIB),
        "a size from 5 MiB to 100 GiB",
        "A pack ends at this size; a busy day becomes several packs.",
    ),
    Setting(
        "members_max",
        _count(1, 1_000_000),
        "a number from 1 to 1000000",
        "A pack has at most this many members.",
    ),
    Setting(
        "look_back_days",
        _count(0, 366),
        "a number of days from 0 to 366",
        "How many days before yesterday a run checks again for late logs.",
    ),
    Setting(
        "verify",
        _choice("checksum", "read-back"),
        '"checksum" or "read-back"',
        "How packs are verified before originals are deleted.",
    ),
    Setting(
        "delete_originals",
        _flag,
        "true or false",
        "Delete originals whose pack is verified. Without it, a run packs them and keeps them.",
        is_flag=True,
    ),
    Setting(
        "keep_originals_days",
        _count(0, 3660),
        "a number of days from 0 to 3660",
        "With delete_originals: originals are deleted once their pack is this many days old.",
    ),
    Setting(
        "holds",
        _holds,
        "a table with lists buckets, accounts, prefixes, dates",
        "What is never touched: neither packed nor deleted.",
        on_command_line=False,
    ),
    Setting(
        "layouts",
        read_declarations,
        "tables with name, pattern, and optionally buckets, kind, date",
        "Layouts of free keys, which are left alone unless they are declared; see "
        "docs/how-to/declare-your-logs.md.",
        on_command_line=False,
    ),
    Setting(
        "objects_max",
        _count(1, 10**9),
        "a number from 1 to 1000000000",
        "A run that would touch more log objects than this touches none.",
    ),
    Setting(
        "part_size",
        _size(5 * MIB, GIB),
        "a size from 5 MiB to 1 GiB",
        "Size of a pack's parts. Memory use is about 2 x groups_at_once of them.",
    ),
    Setting(
        "copy_size_min",
        _size(10 * MIB, 5 * GIB),
        "a size from 10 MiB to 5 GiB",
        "Members of this size or more are copied by S3 into the pack.",
    ),
    Setting("readers", _count(1, 512), "a number from 1 to 512", "GET requests at the same time."),
    Setting(
        "groups_at_once",
        _count(1, 64),
        "a number from 1 to 64",
        "Groups, and listings, at the same time.",
    ),
)
