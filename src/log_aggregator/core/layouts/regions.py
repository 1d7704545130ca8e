"""What a Region's name looks like: strict, so that `web-server-01` does not count as one.

Source: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html, with the
partitions aws, aws-cn, aws-us-gov, aws-iso*, aws-eusc, and local and wavelength zones.
"""

from __future__ import annotations

import re

_PARENT = (
    "(?:af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov|us-iso[a-z]?|eu-iso[a-z]?|eusc-[a-z]{2})-"
    "(?:central|(?:north|south)(?:east|west)?|east|west)-[1-9]"
)
REGION = rf"{_PARENT}(?:-[a-z]{{3}}-[0-9][a-z]?|-wl[0-9]-[a-z]{{3}}-wlz-[0-9])?"
"""A regular expression: a Region, or a zone of one ("us-west-2-lax-1a")."""

GLOBAL_NAMES = frozenset({"global", "cloudfront", "aws-global"})
"""What AWS writes in the place of a Region for services without one."""


def is_region(text: str) -> bool:
    """Whether it is the name of a Region or a zone."""
    return _WHOLE.fullmatch(text) is not None


def parent_region(region: str) -> str:
    """The Region that a zone belongs to; a Region is its own."""
    found = _BEGINNING.match(region)
    return found[0] if found else region


_WHOLE = re.compile(REGION)
_BEGINNING = re.compile(_PARENT)
