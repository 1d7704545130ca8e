"""Options that say whose signatures of custody records are trusted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from log_aggregator.core.signatures import name_key, parse_public_keys
from log_aggregator.errors import SettingsError
from log_aggregator.steps.custody.prove import Trust
from log_aggregator.wiring import Connection, connect_kms_key, read_time_authorities

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Trusted:
    """What was typed: files, ARNs, and a file with certificates."""

    public_keys: tuple[Path, ...]
    kms_keys: tuple[str, ...]
    authority: Path | None

    def read_files(self) -> Trust:
        """Reads the files, before any connection. Raises SettingsError, NotInstalled."""
        keys: dict[bytes, str] = {}
        for path in self.public_keys:
            keys |= _read_keys(path)
        stamps = None if self.authority is None else read_time_authorities(self.authority)
        return Trust(keys, stamps)

    def read_keys(self, connection: Connection, trust: Trust) -> Trust:
        """Adds the public keys that KMS holds. Raises CannotStart, SettingsError."""
        asked = {connect_kms_key(connection, arn).public_key: arn for arn in self.kms_keys}
        return replace(trust, keys={**trust.keys, **asked})


def trust_options(function: F) -> F:
    """--public-key, --kms-key, --time-stamp-authority, as one value named `trusted`."""

    @functools.wraps(function)
    def with_trust(**values: Any) -> Any:
        names = ("public_keys", "kms_keys", "time_stamp_authority")
        return function(trusted=Trusted(*(values.pop(name) for name in names)), **values)

    decorated: Any = with_trust
    decorated = click.option(
        "--time-stamp-authority",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A file with the root certificates (PEM) of the time-stamping authorities to trust. "
        "Left out: time stamps are not checked.",
    )(decorated)
    decorated = click.option(
        "--kms-key",
        "kms_keys",
        multiple=True,
        metavar="ARN",
        help="The same, for a key in KMS; may be repeated. Left out: none.",
    )(decorated)
    return click.option(  # type: ignore[no-any-return]
        "--public-key",
        "public_keys",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="A file with the public key (PEM or DER) of a key that signs records; may be "
        "repeated. Once a key is named, a signature by any other key counts as a break. Left out: "
        "signatures prove nothing.",
    )(decorated)


def _read_keys(path: Path) -> dict[bytes, str]:
    """Public keys, and where they came from. Raises SettingsError."""
    try:
        found = parse_public_keys(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"--public-key {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(
            f"--public-key {path}: expected a public RSA key: {error}; "
            "`openssl pkey -in KEY -pubout` writes one"
        ) from None
    return {der: f"{path} ({name_key(der)})" for der in found}
