"""Objects among the logs that are not logs: a table, by the structure of their keys.

There are two kinds of rows. Keys that no log ever has are left alone everywhere. Keys that only
look unlike a log (a parquet file, a folder of temporary files) are left alone unless a head or a
declared layout says that they are logs; see `parse` and `declared`.

Sources: the user guides of the services, and the formats' specifications:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html,
https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_view_metrics_export.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html,
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ExportSnapshot.html,
https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html,
https://docs.aws.amazon.com/security-lake/latest/userguide/open-cybersecurity-schema-framework.html,
https://docs.aws.amazon.com/connect/latest/adminguide/s3-storage.html,
https://docs.aws.amazon.com/cur/latest/userguide/dataexports-export-delivery.html,
https://iceberg.apache.org/spec/, https://github.com/delta-io/delta/blob/master/PROTOCOL.md,
https://docs.datadoghq.com/logs/log_configuration/archives/,
https://pgbackrest.org/user-guide.html.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Row(NamedTuple):
    """`hint` is a text in lower case that every key of this kind contains, or "". Looking for it is
    much faster than the pattern.
    """

    hint: str
    pattern: str
    reason: str


def no_log_reason(key: str) -> str | None:
    """Why an object of that name is never packed or deleted; None if there is no reason."""
    return no_content_reason(key) or _first_reason(key, _EVERYWHERE)


def no_content_reason(key: str) -> str | None:
    """The same for objects that no operator can mean by naming them: folder markers, probes, and
    our own packs and indexes.
    """
    if key.endswith(("/", "_$folder$")):
        return _FOLDER_MARKER
    if key[key.rfind("/") + 1 :] in _PROBES:
        return _PROBE
    return _first_reason(key, _OWN)


def no_free_log_reason(key: str) -> str | None:
    """The same for a key without a head, including names that logs seldom have."""
    return no_log_reason(key) or _first_reason(key, _FREE)


def _first_reason(key: str, rows: tuple[_CompiledRow, ...]) -> str | None:
    small = key.lower()
    for hint, pattern, reason in rows:
        if hint in small and pattern.search(key):
            return reason
    return None


_PROBES = frozenset(
    {
        "ConfigWritabilityCheckFile",
        "ELBAccessLogTestFile",
        "ELBConnectionLogTestFile",
        "ELBHealthCheckLogTestFile",
        "aws-logs-write-test",
        "amazon-bedrock-logs-permission-check",
    }
)

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FOLDER = r"(?:\A|/)"
_NAME = r"(?:\A|/)(?=[^/]*\Z)"
_ENDS = r"(?:\.(?:gz|zst|bz2|lz4|xz|zip|md5|sha256|copy|bak|metadata))*\Z"

_BILLING = "a Cost and Usage report, which AWS overwrites in place"
_PACK = "a pack, an index or a list of the aggregator"
_PACK_KEY = (
    r"(?:\A|/)(?:packs|indexes|terms|discards|adopted)/(?:[A-Za-z0-9._-]+/){3}"
    r"[0-9]{4}/[0-9]{2}/[0-9]{2}/(?:[^/]*-)?[0-9a-f]{32}(?:[./]|\Z)"
)
_FOLDER_MARKER = "a folder marker"
_PROBE = "written by AWS to test whether it may write"
_MANIFEST = "a manifest, which names other objects by their keys"
_QUERY = "a query's result, which is read by its key"
_TABLE = "a table's file, which the table's metadata names by its key"
_LAKE = "a table of Security Lake, which keeps its own files"
_EXPORT = "a data export, which is read by its key"
_BACKUP = "a backup, which is restored and expired by the tool that made it"
_STATE = "the state of a tool, which overwrites it in place"
_UNFINISHED = "an unfinished or temporary file"
_LENS = "S3 Storage Lens metrics, which are read as a table"
_CONNECT = "a recording or transcript that Amazon Connect reads by its key"
_INVENTORY = "a file of an inventory, which its manifest names"
_DATADOG = "a Datadog archive, which is rehydrated by its keys"

_ROWS_OWN = tuple(
    Row(folder, _PACK_KEY, _PACK)
    for folder in ("packs/", "indexes/", "terms/", "discards/", "adopted/")
)

_ROWS_EVERYWHERE = (
    Row(
        "/accountid=",
        r"(?:\A|/)(?:AWS|Custom):[^/]+/accountid=",
        "an SSM inventory, which AWS overwrites in place",
    ),
    Row("-20", rf"{_FOLDER}[0-9]{{8}}-[0-9]{{8}}/", _BILLING),
    Row("billing_period=", rf"{_FOLDER}BILLING_PERIOD=[0-9]{{4}}-[0-9]{{2}}/", _BILLING),
    Row(
        "manifest",
        rf"(?i){_NAME}(?:[^/]*[-_.])?manifest(?:-files|-summary|s)?"
        rf"(?:\.(?:json|checksum|csv|txt|xml|ya?ml|avro))?{_ENDS}",
        _MANIFEST,
    ),
    Row("symlink.txt", rf"{_NAME}symlink\.txt\Z", _MANIFEST),
    Row("symlink_format_manifest/", rf"{_FOLDER}_symlink_format_manifest/", _MANIFEST),
    Row("hive/dt=", rf"{_FOLDER}hive/dt=[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}-", _MANIFEST),
    Row("export_", rf"{_NAME}export_(?:tables_)?info_", _MANIFEST),
    Row("_success", rf"{_NAME}_SUCCESS\Z", "a marker of a job that has ended"),
    Row("_committed_", rf"{_NAME}_committed_[0-9]+\Z", "a marker of a job that has ended"),
    Row("_started_", rf"{_NAME}_started_[0-9]+\Z", "a marker of a job that has begun"),
    Row("_metadata", rf"{_NAME}_(?:common_)?metadata\Z", _TABLE),
    Row(".metadata", r"\.(?:csv|txt|parquet|json|orc)\.metadata\Z", _QUERY),
    Row("unsaved/", rf"{_FOLDER}Unsaved/", _QUERY),
    Row("cloudtrail-lake/query/", rf"{_FOLDER}CloudTrail-Lake/Query/", _QUERY),
    Row("_temporary/", rf"{_FOLDER}_temporary/", _UNFINISHED),
    Row("staging", rf"{_FOLDER}(?:\.hive-staging[^/]*|_staging|\.staging)/", _UNFINISHED),
    Row("", r"(?i)\.(?:tmp|temp|part|partial|crdownload|swp|inprogress|filepart)\Z", _UNFINISHED),
    Row(".crc", rf"{_NAME}\.[^/]*\.crc\Z", _TABLE),
    Row("_delta_log/", rf"{_FOLDER}_delta_log/", _TABLE),
    Row(".hoodie", rf"{_FOLDER}\.hoodie(?:_partition_metadata\Z|/)", _TABLE),
    Row(
        "metadata/",
        rf"{_FOLDER}metadata/(?:[^/]*\.metadata\.json{_ENDS}|snap-[^/]*\.avro\Z|[^/]*-m[0-9]+\.avro"
        rf"\Z|version-hint\.text\Z|[0-9a-f-]*\.stats\Z)",
        _TABLE,
    ),
    Row("storagelens/", rf"{_FOLDER}StorageLens/", _LENS),
    Row("awsdynamodb/", rf"{_FOLDER}AWSDynamoDB/", _EXPORT),
    Row("eventday=", rf"{_FOLDER}region=[^/]+/account(?:I|_i)d=[^/]+/event_?[Dd]ay=", _LAKE),
    Row("eventhour=", rf"{_FOLDER}region=[^/]+/account(?:I|_i)d=[^/]+/event_?[Hh]our=", _LAKE),
    Row(
        "/",
        rf"{_FOLDER}(?:CallRecordings|ChatTranscripts|ScreenRecordings|EmailMessages)/",
        _CONNECT,
    ),
    Row("analysis/", rf"{_FOLDER}Analysis/(?:Voice|Chat|Email)/", _CONNECT),
    Row("tfstate", r"\.tfstate(?:\.(?:tflock|lock|backup|d|info))?\Z", _STATE),
    Row("template", rf"{_NAME}[^/]*template\.(?:ya?ml|json|template)\Z|\.template\Z", "a template"),
)

FREE_ROWS = (
    Row("", r"(?i)\.(?:parquet|parq|orc|avro|arrow|feather|delta|deltalake|lance)\Z", _TABLE),
    Row("", rf"(?:\A|[/_-])part-(?:r-|m-)?[0-9]{{5}}(?:-{_UUID}|-c[0-9]{{3}}|\.|\Z)", _TABLE),
    Row("", rf"{_NAME}[0-9]{{5}}-[0-9]+-{_UUID}(?:-[0-9]+)?\.", _TABLE),
    Row("bucket_0", rf"{_NAME}bucket_[0-9]{{3,5}}(?:_[0-9]+)?{_ENDS}", _TABLE),
    Row("delta_", rf"{_FOLDER}(?:delete_)?delta_[0-9]{{7}}_[0-9]{{7}}", _TABLE),
    Row("warehouse/", rf"{_FOLDER}warehouse/", _TABLE),
    Row("metadata/", rf"{_FOLDER}metadata/(?:[a-z_]+=|[0-9]{{5}}-{_UUID})", _TABLE),
    Row("_part_", rf"{_NAME}[^/]*[0-9]{{4}}_part_[0-9]{{2}}(?:\.[a-z0-9]+)*\Z", _EXPORT),
    Row("unload", rf"(?i){_FOLDER}(?:redshift[-_])?unload(?:s|ed)?/", _EXPORT),
    Row("rds-export", rf"(?i){_FOLDER}rds[-_]exports?/", _EXPORT),
    Row("cost_and_usage_data_status", r"cost_and_usage_data_status", _BILLING),
    Row("/", rf"{_NAME}{_UUID}(?:-manifest)?\.(?:csv|txt)\Z", _QUERY),
    Row("tables/", rf"{_FOLDER}tables/{_UUID}(?:/|\Z|-manifest)", _QUERY),
    Row("/data/", rf"/data/{_UUID}\.(?:csv\.gz|orc|parquet)\Z", _INVENTORY),
    Row("archive_", rf"{_FOLDER}dt=[0-9]{{8}}/hour=[0-9]{{2}}/archive_", _DATADOG),
    Row(
        "backup",
        rf"(?i)backup\.(?:info|history|manifest)(?:[./]|\Z)|[-_.]backup(?:[-_.][^/]*)?\Z|"
        rf"{_FOLDER}(?:velero|pgbackrest|wal-g|barman|xtrabackup|rman)[-_/]",
        _BACKUP,
    ),
    Row("", rf"{_FOLDER}[0-9]{{8}}-[0-9]{{6}}F(?:_[0-9]{{8}}-[0-9]{{6}}[DI])?(?:/|\.|\Z)", _BACKUP),
    Row("", rf"{_FOLDER}(?:basebackups_[0-9]+|wal_[0-9]+|velero|restic|kopia|duplicity)/", _BACKUP),
    Row("", rf"{_NAME}[0-9A-F]{{24}}(?:-[0-9a-f]{{40}})?(?:\.partial|\.backup)?{_ENDS}", _BACKUP),
    Row("", rf"(?i)\.(?:bak|dump|dmp|rdb|mdf|ldf|sql|sqlite|db|mongodump){_ENDS}", _BACKUP),
    Row("", rf"(?i){_FOLDER}(?:cache|caches|\.cache|tmp|temp|\.tmp|\.trash)/", _UNFINISHED),
)

_CompiledRow = tuple[str, re.Pattern[str], str]


def _compile(rows: tuple[Row, ...]) -> tuple[_CompiledRow, ...]:
    return tuple((row.hint, re.compile(row.pattern), row.reason) for row in rows)


_OWN = _compile(_ROWS_OWN)
_EVERYWHERE = _compile(_ROWS_EVERYWHERE)
_FREE = _compile(FREE_ROWS)
IN_USE_REASONS = frozenset({_MANIFEST, _INVENTORY, _QUERY, _TABLE, _LAKE, _EXPORT, _LENS})
"""The reasons for objects that other programs read by key. A bucket with these is not only used for
logs.
"""
NO_LOG_ROWS = (
    Row("", r"/\Z|_\$folder\$\Z", _FOLDER_MARKER),
    *(Row("", rf"{_FOLDER}{name}\Z", _PROBE) for name in sorted(_PROBES)),
    *_ROWS_OWN,
    *_ROWS_EVERYWHERE,
    *FREE_ROWS,
)
"""The whole table, for the reference page and `layouts list`."""
