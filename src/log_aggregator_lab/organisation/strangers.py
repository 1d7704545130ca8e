"""Objects among the logs that are not logs, and objects that look like logs of the day but must
stay. Sources of the keys: the user guides that `core/layouts/no_log.py` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from log_aggregator_lab.organisation.cloudtrail import midnight
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, SyntheticObject

_UUID = "21704e69-c2cd-4856-82a1-88ed19a22d27"

NO_LOG_KEYS = (
    "inventory/example-app-logs/all/{day}T01-00Z/manifest.json",
    "inventory/example-app-logs/all/{day}T01-00Z/manifest.checksum",
    "inventory/example-app-logs/all/hive/dt={day}-01-00/symlink.txt",
    f"inventory/example-app-logs/all/data/{_UUID}.csv.gz",
    f"athena/Unsaved/{{slashed}}/{_UUID}.csv",
    f"athena/Unsaved/{{slashed}}/{_UUID}.csv.metadata",
    f"lake/orders/data/dt={{day}}/00000-0-{_UUID}.parquet",
    f"lake/orders/metadata/00001-{_UUID}.metadata.json",
    "bronze/events/_delta_log/00000000000000000010.json",
    f"bronze/events/event_date={{day}}/part-00001-{_UUID}.c000.snappy.parquet",
    "raw/transactions/dt={day}/hour=00/part-1.orc",
    f"StorageLens/{{account}}/dashboard/V_1/reports/dt={{day}}/{_UUID}.csv",
    "export/{day}/AWSDynamoDB/01345678901234-abc12345/manifest-files.json",
    "rds-exports/mydb-{day}-05-10/export_info_mydb.json",
    "unload/{day}/0000_part_00.gz",
    "unload/{day}/manifest",
    "backup/db/{compact}-010203F/backup.manifest",
    "aws/VPC_FLOW/2.0/region=us-east-1/accountId={account}/eventDay={compact}/4.gz.parquet",
    "connect/my-instance/CallRecordings/{slashed}/a65c10fe_{compact}T18:34_UTC.wav",
    "dd/dt={compact}/hour=05/archive_051112.0034.qdHIVLgmS7iXd1zC2h9gmQ.json.gz",
    "logs/{slashed}/_SUCCESS",
    "logs/{slashed}/_temporary/0/_temporary/attempt_1/part-0",
    "env/{day}/terraform.tfstate",
    "cur/report/20260301-20260401/report-00001.csv.gz",
)
UNKNOWN_KEYS = (
    "exports/latest.csv",
    "reports/{day}/sales.log",
    "release-2025-04-03/logs/{slashed}/app.log",
    "app/web-04-03-2026-10-11.log",
    "20101105/{slashed}/x",
    "web-server-01/{slashed}/server.log",
    "nginx/web1/access.log-{compact}.gz.1",
    "2024/01/01/AWSLogs/{account}/GuardDuty/us-east-1/{slashed}/x.jsonl.gz",
    "AWSLogs/{account}/NewService/us-east-1/release-2024-01-01/{slashed}/x.log.gz",
)


def list_no_logs(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-policy.html and
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html,
    and the files of tables, inventories, queries, exports and backups.
    """
    for account in spec.account_ids:
        key = f"{spec.organization_id}/AWSLogs/{account}/Config/ConfigWritabilityCheckFile"
        yield _stranger(spec.control_tower_bucket, key, b"", Purpose.NO_LOG)
    account = spec.account_ids[0]
    # The S3 console's "Create folder" writes such an object.
    yield _stranger(spec.flow_bucket, "AWSLogs/", b"", Purpose.NO_LOG)
    text = f"Enable AccessLog for ELB: web at {midnight(spec.first_day):%Y-%m-%dT%H:%M:%S}.000Z"
    yield _stranger(
        spec.elb_bucket, f"AWSLogs/{account}/ELBAccessLogTestFile", text.encode(), Purpose.NO_LOG
    )
    yield _stranger(
        spec.elb_bucket, "athena-results/tables/query.csv.metadata", b"\x00\x01", Purpose.NO_LOG
    )
    for form in NO_LOG_KEYS:
        key = _key_of(spec, form)
        body = (
            gzip_member(b"no log\n", spec.compression_level) if key.endswith(".gz") else b"no log"
        )
        yield _stranger(spec.app_bucket, key, body, Purpose.NO_LOG)


def list_unknown(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """Keys without a date, undeclared ones, and decoys."""
    yield _stranger(
        spec.control_tower_bucket,
        "readme.txt",
        b"This bucket belongs to the platform team.\n",
        Purpose.UNKNOWN,
    )
    for form in UNKNOWN_KEYS:
        key = _key_of(spec, form)
        yield _stranger(spec.app_bucket, key, _body_of(spec, key), Purpose.UNKNOWN)


def _key_of(spec: OrganisationSpec, form: str) -> str:
    day = spec.first_day
    return form.format(
        day=day,
        slashed=f"{day:%Y/%m/%d}",
        compact=f"{day:%Y%m%d}",
        account=spec.account_ids[0],
    )


def _body_of(spec: OrganisationSpec, key: str) -> bytes:
    text = b"something else\n"
    return gzip_member(text, spec.compression_level) if key.endswith(".gz") else text


def _stranger(bucket: str, key: str, body: bytes, purpose: Purpose) -> SyntheticObject:
    return SyntheticObject(
        bucket=bucket,
        key=key,
        make=partial(bytes, body),
        source="no-log",
        purpose=purpose,
        day=None,
        oddity=Oddity.NONE if body else Oddity.EMPTY,
    )
