"""Packs and indexes as DuckDB tables with the names from our Athena statements, so that the exact
text of a view can be run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from log_aggregator.core.athena import Table, View
from log_aggregator_lab.stores.memory import MemoryStore

MACROS = (
    "CREATE MACRO json_extract_scalar(value, path) AS json_extract_string(value, path)",
    "CREATE MACRO json_format(value) AS CAST(value AS VARCHAR)",
    "CREATE MACRO element_at(list, place) AS list[place]",
)
"""Functions of Athena that have another name here."""


def dump(store: MemoryStore, bucket: str, folder: Path) -> None:
    """Writes every object of a bucket to a file."""
    for entry in store.list_objects(bucket).objects:
        path = folder / bucket / entry.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.get_object(bucket, entry.key).data)


def connect_views(folder: Path, views: tuple[View, ...], days: list[date]) -> Any:
    """A database with every view, over files at the places given by the table's location
    template.
    """
    connection = duckdb.connect()
    connection.execute('CREATE SCHEMA "log_archive"')
    for macro in MACROS:
        connection.execute(macro)
    for view in views:
        connection.execute(
            f'CREATE TABLE "log_archive"."{view.table.name}" AS '
            f"{' UNION ALL '.join(_partitions(folder, view.table, days))}"
        )
        connection.execute(view.statement().replace("ARRAY(JSON)", "JSON[]"))
    return connection


def locate(template: str, values: Mapping[str, str]) -> str:
    """As Athena fills in a location template."""
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", value)
    assert "${" not in template
    return template


def _partitions(folder: Path, table: Table, days: list[date]) -> Iterator[str]:
    """A query for each partition that is not empty; if all are empty, one without rows."""
    columns = ", ".join(f"'' AS {name}" for name in table.partitions)
    yield f"SELECT '' AS line, {columns}, '' AS \"$path\" WHERE false"
    properties = dict(table.projection())
    values = [
        [f"{day:%Y/%m/%d}" for day in days]
        if name == "day"
        else properties[f"projection.{name}.values"].split(",")
        for name in table.partitions
    ]
    for found in itertools.product(*values):
        partition = dict(zip(table.partitions, found, strict=True))
        place = folder / locate(table.location_template, partition).removeprefix("s3://")
        for path in sorted(path for path in place.rglob("*") if path.is_file()):
            constants = ", ".join(f"'{value}' AS {name}" for name, value in partition.items())
            yield f"SELECT line, {constants}, '{path}' AS \"$path\" FROM {_lines(path)}"


def _lines(path: Path) -> str:
    if path.suffix != ".gz":
        return "(SELECT 'what a reader of text makes of a tar' AS line)"
    return (
        f"read_csv('{path}', columns = {{'line': 'VARCHAR'}}, delim = '\\x01', quote = '', "
        "escape = '', header = false,"
        " auto_detect = false, compression = 'gzip', max_line_size = 50000000)"
    )
