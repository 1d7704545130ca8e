"""Short names of packs, which the rows of a table use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SHORT_CHARS = 12
_ID = re.compile("[0-9a-f]{32}")
_ACCOUNT = 2


@dataclass(frozen=True, slots=True)
class ShortNames:
    """The short names of the packs of one table, in both directions. A pack's full name is its key
    without the target's root and "packs/".
    """

    short_of: Mapping[str, str]
    pack_of: Mapping[str, str]

    @classmethod
    def of(cls, packs: Iterable[str]) -> ShortNames:
        """The first twelve digits of the id in each name, which are random; more if two packs have
        the same ones. A pack without an id keeps its whole name.
        """
        names = list(dict.fromkeys(packs))
        ids = [_id_of(name) for name in names]
        for chars in range(SHORT_CHARS, 33, 4):
            shorts = [found[:chars] for found in ids]
            if len(set(shorts)) == len(names):
                break
        else:
            shorts = names
        return cls(dict(zip(names, shorts, strict=True)), dict(zip(shorts, names, strict=True)))


def find_pack(short: str, names: Iterable[str]) -> str:
    """The pack with this short name, faster than ShortNames for a few names. Raises KeyError."""
    found = [
        name
        for name in names
        if short in name and (_id_of(name).startswith(short) or name == short)
    ]
    if len(found) != 1:
        raise KeyError(short)
    return found[0]


def account_of(pack: str) -> str:
    """`<source bucket>/<log type>/<account>/...`"""
    return pack.split("/", _ACCOUNT + 1)[_ACCOUNT]


def _id_of(pack: str) -> str:
    """The first id in the name: in that of a copy, the original's own name follows."""
    found = _ID.search(pack.split("/", 6)[-1])
    return found[0] if found else pack
