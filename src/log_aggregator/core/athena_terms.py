"""Statements for Amazon Athena over the tables of terms, which are Parquet files. None of this has
been run on Athena; the tests run the view's query on DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import indent

from log_aggregator.core.athena import Scope
from log_aggregator.core.tables.keys import FOLDER

TABLE, VIEW = "pack_terms", "searched_terms"
COLUMNS = (
    ("value", "string"),
    ("field", "string"),
    ("account", "string"),
    ("pack", "string"),
    ("first", "bigint"),
    ("lasted", "int"),
    ("count", "bigint"),
)
"""As `core.tables.parquet` writes them."""
_QUERY = """SELECT DISTINCT
  value,
  field,
  account,
  pack,
  from_unixtime(first) AS first_seen,
  from_unixtime(first + lasted) AS last_seen,
  "count" AS occurrences,
  log_type,
  month
FROM {source}"""


def render_terms_statements(scope: Scope, log_types: Sequence[str]) -> Iterator[str]:
    """A table over all of them, and a view of it. Partitions are projected from the keys, as for
    packs.
    """
    columns = ",\n".join(f"  `{name}` {kind}" for name, kind in COLUMNS)
    location = f"s3://{scope.target.bucket}/{scope.target.root}{FOLDER}"
    properties = {
        "projection.enabled": "true",
        "projection.log_type.type": "enum",
        "projection.log_type.values": ",".join(log_types),
        "projection.month.type": "date",
        "projection.month.format": "yyyy-MM",
        "projection.month.range": f"{scope.first:%Y-%m},NOW",
        "projection.month.interval": "1",
        "projection.month.interval.unit": "MONTHS",
        "storage.location.template": f"{location}${{log_type}}/${{month}}/",
    }
    pairs = ",\n".join(f"'{name}' = '{value}'" for name, value in properties.items())
    yield (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{scope.database}`.`{TABLE}` (\n{columns}\n)\n"
        "PARTITIONED BY (`log_type` string, `month` string)\n"
        "STORED AS PARQUET\n"
        f"LOCATION '{location}'\n"
        f"TBLPROPERTIES (\n{indent(pairs, '  ')}\n);"
    )
    query = terms_query(f'"{scope.database}"."{TABLE}"')
    yield f'CREATE OR REPLACE VIEW "{scope.database}"."{VIEW}" AS\n{query};'


def terms_query(source: str) -> str:
    """The view's query. It needs DISTINCT because merged tables leave the older ones in place, with
    the same rows.
    """
    return _QUERY.format(source=source)
