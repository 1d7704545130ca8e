"""Versions of everything that is stored and read again: what a newer release wrote is refused, and
the message says so. docs/reference/compatibility.md lists the formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from log_aggregator.errors import BadPack, BadTerms, NewerFormat


def check_format(
    what: str,
    head: Mapping[str, Any],
    name: str,
    version: int,
    error: type[BadPack | BadTerms] = BadPack,
) -> None:
    """`head` is the part of it that says its own format; it must be `name`, in `version`.

    To be called before anything else of it is read: a newer version may have other fields. Raises
    `error`; NewerFormat in place of BadPack where a newer release wrote it; KeyError where it says
    no format at all.
    """
    if head["format"] != name:
        raise error(f"{what} is of another format: expected {name}")
    check_version(what, head["version"], version, error)


def check_version(
    what: str, found: object, version: int, error: type[BadPack | BadTerms] = BadPack
) -> None:
    """The same for what says its version elsewhere. Raises `error`."""
    if type(found) is int and found > version:
        kind = NewerFormat if error is BadPack else error
        raise kind(
            f"{what} has version {found} of its format, and this release reads up to version "
            f"{version}: install a newer release"
        )
    if type(found) is not int or found != version:
        raise error(f"{what} has no version of its format that there is")
