"""The keys of tables in a target, and which packs belong into which table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from log_aggregator.model import Target

FOLDER = "tables/"
ENDING = ".parquet"
_NAME = re.compile(r"[0-9]{2}-[0-9a-f]{16}\.parquet")
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Shelf:
    """What a table covers: packs of one log type and one month, by log date."""

    log_type: str
    month: str

    def prefix(self, target: Target) -> str:
        return f"{target.root}{FOLDER}{self.log_type}/{self.month}/"

    def holds(self, pack: str) -> bool:
        """Whether a pack, named by its key without the target's root and "packs/", belongs here."""
        return shelf_of(pack) == self


@dataclass(frozen=True, slots=True)
class TableName:
    """The name of a table: its level, which is higher than that of all tables that it replaces, and
    the id of the set of packs that it covers. So two tables over the same packs have the same name.
    """

    level: int
    id: str

    def __str__(self) -> str:
        return f"{self.level:02}-{self.id}{ENDING}"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table as it was listed."""

    target: Target
    shelf: Shelf
    name: str
    size_bytes: int

    @property
    def key(self) -> str:
        return self.shelf.prefix(self.target) + self.name

    @property
    def level(self) -> int:
        return int(self.name[:2])

    @property
    def where(self) -> str:
        return f"s3://{self.target.bucket}/{self.key}"


def parse_table(target: Target, key: str, size_bytes: int) -> StoredTable | None:
    """None if it is not a table of this target."""
    log_type, _, rest = key.removeprefix(f"{target.root}{FOLDER}").partition("/")
    month, _, name = rest.partition("/")
    if not (_MONTH.fullmatch(month) and _NAME.fullmatch(name)):
        return None
    return StoredTable(target, Shelf(log_type, month), name, size_bytes)


def shelf_of(pack: str) -> Shelf:
    """From `<source bucket>/<log type>/<account>/<YYYY>/<MM>/<DD>/<name>`. Raises ValueError."""
    parts = pack.split("/", 6)
    if len(parts) < 7:
        raise ValueError(f"expected the name of a pack, not {pack!r}")
    return Shelf(parts[1], f"{parts[3]}-{parts[4]}")


def pack_name(target: Target, pack_key: str) -> str:
    """A pack's key without the target's root and "packs/"."""
    return pack_key.removeprefix(f"{target.root}packs/")


def order_for_reading(tables: Iterable[StoredTable]) -> list[StoredTable]:
    """Tables that replace others come first."""
    return sorted(tables, key=lambda table: (-table.level, table.name))
