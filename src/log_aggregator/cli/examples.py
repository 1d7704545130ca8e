"""Examples for the help of each command, by the words of the command."""

from __future__ import annotations

_PACKS = "--destination-bucket example-packs"
_HASHING = "arn:aws:iam::111122223333:role/hash-packs"
_LOGS = "--control-tower-bucket aws-controltower-logs-111122223333-eu-west-1"

EXAMPLES = {
    "run": (f"{_LOGS} {_PACKS}", "--date 2026-03-14 --json --log-file run.log"),
    "plan": (f"--date 2026-03-14 {_LOGS} {_PACKS}",),
    "verify": (
        f"--all --sample 5% {_PACKS}",
        f"--date 2026-03-14 --level checksum {_PACKS}",
        f"--at-rest --from 2026-01-01 --to 2026-03-31 --role-arn {_HASHING} {_PACKS}",
    ),
    "validate-cloudtrail": (f"--from 2026-03-01 --to 2026-03-31 --account 111122223333 {_PACKS}",),
    "coverage": (
        f"--from 2026-01-01 --to 2026-03-31 {_LOGS} {_PACKS}",
        f"--date 2026-03-14 --by region --every-digest --json {_LOGS} {_PACKS}",
    ),
    "index rebuild": (f"--date 2026-03-14 {_PACKS}",),
    "index terms": (f"--from 2026-01-01 --to 2026-01-31 {_PACKS}", f"--all --dry-run {_PACKS}"),
    "index tables": (_PACKS, f"--rebuild --from 2026-03-01 --to 2026-03-31 {_PACKS}"),
    "index adopt": (f"s3://example-old-aggregates/2019/ --log-type CloudTrail {_PACKS}",),
    "find": (
        f"--account 111122223333 --log-type CloudTrail --date 2026-03-14 {_PACKS}",
        f"'*_CloudTrail_eu-west-1_20260314T09*' --json {_PACKS}",
    ),
    "search": (
        f"AKIAIOSFODNN7EXAMPLE {_PACKS}",
        f"203.0.113.0/24 --from 2021-01-01 --to 2021-12-31 --json {_PACKS}",
        f"AKIAIOSFODNN7EXAMPLE --events {_PACKS} | jq .eventName",
    ),
    "extract": (
        f"--account 111122223333 --date 2026-03-14 --directory logs-back {_PACKS}",
        f"--log-type CloudTrail --date 2026-03-14 --lines {_PACKS} | jq .Records[].eventName",
    ),
    "thaw": (f"--account 111122223333 --date 2026-03-14 --then-extract logs-back {_PACKS}",),
    "drill": (
        f"--dry-run {_PACKS}",
        f"--confidence 99 --dollars-max 5 {_PACKS}",
        f"--planted {_PACKS}",
    ),
    "put-back": (
        f"--account 111122223333 --date 2026-03-14 --to-bucket for-the-auditor --dry-run {_PACKS}",
    ),
    "layouts list": ("",),
    "layouts explain": ("'app/2026/03/14/host-1.log.gz' --pattern 'app/{date}/{name}'",),
    "layouts suggest": ("example-app-logs",),
    "doctor": (f"{_LOGS} {_PACKS}",),
    "demo": ("--keep",),
    "generate": (
        "--bucket-prefix try- --destination-bucket try-packs --endpoint-url http://127.0.0.1:8333",
    ),
    "custody verify": (f"--indexes {_PACKS}", f"--public-key custody.pub {_PACKS}"),
    "custody sign": (f"--sign-with custody.pem {_PACKS}",),
    "custody show": (f"--last 3 {_PACKS}",),
    "custody trace": (f"s3://example-elb-logs/AWSLogs/111122223333/a.log.gz {_PACKS}",),
    "athena-ddl": (f"--log-type CloudTrail --account 111122223333 {_PACKS}",),
    "completion": ("bash > ~/.local/share/bash-completion/completions/log-aggregator",),
    "init": ("--yes --form cloudformation",),
    "iam-policy": (f"--stage pack {_LOGS} {_PACKS} > pack.json",),
    "rehearse": ("", "--bucket example-scratch --yes --json"),
    "survey": (f"{_LOGS} --html survey.html",),
    "delete": (f"--verified --older-than 30d {_LOGS} {_PACKS}",),
    "keep-public-keys": (f"sa-east-1.json --log-region sa-east-1 {_PACKS}",),
    "report": (f"--from 2026-01-01 --to 2026-03-31 --output evidence.html {_LOGS} {_PACKS}",),
    "evidence": (f"--account 111122223333 --from 2026-03-01 --to 2026-03-31 --originals {_PACKS}",),
    "stats": (_PACKS, f"--json {_PACKS}"),
}
