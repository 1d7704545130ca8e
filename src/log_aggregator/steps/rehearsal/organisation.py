"""A very small synthetic organisation: one day of CloudTrail logs, Config logs and signed digests
of two accounts, plus objects that a run must leave alone.

Its accounts and names are invented, and its logs contain nothing real.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from log_aggregator.limits import MIB
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.rehearsal.signing import SigningKey

ORGANIZATION = "o-rehearsal00"
ACCOUNTS = ("111111111111", "222222222222")
REGION = "eu-west-1"
TRAIL = "rehearsal-trail"
HOURS = (1, 9, 17)
COPY_BYTES_MIN = 10 * MIB
"""The smallest value that `copy_size_min` allows."""
LARGE_BYTES = COPY_BYTES_MIN + 1_000
"""Size of the one log that S3 copies into its pack with UploadPartCopy."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Original:
    """An object as it is delivered. `is_log`: a run should pack it."""

    key: str
    data: bytes = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_log: bool = True

    @property
    def options(self) -> WriteOptions:
        return WriteOptions(
            content_type="application/json", content_encoding="gzip", metadata=self.metadata
        )


@dataclass(frozen=True, slots=True)
class Organisation:
    """What a rehearsal delivers to `bucket` for one day."""

    bucket: str
    day: date
    key: SigningKey
    has_large: bool = True
    """One of the logs is so large that S3 copies it into its pack."""

    def list_originals(self) -> list[Original]:
        """Logs, digests and objects that are not logs of this day."""
        logs = [log for account in ACCOUNTS for log in self._list_logs(account)]
        signed = [log for log in logs if f"/{ACCOUNTS[0]}/CloudTrail/" in log.key]
        large = [self._make_large()] if self.has_large else []
        return [*logs, *large, *self._list_digests(signed), *self._list_strangers()]

    def make_late(self) -> Original:
        """A log of the same day that arrives after the others were packed."""
        return self._make_trail_log(ACCOUNTS[1], 23, "late")

    def make_hidden(self) -> Original:
        """A log of the day that is then deleted, so that a delete marker hides it."""
        return self._make_trail_log(ACCOUNTS[0], 5, "hidden")

    @property
    def midnight(self) -> datetime:
        return datetime.combine(self.day, time(), UTC)

    @property
    def signed(self) -> tuple[datetime, datetime]:
        """The hours that the digests of the first account cover."""
        return self.midnight + 2 * HOUR, self.midnight + 4 * HOUR

    def _list_logs(self, account: str) -> Iterator[Original]:
        for hour in HOURS:
            yield self._make_trail_log(account, hour, f"log{hour}")
        yield self._make_config_log(account)

    def _make_trail_log(self, account: str, hour: int, name: str) -> Original:
        when = self.midnight + hour * HOUR
        events = [_make_event(account, when, number) for number in range(20)]
        key = (
            f"{self._folder(account, 'CloudTrail')}{when:%Y/%m/%d}/{account}_CloudTrail_{REGION}_"
            f"{when:%Y%m%dT%H%MZ}_{name:a<16}.json.gz"
        )
        return Original(key, _zip({"Records": events}))

    def _make_config_log(self, account: str) -> Original:
        when = self.midnight + 6 * HOUR
        day = f"{self.day.year}/{self.day.month}/{self.day.day}"
        name = (
            f"{account}_Config_{REGION}_ConfigHistory_AWS::EC2::Instance_"
            f"{when:%Y%m%dT%H%M%SZ}_{when + HOUR:%Y%m%dT%H%M%SZ}_1.json.gz"
        )
        document = {"fileVersion": "1.0", "configurationItems": [{"awsAccountId": account}]}
        key = f"{self._folder(account, 'Config')}{day}/ConfigHistory/{name}"
        return Original(key, _zip(document))

    def _make_large(self) -> Original:
        """Filled with random digits and stored uncompressed, which is quick to make."""
        account, when = ACCOUNTS[1], self.midnight + 12 * HOUR
        noise = random.Random(str(self.day)).randbytes(LARGE_BYTES // 2).hex()
        document = {"Records": [_make_event(account, when, 0) | {"noise": noise}]}
        key = (
            f"{self._folder(account, 'CloudTrail')}{when:%Y/%m/%d}/{account}_CloudTrail_{REGION}_"
            f"{when:%Y%m%dT%H%MZ}_largeaaaaaaaaaaa.json.gz"
        )
        return Original(key, _zip(document, level=0))

    def _list_digests(self, logs: Sequence[Original]) -> Iterator[Original]:
        """A chain of two digests; the second names the first, with its hash and signature."""
        previous: Mapping[str, str | None] | None = None
        for number, named in enumerate((logs[:1], logs[1:])):
            end = self.signed[0] + (number + 1) * HOUR
            key = (
                f"{self._folder(ACCOUNTS[0], 'CloudTrail-Digest')}{end:%Y/%m/%d}/{ACCOUNTS[0]}_"
                f"CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"
            )
            document = json.dumps(self._describe_digest(key, end, named, previous)).encode()
            signature = self.key.sign(_string_to_sign(self.bucket, key, end, document, previous))
            previous = {
                "Bucket": self.bucket,
                "Object": key,
                "Hash": hashlib.sha256(document).hexdigest(),
                "Signature": signature.hex(),
            }
            metadata = {"signature": signature.hex(), "signature-algorithm": "SHA256withRSA"}
            yield Original(key, gzip.compress(document, mtime=0), metadata)

    def _describe_digest(
        self,
        key: str,
        end: datetime,
        logs: Sequence[Original],
        previous: Mapping[str, str | None] | None,
    ) -> dict[str, object]:
        """The fields of a digest:
        https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
        """
        before = previous or {}
        return {
            "awsAccountId": ACCOUNTS[0],
            "digestStartTime": _encode_time(end - HOUR),
            "digestEndTime": _encode_time(end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": self.key.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": before.get("Bucket"),
            "previousDigestS3Object": before.get("Object"),
            "previousDigestHashValue": before.get("Hash"),
            "previousDigestHashAlgorithm": "SHA-256" if before else None,
            "previousDigestSignature": before.get("Signature"),
            "logFiles": [
                {
                    "s3Bucket": self.bucket,
                    "s3Object": log.key,
                    "hashValue": hashlib.sha256(gzip.decompress(log.data)).hexdigest(),
                    "hashAlgorithm": "SHA-256",
                    "newestEventTime": _encode_time(end),
                    "oldestEventTime": _encode_time(end),
                }
                for log in logs
            ],
        }

    def _list_strangers(self) -> Iterator[Original]:
        """A log of another day, and two objects that are not logs."""
        before = Organisation(self.bucket, self.day - timedelta(days=40), self.key)
        yield replace(before._make_trail_log(ACCOUNTS[0], 1, "otherday"), is_log=False)
        folder = self._folder(ACCOUNTS[0], "Config")
        yield Original(f"{folder}ConfigWritabilityCheckFile", b"", is_log=False)
        yield Original(f"{ORGANIZATION}/notes.txt", b"no log\n", is_log=False)

    def _folder(self, account: str, service: str) -> str:
        return f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{account}/{service}/{REGION}/"


def _make_event(account: str, when: datetime, number: int) -> dict[str, object]:
    return {
        "eventVersion": "1.11",
        "eventTime": _encode_time(when),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetBucketAcl",
        "awsRegion": REGION,
        "sourceIPAddress": f"192.0.2.{number}",
        "recipientAccountId": account,
    }


def _string_to_sign(
    bucket: str,
    key: str,
    end: datetime,
    document: bytes,
    previous: Mapping[str, str | None] | None,
) -> bytes:
    """What CloudTrail signs:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
    """
    signed = previous["Signature"] if previous else "null"
    digest = hashlib.sha256(document).hexdigest()
    return f"{_encode_time(end)}\n{bucket}/{key}\n{digest}\n{signed}".encode()


def _encode_time(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _zip(document: object, level: int = 9) -> bytes:
    return gzip.compress(json.dumps(document).encode(), level, mtime=0)
