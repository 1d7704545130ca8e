"""Statements for Amazon Athena: tables over packs and over indexes, and views that take their lines
apart.

Every table has one column, the whole line. JSON is parsed in the views, by Athena's own functions,
not by a SerDe: SerDes turn all names into lower case, and fail if a document then has the same name
twice (CloudTrail's `tagging` and `Tagging`,
https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html). Partitions are projected from
the keys, so none ever has to be added
(https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html).

None of this has been run on Athena. The tests run the views on DuckDB, over packs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.model import Target

FLOW_FIELDS = (
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
)
"""The default format of flow logs.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

_NUMBERS = frozenset(
    {
        "version",
        "srcport",
        "dstport",
        "protocol",
        "packets",
        "bytes",
        "start",
        "end",
        "tcp-flags",
        "traffic-path",
    }
)
_RESERVED = {"start": "start_time", "end": "end_time"}  # END is a reserved word of SQL


@dataclass(frozen=True, slots=True)
class Scope:
    """What the tables cover. If no source buckets or accounts are given, every query must name them
    in its WHERE, because Athena cannot list the values of an injected partition.
    """

    target: Target
    database: str
    first: date
    source_buckets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table over one folder of a target. If `log_type` is None it covers all types, and the type
    is a partition.
    """

    scope: Scope
    name: str
    folder: str
    log_type: str | None
    log_types: tuple[str, ...] = ()

    @property
    def partitions(self) -> tuple[str, ...]:
        return ("source_bucket", *(() if self.log_type else ("log_type",)), "account", "day")

    @property
    def location(self) -> str:
        return f"s3://{self.scope.target.bucket}/{self.scope.target.root}{self.folder}/"

    @property
    def location_template(self) -> str:
        """The prefix of a partition's packs or indexes, like `model.Target.packs_prefix`."""
        return (
            f"{self.location}${{source_bucket}}/{self.log_type or '${log_type}'}/${{account}}/"
            f"${{day}}/"
        )

    def projection(self) -> Iterator[tuple[str, str]]:
        scope = self.scope
        yield "projection.enabled", "true"
        yield from _enumerated("source_bucket", scope.source_buckets)
        if self.log_type is None:
            yield from _enumerated("log_type", self.log_types)
        yield from _enumerated("account", scope.accounts)
        yield "projection.day.type", "date"
        yield "projection.day.format", "yyyy/MM/dd"
        yield "projection.day.range", f"{scope.first:%Y/%m/%d},NOW"
        yield "projection.day.interval", "1"
        yield "projection.day.interval.unit", "DAYS"
        yield "storage.location.template", self.location_template
        # Without it Athena silently skips every object in an archive class, even thawed ones.
        # https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
        yield "read_restored_glacier_objects", "true"

    def statement(self) -> str:
        partitions = ", ".join(f"`{name}` string" for name in self.partitions)
        properties = ",\n".join(f"  '{name}' = '{value}'" for name, value in self.projection())
        return (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS `{self.scope.database}`.`{self.name}` (\n  "
            "`line` string\n)\n"
            f"PARTITIONED BY ({partitions})\n"
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' LINES TERMINATED BY '\\n'\n"
            "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION '{self.location}'\n"
            f"TBLPROPERTIES (\n{properties}\n);"
        )


@dataclass(frozen=True, slots=True)
class View:
    """A view over a table: (name, expression) for each column, over lines or over the entries that
    `unnests` makes of a line.
    """

    table: Table
    name: str
    columns: tuple[tuple[str, str], ...]
    unnests: str = ""
    where: str = ""

    def query(self) -> str:
        """What the view selects."""
        places = [(name, name) for name in self.table.partitions]
        columns = ",\n".join(
            f"  {expression} AS {name}"
            for name, expression in (*self.columns, *places, ("pack_path", '"$path"'))
        )
        source = f'"{self.table.scope.database}"."{self.table.name}"'
        unnest = f"\nCROSS JOIN UNNEST({self.unnests}) AS t (entry)" if self.unnests else ""
        # Packs of binary formats (Parquet and the like) are tar files, which are not text.
        where = " AND ".join(["\"$path\" LIKE '%.gz'", *([self.where] if self.where else [])])
        return f"SELECT\n{columns}\nFROM {source}{unnest}\nWHERE {where}"

    def statement(self) -> str:
        return (
            f'CREATE OR REPLACE VIEW "{self.table.scope.database}"."{self.name}" '
            f"AS\n{self.query()};"
        )


def make_views(
    scope: Scope, log_types: Sequence[str], flow_fields: Sequence[str] = FLOW_FIELDS
) -> tuple[View, ...]:
    """A view for each log type, each over its own table, and one over the indexes of all types."""
    return (
        *(_view_of(scope, log_type, flow_fields) for log_type in log_types),
        _index_view(scope, log_types),
    )


def render_statements(scope: Scope, views: Iterable[View]) -> Iterator[str]:
    """All statements in the order in which to run them."""
    yield f"CREATE DATABASE IF NOT EXISTS `{scope.database}`;"
    for view in views:
        yield view.table.statement()
        yield view.statement()


def _view_of(scope: Scope, log_type: str, flow_fields: Sequence[str]) -> View:
    name = re.sub("[^a-z0-9]+", "_", log_type.lower())
    table = Table(scope, f"{name}_packs", "packs", log_type)
    match log_type:
        case "CloudTrail":
            return View(table, "cloudtrail_events", _CLOUDTRAIL, _entries("Records"))
        case "Config":
            return View(table, "config_items", _CONFIG, _entries("configurationItems"))
        case "vpcflowlogs":
            # Each member begins with a line that names the fields.
            return View(
                table,
                "vpc_flow_logs",
                tuple(_flow_columns(flow_fields)),
                where=f"line NOT LIKE '{flow_fields[0]} %'",
            )
        case _:
            return View(table, f"{name}_lines", (("line", "line"),))


def _index_view(scope: Scope, log_types: Sequence[str]) -> View:
    table = Table(scope, "pack_indexes", "indexes", None, tuple(log_types))
    # The first line of an index describes the pack and has no key.
    return View(
        table, "packed_objects", _MEMBERS, where="json_extract_scalar(line, '$.key') IS NOT NULL"
    )


def _enumerated(column: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    if values:
        yield f"projection.{column}.type", "enum"
        yield f"projection.{column}.values", ",".join(values)
    else:
        yield f"projection.{column}.type", "injected"


def _entries(name: str) -> str:
    return f"CAST(json_extract(line, '$.{name}') AS ARRAY(JSON))"


def _text(column: str, path: str, source: str = "entry") -> tuple[str, str]:
    return column, f"json_extract_scalar({source}, '$.{path}')"


def _whole(column: str, path: str, source: str = "entry") -> tuple[str, str]:
    return column, f"json_format(json_extract({source}, '$.{path}'))"


def _number(column: str, path: str, source: str = "entry") -> tuple[str, str]:
    return column, f"TRY_CAST(json_extract_scalar({source}, '$.{path}') AS BIGINT)"


def _flow_columns(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for position, name in enumerate(names, 1):
        part = f"element_at(split(line, ' '), {position})"
        column = _RESERVED.get(name, name.replace("-", "_"))
        yield column, f"TRY_CAST({part} AS BIGINT)" if name in _NUMBERS else part


_CLOUDTRAIL = (
    _text("event_time", "eventTime"),
    _text("event_source", "eventSource"),
    _text("event_name", "eventName"),
    _text("aws_region", "awsRegion"),
    _text("source_ip_address", "sourceIPAddress"),
    _text("user_agent", "userAgent"),
    _text("error_code", "errorCode"),
    _text("error_message", "errorMessage"),
    _text("identity_type", "userIdentity.type"),
    _text("identity_arn", "userIdentity.arn"),
    _text("identity_account", "userIdentity.accountId"),
    _text("identity_principal", "userIdentity.principalId"),
    _text("identity_access_key", "userIdentity.accessKeyId"),
    _text("identity_service", "userIdentity.invokedBy"),
    _whole("request_parameters", "requestParameters"),
    _whole("response_elements", "responseElements"),
    _whole("additional_event_data", "additionalEventData"),
    _whole("resources", "resources"),
    _text("request_id", "requestID"),
    _text("event_id", "eventID"),
    _text("event_type", "eventType"),
    _text("event_category", "eventCategory"),
    _text("read_only", "readOnly"),
    _text("recipient_account", "recipientAccountId"),
    _text("vpc_endpoint", "vpcEndpointId"),
    ("event", "json_format(entry)"),
)
"""https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

_CONFIG = (
    _text("capture_time", "configurationItemCaptureTime"),
    _text("status", "configurationItemStatus"),
    _text("resource_type", "resourceType"),
    _text("resource_id", "resourceId"),
    _text("resource_name", "resourceName"),
    _text("arn", "ARN"),
    _text("aws_account", "awsAccountId"),
    _text("aws_region", "awsRegion"),
    _text("availability_zone", "availabilityZone"),
    _text("created", "resourceCreationTime"),
    _whole("configuration", "configuration"),
    _whole("supplementary_configuration", "supplementaryConfiguration"),
    _whole("relationships", "relationships"),
    _whole("tags", "tags"),
    ("item", "json_format(entry)"),
)
"""https://docs.aws.amazon.com/config/latest/developerguide/config-item-table.html"""

_MEMBERS = (
    _text("object_key", "key", "line"),
    _text("version_id", "version_id", "line"),
    _text("etag", "etag", "line"),
    _number("object_bytes", "size", "line"),
    _text("last_modified", "last_modified", "line"),
    _text("sha256", "sha256", "line"),
    _number("pack_offset", "offset", "line"),
    _number("pack_bytes", "length", "line"),
    _whole("user_metadata", "metadata", "line"),
)
"""docs/internals/pack-format.md"""
