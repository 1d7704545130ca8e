"""The S3 adapter against answers that AWS gives and no emulator does, and against no answer at
all.
"""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import botocore.awsrequest
import pytest
from awscrt.checksums import crc64nvme
from botocore.exceptions import ParamValidationError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from tests.unit.adapters.conftest import Answer, CannedS3

import log_aggregator
from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3 import listing as listing_module
from log_aggregator.adapters.s3.clients import make_config
from log_aggregator.adapters.s3.deleting import NOT_IN_XML
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import (
    AccessDenied,
    BadConfiguration,
    NoSuchBucket,
    NotAuthenticated,
    NotFound,
    ObjectFrozen,
    ObjectRefused,
    PreconditionFailed,
    RequestFailed,
    StoreError,
    WrongClock,
    WrongSignature,
)
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject, Restore
from log_aggregator.ports.store import (
    Body,
    Deletion,
    ListStart,
    ObjectStore,
    Part,
    Upload,
    WriteOptions,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
UPLOAD = Upload("b", "k", "u")
SOURCE = LogObject("b", "k", "v", "e", 7 * MIB, NOW)
PART = Part(1, "e", 1, 5)

ENCRYPTIONS = [
    ({"x-amz-server-side-encryption": "aws:kms"}, True),
    ({"x-amz-server-side-encryption": "aws:kms:dsse"}, True),
    ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, True),
    ({"x-amz-server-side-encryption": "AES256"}, False),
    ({}, False),
]
"""Headers, and whether they make the ETag something else than an MD5."""


def get_many(store: ObjectStore) -> Body:
    """Read one object by `get_objects`."""
    (body,) = store.get_objects([LogObject("b", "k", None, "e", 1, NOW)])
    if isinstance(body, RequestFailed):
        raise body
    return body


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "ListObjectVersions": lambda store: store.list_object_versions("b"),
    "ListObjectsV2": lambda store: store.list_objects("b"),
    "ListObjectsV2 prefixes": lambda store: store.list_prefixes("b", prefix=""),
    "ListBuckets": lambda store: store.list_buckets(),
    "GetBucketVersioning": lambda store: store.get_bucket_versioning("b"),
    "GetObject": lambda store: store.get_object("b", "k"),
    "GetObject many": get_many,
    "GetObject checked": lambda store: store.get_object_checked("b", "k"),
    "HeadObject": lambda store: store.head_object("b", "k"),
    "PutObject": lambda store: store.put_object(
        "b", "k", b"x", crc64nvme=crc64nvme(b"x"), options=WriteOptions()
    ),
    "CreateMultipartUpload": lambda store: store.create_multipart_upload(
        "b", "k", options=WriteOptions()
    ),
    "UploadPart": lambda store: store.upload_part(UPLOAD, 1, b"x", crc64nvme=crc64nvme(b"x")),
    "UploadPartCopy": lambda store: store.upload_part_copy(UPLOAD, 1, SOURCE, (0, 5 * MIB)),
    "CompleteMultipartUpload": lambda store: store.complete_multipart_upload(
        UPLOAD, [PART], size_bytes=1, crc64nvme=5
    ),
    "AbortMultipartUpload": lambda store: store.abort_multipart_upload(UPLOAD),
    "ListMultipartUploads": lambda store: store.list_multipart_uploads("b", prefix=""),
    "DeleteObjects": lambda store: store.delete_objects("b", [Deletion("k", "v")]),
}


def error(code: str, message: str = "S3's answer") -> bytes:
    return (
        "<?xml "
        f"version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message><Key>k</Key></Error>"
    ).encode()


def listing(
    inner: str, kind: str = "ListBucketResult", *, encoding: str = "url", is_truncated: bool = False
) -> bytes:
    head = (
        f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated><EncodingType>{encoding}</"
        "EncodingType>"
    )
    return (
        f'<?xml version="1.0"?>\n<{kind} '
        f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{head}{inner}</{kind}>'
    ).encode()


def contents(key: str) -> str:
    """An entry as AWS writes it, with elements that nobody asked for."""
    return (
        f"<Contents><Key>{key}</Key><LastModified>2025-01-01T00:00:00.000Z</"
        "LastModified><ETag>&quot;e&quot;</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>3</"
        "Size><StorageClass>GLACIER</StorageClass>"
        "<Owner><ID>x</ID></Owner><RestoreStatus><IsRestoreInProgress>false</"
        "IsRestoreInProgress></RestoreStatus></Contents>"
    )


@pytest.fixture(scope="module")
def unreachable() -> S3Store:
    return S3Store.connect(
        ClientSettings(
            endpoint_url="http://127.0.0.1:9", access_key="k", secret_key="s", attempts_max=1
        )
    )


class TestListing:
    @pytest.mark.parametrize(
        ("written", "encoding", "key"),
        [
            ("a%2Bb+c%3A%3A%2525%C3%BC%0A", "url", "a+b c::%25ü\n"),
            ("a%2Bb+c", "", "a%2Bb+c"),
            ("a&amp;b&lt;&quot;", "", 'a&b<"'),
            (" lead", "url", " lead"),
        ],
    )
    def test_keys_are_decoded_once(
        self, canned: CannedS3, written: str, encoding: str, key: str
    ) -> None:
        """Keys are URL-decoded exactly where the answer says that they are encoded."""
        canned.answers = [Answer(200, listing(contents(written), encoding=encoding))]
        assert canned.store.list_objects("b").objects == (
            LogObject("b", key, None, "e", 3, NOW, "GLACIER"),
        )
        assert "encoding-type=url" in canned.requests[0].path

    def test_version_markers_are_sent_back_unchanged(self, canned: CannedS3) -> None:
        """The next page of versions begins at S3's markers, letter by letter."""
        inner = (
            "<NextKeyMarker>a%2B+b</NextKeyMarker><NextVersionIdMarker>v.1_2</NextVersionIdMarker>"
        )
        canned.answers = [
            Answer(200, listing(inner, "ListVersionsResult", is_truncated=True)),
            Answer(200, listing("", "ListVersionsResult")),
        ]
        page = canned.store.list_object_versions("b")
        assert page.next_start == ListStart("a+ b", "v.1_2")
        canned.store.list_object_versions("b", start=page.next_start)
        sent = parse_qs(urlsplit(canned.requests[1].path).query)
        assert (sent["key-marker"], sent["version-id-marker"]) == (["a+ b"], ["v.1_2"])

    @pytest.mark.parametrize(
        ("start", "markers"),
        [
            (ListStart("logs/", "v1"), {"key-marker": "logs/", "version-id-marker": "v1"}),
            (ListStart("logs/"), {"key-marker": "logs/"}),
            (ListStart("logs/a", "null"), {"key-marker": "logs/a", "version-id-marker": "null"}),
            (ListStart("logs"), {}),
            (ListStart("log~", "v1"), {"key-marker": "log~", "version-id-marker": "v1"}),
            (ListStart("a", "v1"), {}),
            (None, {}),
        ],
    )
    def test_a_page_of_versions_starts_where_the_last_one_ended(
        self, canned: CannedS3, start: ListStart | None, markers: dict[str, str]
    ) -> None:
        """This includes an object whose key equals the prefix, such as a console's folder:
        otherwise the same page would repeat forever. Only a start before the prefix is not sent.
        """
        canned.answers = [Answer(200, listing("", "ListVersionsResult"))]
        canned.store.list_object_versions("b", prefix="logs/", start=start)
        sent = parse_qs(urlsplit(canned.requests[0].path).query)
        assert {name: sent[name] for name in sent if name.endswith("-marker")} == {
            name: [value] for name, value in markers.items()
        }

    def test_a_page_of_objects_starts_after_the_last_key(self, canned: CannedS3) -> None:
        """The page starts after the last key, not the first, whatever token S3 gives along."""
        keys = "".join(map(contents, ("a", "b%2Bb", "c+c")))
        token = "<NextContinuationToken>t</NextContinuationToken>"
        canned.answers = [
            Answer(200, listing(keys + token, is_truncated=True)),
            Answer(200, listing("")),
        ]
        page = canned.store.list_objects("b")
        assert page.next_start == ListStart("c c")
        canned.store.list_objects("b", start=page.next_start)
        sent = parse_qs(urlsplit(canned.requests[1].path).query)
        assert (sent["start-after"], "continuation-token" in sent) == (["c c"], False)

    def test_prefixes_of_all_pages_are_listed(self, canned: CannedS3) -> None:
        """Each page is requested by its predecessor's token, and all objects and prefixes come
        decoded.
        """
        pages = [
            contents(f"o{number}")
            + f"<CommonPrefixes><Prefix>p%2B{number}/</Prefix></CommonPrefixes>"
            + f"<NextContinuationToken>t{number}</NextContinuationToken>"
            for number in range(4)
        ]
        canned.answers = [
            Answer(200, listing(inner, is_truncated=number < 3))
            for number, inner in enumerate(pages)
        ]
        page = canned.store.list_prefixes("b", prefix="", start=ListStart("n"))
        assert [each.key for each in page.objects] == ["o0", "o1", "o2", "o3"]
        assert page.prefixes == ("p+0/", "p+1/", "p+2/", "p+3/")
        assert page.next_start is None
        sent = [parse_qs(urlsplit(request.path).query) for request in canned.requests]
        tokens = [each.get("continuation-token") for each in sent]
        assert tokens == [None, ["t0"], ["t1"], ["t2"]]
        assert sent[0]["start-after"] == ["n"]

    def test_endless_prefixes_are_an_error(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Endless pages, or a bucket with a folder for everything, end as an error instead of
        filling memory.
        """
        monkeypatch.setattr(listing_module, "PREFIXES_MAX", 5)
        canned.answers = [
            Answer(
                200,
                listing(
                    f"{contents(f'o{number}')}<NextContinuationToken>t{number}"
                    "</NextContinuationToken>",
                    is_truncated=number < 9,
                ),
            )
            for number in range(10)
        ]
        with pytest.raises(StoreError, match="more than 5 entries"):
            canned.store.list_prefixes("b", prefix="")
        assert len(canned.requests) == 6

    @pytest.mark.parametrize("latest", ["first", "second", "neither"])
    def test_only_the_newest_version_counts_as_newest(self, canned: CannedS3, latest: str) -> None:
        """S3 marks each version and delete marker; without versions every object is the newest."""
        said = [str(name == latest).lower() for name in ("first", "second")]
        inner = "".join(
            f"<{kind}><Key>k</Key><VersionId>{kind}</VersionId><IsLatest>{is_latest}</IsLatest>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>e</ETag><Size>3</Size>"
            f"</{kind}>"
            for kind, is_latest in zip(("Version", "DeleteMarker"), said, strict=True)
        )
        canned.answers = [Answer(200, listing(inner, "ListVersionsResult"))]
        page = canned.store.list_object_versions("b")
        assert [each.is_latest for each in page.objects] == [latest == "first"]
        assert [each.is_latest for each in page.markers] == [latest == "second"]
        canned.answers = [Answer(200, listing(contents("k")))]
        assert canned.store.list_objects("b").objects[0].is_latest

    @pytest.mark.parametrize("name", ["ListObjectVersions", "ListObjectsV2"])
    @pytest.mark.parametrize("key", ["a%FF", "%C3", "%ED%A0%80"])
    def test_a_key_that_is_not_text_is_an_error(
        self, canned: CannedS3, name: str, key: str
    ) -> None:
        """It is never taken for another key, which might also exist."""
        inner, kind = contents(key), "ListBucketResult"
        if name == "ListObjectVersions":
            kind = "ListVersionsResult"
            inner = inner.replace("Contents>", "Version>").replace(
                "<Key>", "<VersionId>v</VersionId><IsLatest>true</IsLatest><Key>"
            )
        canned.answers = [Answer(200, listing(inner, kind))]
        with pytest.raises(StoreError, match="cannot be read"):
            CALLS[name](canned.store)

    @pytest.mark.parametrize(
        "name", ["ListObjectVersions", "ListObjectsV2", "ListObjectsV2 prefixes"]
    )
    def test_a_page_without_a_marker_is_an_error(self, canned: CannedS3, name: str) -> None:
        """A page that says that there is more, but not where, is never taken for the last one."""
        kind = "ListVersionsResult" if name == "ListObjectVersions" else "ListBucketResult"
        canned.answers = [Answer(200, listing("", kind, is_truncated=True))]
        with pytest.raises(StoreError, match="not where"):
            CALLS[name](canned.store)

    @pytest.mark.parametrize("name", ["ListObjectVersions", "ListObjectsV2"])
    @pytest.mark.parametrize(
        "broken",
        [
            b"",
            b"<ListBucketResult>",
            b"<html></html>",
            listing("<Contents><Key>k</Key></Contents>"),
        ],
    )
    def test_a_bad_listing_is_never_an_empty_one(
        self, canned: CannedS3, name: str, broken: bytes
    ) -> None:
        """A cut or foreign answer is an error, not an empty bucket."""
        canned.answers = [Answer(200, broken)]
        with pytest.raises(StoreError):
            CALLS[name](canned.store)

    def test_a_truncated_listing_is_fetched_again(self, canned: CannedS3) -> None:
        """A page that breaks off is requested again."""
        whole = listing(contents("k"))
        canned.answers = [
            Answer(200, whole, cut_bytes=9),
            Answer(200, whole[:-9]),
            Answer(200, whole),
        ]
        assert [each.key for each in canned.store.list_objects("b").objects] == ["k"]

    def test_two_stores_may_share_their_clients(self, canned: CannedS3) -> None:
        """Listings stay whole when several stores share one set of clients."""
        canned.answers = [Answer(200, listing(contents("k")))]
        other = S3Store(canned.store._clients)
        assert (
            len(other.list_objects("b").objects) == len(canned.store.list_objects("b").objects) == 1
        )


class TestReading:
    @pytest.mark.parametrize(
        "key", ["a//b", "/a", "a/", "a/./b", "../b", "a\nb", "a\x7f", "a/..", "."]
    )
    def test_keys_are_sent_unchanged(self, canned: CannedS3, key: str) -> None:
        """Nothing on the way normalises a key."""
        canned.answers = [Answer(200, b"x", {"ETag": '"e"'})]
        assert canned.store.get_object("b", key).data == b"x"
        assert canned.requests[0].path == "/b/" + key.replace("\n", "%0A").replace("\x7f", "%7F")

    def test_a_truncated_body_is_read_again(self, canned: CannedS3) -> None:
        """A body that breaks off never comes out short."""
        headers = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
        whole = Answer(200, b"0123456789", headers)
        canned.answers = [replace(whole, cut_bytes=4), whole]
        assert canned.store.get_object("b", "k", if_match="e").data == whole.body

    def test_conditions_are_sent(self, canned: CannedS3) -> None:
        """Version, ETag and range are sent."""
        canned.answers = [Answer(206, b"234", {"ETag": '"e"', "Content-Range": "bytes 2-4/10"})]
        for key in ("k", "k//k"):
            canned.store.get_object("b", key, version_id="v 1", if_match="e", byte_range=(2, 5))
            sent = canned.requests[-1]
            assert (sent.headers["if-match"], sent.headers["range"]) == ('"e"', "bytes=2-4")
            assert sent.path in (f"/b/{key}?versionId=v%201", f"/b/{key}?versionId=v+1")

    def test_encrypted_objects_need_no_checksum(self, canned: CannedS3) -> None:
        """With KMS or a customer's key, the ETag is not the body's MD5. A checked read and the
        object's description both say so.
        """
        etag = {"ETag": f'"{"0" * 32}"'}
        for headers, is_opaque in ENCRYPTIONS:
            canned.answers = [Answer(200, b"x", etag | headers)]
            assert canned.store.get_object_checked("b", "k")[1] is is_opaque
            assert canned.requests[-1].headers["x-amz-checksum-mode"] == "ENABLED"
            assert canned.store.head_object("b", "k").has_md5_etag is not is_opaque

    @pytest.mark.parametrize("etag", ["", "e", "0" * 31, "0" * 33, f"{'0' * 32}-2", "A" * 32])
    def test_an_etag_of_another_form_is_not_an_md5(self, canned: CannedS3, etag: str) -> None:
        """An object written in parts, or a server's own ETag, has no MD5."""
        canned.answers = [Answer(200, b"x", {"ETag": f'"{etag}"'})]
        assert not canned.store.head_object("b", "k").has_md5_etag

    def test_a_wrong_checksum_is_an_error(self, canned: CannedS3) -> None:
        """A body that does not match the stored checksum is never returned by a checked read."""
        canned.answers = [
            Answer(200, b"x", {"ETag": '"e"', "x-amz-checksum-sha256": "A" * 43 + "="})
        ]
        with pytest.raises(StoreError, match="do not have the checksum that S3 stores"):
            canned.store.get_object_checked("b", "k")

    @pytest.mark.parametrize(
        ("headers", "crc"),
        [
            (
                {
                    "x-amz-checksum-crc64nvme": "AAAAAAAAAAU=",
                    "x-amz-checksum-type": "FULL_OBJECT",
                    "ETag": '"e-7"',
                },
                5,
            ),
            ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAU=", "ETag": '"e"'}, 5),
            ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAU=", "ETag": '"e-7"'}, None),
            (
                {
                    "x-amz-checksum-crc64nvme": "AAAAAAAAAAU=-7",
                    "x-amz-checksum-type": "COMPOSITE",
                    "ETag": '"e-7"',
                },
                None,
            ),
            ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAU=-7", "ETag": '"e"'}, None),
            ({"x-amz-checksum-crc64nvme": "AAAABQ==", "ETag": '"e"'}, None),
            (
                {
                    "x-amz-checksum-crc32": "AAAABQ==",
                    "x-amz-checksum-type": "FULL_OBJECT",
                    "ETag": '"e"',
                },
                None,
            ),
            ({"ETag": '"e"'}, None),
        ],
    )
    def test_only_checksums_of_the_whole_object_count(
        self, canned: CannedS3, headers: dict[str, str], crc: int | None
    ) -> None:
        """Only a CRC64NVME of the whole object counts, not a composite one."""
        canned.answers = [Answer(200, b"", headers)]
        assert canned.store.head_object("b", "k").crc64nvme == crc


class TestRestoring:
    @pytest.mark.parametrize("status", [200, 202])
    def test_a_restore_sends_days_and_tier(self, canned: CannedS3, status: int) -> None:
        """Days and tier are sent; a restore that begins and an existing copy both count as
        success.
        """
        canned.answers = [Answer(status)]
        canned.store.restore_object("b", "a b", days=3, tier="Bulk")
        (request,) = canned.requests
        assert (request.method, request.path) == ("POST", "/b/a%20b?restore")
        assert b"<Days>3</Days>" in request.body
        assert b"<Tier>Bulk</Tier>" in request.body

    def test_a_restore_in_progress_is_not_an_error(self, canned: CannedS3) -> None:
        """409 RestoreAlreadyInProgress is a success too, and is not retried."""
        canned.answers = [
            Answer(409, b"<Error><Code>RestoreAlreadyInProgress</Code><Message>m</Message></Error>")
        ]
        canned.store.restore_object("b", "k", days=3, tier="Bulk")
        assert len(canned.requests) == 1

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (403, "InvalidObjectState", StoreError),
            (503, "GlacierExpeditedRetrievalNotAvailable", StoreError),
            (403, "AccessDenied", AccessDenied),
            (404, "NoSuchKey", NotFound),
            (400, "InvalidArgument", StoreError),
        ],
    )
    def test_refused_restores_are_errors(
        self, canned: CannedS3, status: int, code: str, kind: type[StoreError]
    ) -> None:
        """Everything else is an error with S3's own code, and none says that the object is
        frozen.
        """
        canned.answers = [
            Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())
        ]
        with pytest.raises(StoreError) as caught:
            canned.store.restore_object("b", "k", days=3, tier="Expedited")
        assert (type(caught.value), caught.value.code, caught.value.operation) == (
            kind,
            code,
            "RestoreObject",
        )

    @pytest.mark.parametrize(
        ("header", "restore"),
        [
            (None, None),
            ('ongoing-request="true"', Restore(is_ongoing=True)),
            (
                'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"',
                Restore(False, datetime(2012, 12, 21, tzinfo=UTC)),
            ),
            ('ongoing-request="false"', Restore(is_ongoing=False)),
            (
                'ongoing-request="true", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"',
                Restore(is_ongoing=True),
            ),
        ],
    )
    def test_the_restore_header_is_read(
        self, canned: CannedS3, header: str | None, restore: Restore | None
    ) -> None:
        """The header is x-amz-restore as S3 writes it
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
        """
        more = {} if header is None else {"x-amz-restore": header}
        canned.answers = [
            Answer(200, b"", {"ETag": '"e"', "x-amz-storage-class": "GLACIER"} | more)
        ]
        assert canned.store.head_object("b", "k").restore == restore

    def test_the_archive_tier_is_read(self, canned: CannedS3) -> None:
        """An Intelligent-Tiering object's class does not show its tier."""
        more = {"x-amz-archive-status": "ARCHIVE_ACCESS"}
        canned.answers = [
            Answer(200, b"", {"ETag": '"e"', "x-amz-storage-class": "INTELLIGENT_TIERING"} | extra)
            for extra in (more, {})
        ]
        tiers = [canned.store.head_object("b", "k").archive_tier for _ in range(2)]
        assert tiers == ["ARCHIVE_ACCESS", None]


class TestWriting:
    def test_options_are_sent(self, canned: CannedS3) -> None:
        """Class, key and metadata are sent where set; the default class is not named."""
        canned.answers = [
            Answer(
                200,
                b"<InitiateMultipartUploadResult><UploadId>u</UploadId></"
                b"InitiateMultipartUploadResult>",
            )
        ]
        options = WriteOptions("GLACIER_IR", "arn:key", "text/plain", {"a": "b"}, "gzip")
        canned.store.put_object("b", "k", b"x", crc64nvme=5, options=options)
        canned.store.create_multipart_upload("b", "k", options=options)
        for request in canned.requests:
            assert request.headers["x-amz-storage-class"] == "GLACIER_IR"
            assert request.headers["x-amz-server-side-encryption"] == "aws:kms"
            assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:key"
            assert request.headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
            assert (request.headers["content-type"], request.headers["x-amz-meta-a"]) == (
                "text/plain",
                "b",
            )
            assert request.headers["content-encoding"] == "gzip"
        put, create = canned.requests
        assert (put.headers["if-none-match"], put.headers["x-amz-checksum-crc64nvme"]) == (
            "*",
            "AAAAAAAAAAU=",
        )
        assert "x-amz-checksum-crc32" not in put.headers
        assert (
            create.headers["x-amz-checksum-algorithm"],
            create.headers["x-amz-checksum-type"],
        ) == ("CRC64NVME", "FULL_OBJECT")
        canned.store.put_object("b", "k", b"x", crc64nvme=5, options=WriteOptions(may_replace=True))
        assert "if-none-match" not in canned.requests[-1].headers
        assert not [
            name
            for name in canned.requests[-1].headers
            if name.startswith(("x-amz-storage", "x-amz-server"))
        ]
        canned.store.put_object("b", "k", b"x", crc64nvme=5, options=WriteOptions(is_sse_s3=True))
        assert canned.requests[-1].headers["x-amz-server-side-encryption"] == "AES256"

    def test_completing_states_everything(self, canned: CannedS3) -> None:
        """The request gives the size, the checksums of the whole and of all parts as S3 named them,
        and forbids overwriting.
        """
        canned.answers = [Answer(200, b"<CompleteMultipartUploadResult/>")]
        canned.store.complete_multipart_upload(
            UPLOAD,
            [PART, Part(3, "f", 2, None), Part(4, "g", 2, 5, is_told=False)],
            size_bytes=3,
            crc64nvme=5,
        )
        (request,) = canned.requests
        assert request.headers["if-none-match"] == "*"
        assert request.headers["x-amz-mp-object-size"] == "3"
        assert (
            request.headers["x-amz-checksum-crc64nvme"],
            request.headers["x-amz-checksum-type"],
        ) == ("AAAAAAAAAAU=", "FULL_OBJECT")
        assert request.body.count(b"<ChecksumCRC64NVME>AAAAAAAAAAU=</ChecksumCRC64NVME>") == 1
        canned.store.complete_multipart_upload(
            replace(UPLOAD, has_object_checksum=False), [PART], size_bytes=3, crc64nvme=5
        )
        assert "x-amz-checksum-crc64nvme" not in canned.requests[-1].headers

    @pytest.mark.parametrize(
        ("byte_range", "sent"),
        [
            ((0, 7 * MIB), None),
            ((0, 5 * MIB), "bytes=0-5242879"),
            ((1, 7 * MIB), "bytes=1-7340031"),
        ],
    )
    def test_a_copy_names_version_etag_and_range(
        self, canned: CannedS3, byte_range: tuple[int, int], sent: str | None
    ) -> None:
        """A copy names version, ETag and range; a copy of the whole object has no range."""
        canned.answers = [
            Answer(
                200,
                b"<CopyPartResult><ETag>&quot;f&quot;</ETag><ChecksumCRC64NVME>AAAAAAAAAAU=</"
                b"ChecksumCRC64NVME></CopyPartResult>",
            )
        ]
        part = canned.store.upload_part_copy(UPLOAD, 2, replace(SOURCE, key="ü /+%41?"), byte_range)
        assert part == Part(2, "f", byte_range[1] - byte_range[0], 5)
        headers = canned.requests[0].headers
        assert headers["x-amz-copy-source"] == "b/%C3%BC%20/%2B%2541%3F?versionId=v"
        assert (headers["x-amz-copy-source-if-match"], headers.get("x-amz-copy-source-range")) == (
            '"e"',
            sent,
        )

    def test_a_part_is_resent_whole(self, canned: CannedS3) -> None:
        """After a failure the same bytes of a buffer are sent again."""
        data = bytearray(os.urandom(16 * MIB))
        canned.answers = [Answer(500, error("InternalError")), Answer(200, b"", {"ETag": '"e"'})]
        part = canned.store.upload_part(UPLOAD, 1, data, crc64nvme=crc64nvme(bytes(data)))
        assert part.size_bytes == 16 * MIB
        assert [request.body == data for request in canned.requests] == [True, True]

    def test_bodies_are_not_signed_over_tls(self) -> None:
        """Over TLS no body is hashed for its signature, and no copy of it is held while it
        is sent.
        """
        store = S3Store.connect(
            ClientSettings(endpoint_url="https://s3.example.com", access_key="k", secret_key="s")
        )
        seen: dict[str, str] = {}
        sizes: list[int] = []

        def answer(
            request: botocore.awsrequest.AWSPreparedRequest, **_: object
        ) -> botocore.awsrequest.AWSResponse:
            sizes.append(tracemalloc.get_traced_memory()[0])
            seen.update(
                {
                    name.lower(): value.decode() if isinstance(value, bytes) else value
                    for name, value in request.headers.items()
                }
            )
            raw = type(
                "Raw", (), {"stream": lambda *_, **__: iter(()), "read": lambda *_, **__: b""}
            )()
            return botocore.awsrequest.AWSResponse(request.url, 200, {"ETag": '"e"'}, raw)

        store._s3.meta.events.register("before-send.s3.UploadPart", answer)
        data = bytearray(8 * MIB)
        tracemalloc.start()
        try:
            store.upload_part(UPLOAD, 1, data, crc64nvme=5)
            sizes.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert seen["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
        assert seen["x-amz-checksum-crc64nvme"] == "AAAAAAAAAAU="
        sending_bytes, peak_bytes = sizes
        assert sending_bytes < 1 * MIB
        assert peak_bytes < 9 * MIB  # awscrt's signer copies a bytearray while it signs


class TestDeleting:
    def test_only_entries_that_s3_names_have_failed(self, canned: CannedS3) -> None:
        """Errors of single entries are matched by key and version; entries already gone are not
        errors.
        """
        deletions = [
            Deletion("a", "1"),
            Deletion("a", "2"),
            Deletion("b", etag="e"),
            Deletion("c", etag="e"),
            Deletion("d", "1"),
        ]
        entries = (
            "<Error><Key>a</Key><VersionId>2</VersionId><Code>AccessDenied</"
            "Code><Message>locked</Message></Error>"
            "<Error><Key>b</Key><Code>PreconditionFailed</Code></Error><Error><Key>c</"
            "Key><Code>NoSuchKey</Code></Error>"
            "<Error><Key>d</Key><VersionId>1</VersionId><Code>NoSuchVersion</Code></Error>"
        )
        canned.answers = [Answer(200, f"<DeleteResult>{entries}</DeleteResult>".encode())]
        failures = canned.store.delete_objects("b", deletions)
        assert [(failure.deletion, failure.code) for failure in failures] == [
            (deletions[1], "AccessDenied"),
            (deletions[2], "PreconditionFailed"),
        ]
        body = canned.requests[0].body.decode()
        assert "<Quiet>true</Quiet>" in body
        assert '<Key>b</Key><ETag>"e"</ETag>' in body.replace("&quot;", '"')
        assert "x-amz-checksum-crc32" in canned.requests[0].headers

    def test_an_error_for_an_unknown_entry_fails_the_call(self, canned: CannedS3) -> None:
        """An error that names no key that was sent makes the whole call fail."""
        canned.answers = [
            Answer(200, b"<DeleteResult><Error><Code>InternalError</Code></Error></DeleteResult>")
        ]
        with pytest.raises(StoreError):
            canned.store.delete_objects("b", [Deletion("a", "1")])

    def test_keys_that_xml_cannot_contain_are_deleted(self, canned: CannedS3) -> None:
        """A key with a control character is deleted by its own request, whose URL can hold it."""
        canned.answers = [Answer(204)]
        assert (
            canned.store.delete_objects("b", [Deletion("a\x07", "1"), Deletion("a\x01", etag="e")])
            == []
        )
        first, second = canned.requests
        assert (first.method, first.path) == ("DELETE", "/b/a%07?versionId=1")
        assert (second.path, second.headers["if-match"]) == ("/b/a%01", '"e"')
        canned.answers = [Answer(403, error("AccessDenied"))]
        assert [
            failure.code for failure in canned.store.delete_objects("b", [Deletion("a\x07", "1")])
        ] == ["AccessDenied"]

    def test_deleting_a_single_key_fails_without_an_answer(self, unreachable: S3Store) -> None:
        """Deleting a single key raises RequestFailed, too, where there is no answer."""
        with pytest.raises(RequestFailed):
            unreachable.delete_objects("b", [Deletion("a\x07", "1")])


@pytest.mark.parametrize(
    ("endpoint_url", "bucket", "expected"),
    [
        (None, "plain", ("https://plain.s3.eu-west-1.amazonaws.com", "/")),
        (None, "with.dots", ("https://s3.eu-west-1.amazonaws.com", "/with.dots/")),
        ("http://127.0.0.1:9", "plain", ("http://127.0.0.1:9", "/plain/")),
    ],
)
def test_how_buckets_are_addressed(
    monkeypatch: pytest.MonkeyPatch,
    endpoint_url: str | None,
    bucket: str,
    expected: tuple[str, str],
) -> None:
    """AWS's buckets have host names, except where a dot would break the certificate; other servers
    know only paths.

    Environment variables of other libraries do not count.
    """
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    store = S3Store.connect(
        ClientSettings(
            region="eu-west-1",
            endpoint_url=endpoint_url,
            access_key="k",
            secret_key="s",
            bucket_accounts=(("*", "111122223333"),),
        )
    )
    store._clients.reader.regions = None  # nothing is sent
    place = store._clients.reader.place(bucket)
    assert (place.base_url, place.path) == expected
    assert place.signer._region == "eu-west-1"
    assert store._clients.reader.place(bucket) is place


def test_the_endpoint_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, canned: CannedS3
) -> None:
    """AWS_ENDPOINT_URL_S3 precedes AWS_ENDPOINT_URL, holds for both clients, and is addressed by
    path.
    """
    assert canned.settings.endpoint_url is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", canned.settings.endpoint_url)
    store = S3Store.connect(replace(canned.settings, endpoint_url=None))
    canned.answers = [Answer(200, b"x", {"ETag": '"e"'})]
    store.get_object("b", "k")
    store.get_object_checked("b", "k")
    assert [request.path for request in canned.requests] == ["/b/k", "/b/k"]


def test_a_foreign_answer_is_a_store_error() -> None:
    """A proxy's page instead of S3's XML fails a group, not the program; its content is not
    shown.
    """
    with (
        pytest.raises(StoreError, match="ResponseParserError: the answer is not from AWS") as told,
        store_errors("ListObjectsV2", "b"),
    ):
        raise ResponseParserError("invalid XML received: b'what a log says'")
    assert "what a log says" not in str(told.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ParamValidationError(
                report="Invalid type for parameter Body, value: what a log says, type: <class>"
            ),
            "ParamValidationError: Parameter validation failed: Invalid type for parameter Body",
        ),
        (ParamValidationError(report='Invalid bucket name "b c"'), 'Invalid bucket name "b c"'),
        (ReadTimeoutError(endpoint_url="https://b.example/k"), "timeout on endpoint URL"),
        (KeyError("ETag"), "BadAnswer: the answer has no ETag"),
        (KeyError("what a log says"), "BadAnswer: the answer has no field that it must have"),
        (ValueError("what a log says"), "BadAnswer: the answer cannot be read: ValueError"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_texts_quoted_by_botocore_are_not_repeated(error: Exception, said: str) -> None:
    """The useful parts stay: the kind of error, a field's name, a bucket, an endpoint."""
    with pytest.raises(RequestFailed) as told, store_errors("GetObject", "b", "k"):
        raise error
    assert said in str(told.value)
    assert "what a log says" not in str(told.value)


def test_clients_are_made_in_one_place() -> None:
    """One module makes every client, so pools, retries and timeouts are the same. The lab's upload
    is not part of the job.
    """
    package = Path(log_aggregator.__file__).parent
    making = re.compile(r"\.create_client\(|CurlReader\(|boto3\.Session\(")
    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if making.search(path.read_text())
    }
    assert makers - {"lab/upload.py"} == {
        "adapters/s3/clients.py",
        "adapters/s3/owners.py",  # STS alone
        "adapters/s3/wire.py",  # what a session's clients are made by
    }


def test_every_client_retries_adaptively_within_bounds() -> None:
    """Attempts, connections and time limits are those of the settings."""
    config = make_config(
        ClientSettings(
            concurrency=7, attempts_max=3, connect_timeout_seconds=1, read_timeout_seconds=2
        )
    )
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}
    assert (config.max_pool_connections, config.connect_timeout, config.read_timeout) == (7, 1, 2)


class TestErrors:
    # At the end, because giving up takes its time.
    @pytest.mark.parametrize("name", CALLS)
    def test_every_method_reports_the_missing_permission(self, canned: CannedS3, name: str) -> None:
        """Any refused operation is AccessDenied, in one line that names operation and
        permission.
        """
        canned.answers = [Answer(403, error("AccessDenied", "User is not\nauthorized"))]
        with pytest.raises(AccessDenied) as caught:
            CALLS[name](canned.store)
        assert caught.value.operation == name.split(maxsplit=1)[0]
        assert "s3:" in str(caught.value).split("needs")[1]
        assert str(caught.value).isprintable()
        assert caught.value.exit_code == 1

    @pytest.mark.parametrize("name", CALLS)
    def test_every_method_fails_without_a_server(self, unreachable: S3Store, name: str) -> None:
        """If a store cannot be reached, every method raises RequestFailed and nothing else."""
        with pytest.raises(RequestFailed) as caught:
            CALLS[name](unreachable)
        assert not isinstance(
            caught.value, AccessDenied | NotFound | PreconditionFailed | ObjectFrozen
        )
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("name", CALLS)
    def test_every_method_gives_up_after_some_attempts(self, canned: CannedS3, name: str) -> None:
        """A server that only answers 503 is asked as often as the settings say; then it is a
        StoreError.
        """
        canned.answers = [Answer(503, error("SlowDown"))]
        with pytest.raises(StoreError) as caught:
            CALLS[name](canned.store)
        assert len(canned.requests) == canned.settings.attempts_max
        assert caught.value.code in ("SlowDown", "503")

    @pytest.mark.parametrize("name", ["HeadObject", "GetObject", "ListObjectsV2"])
    @pytest.mark.parametrize(
        ("status", "kind", "text"),
        [
            (301, StoreError, "301: Moved Permanently (is the bucket in another Region?"),
            (307, StoreError, "307: Temporary Redirect"),
            (403, AccessDenied, "403: Forbidden (needs s3:"),
            (404, NotFound, "404: Not Found"),
            (412, PreconditionFailed, "412: Precondition Failed"),
            (503, StoreError, "503: Service Unavailable"),
        ],
    )
    def test_a_status_without_a_body_is_described(
        self, canned: CannedS3, name: str, status: int, kind: type[StoreError], text: str
    ) -> None:
        """An answer without a body, as to every HEAD, is reported in HTTP's words; a redirect hints
        at the Region. It is not followed, because S3's does not name a target.
        """
        canned.answers = [Answer(status)]
        with pytest.raises(kind, match=re.escape(text)) as caught:
            CALLS[name](canned.store)
        assert caught.value.code == str(status)
        expected = canned.settings.attempts_max if status == 503 else 1
        assert len(canned.requests) == expected

    @pytest.mark.parametrize("name", ["GetObject", "GetObject many", "GetObject checked"])
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (403, "InvalidObjectState", ObjectFrozen),
            (403, "AccessDenied", AccessDenied),
            (403, "KMS.DisabledException", AccessDenied),
            (400, "KMS.DisabledException", AccessDenied),
            (403, "SignatureDoesNotMatch", WrongSignature),
            (400, "ExpiredToken", NotAuthenticated),
            (400, "InvalidToken", NotAuthenticated),
            (400, "TokenRefreshRequired", NotAuthenticated),
            (403, "InvalidAccessKeyId", NotAuthenticated),
            (403, "RequestTimeTooSkewed", WrongClock),
            (404, "NoSuchKey", NotFound),
            (404, "NoSuchVersion", NotFound),
            (404, "NoSuchBucket", NoSuchBucket),
            (405, "MethodNotAllowed", NotFound),
            (412, "PreconditionFailed", PreconditionFailed),
            (416, "InvalidRange", ObjectRefused),
        ],
    )
    def test_both_clients_raise_the_same_errors(
        self, canned: CannedS3, name: str, status: int, code: str, kind: type[RequestFailed]
    ) -> None:
        """Both clients' errors become the same class with S3's own code."""
        canned.answers = [Answer(status, error(code))]
        with pytest.raises(RequestFailed) as caught:
            CALLS[name](canned.store)
        assert (type(caught.value), caught.value.code) == (kind, code)
        assert "S3's answer" in str(caught.value)
        assert "s3://b/k" in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "code"), [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")]
    )
    @pytest.mark.parametrize("name", ["PutObject", "CompleteMultipartUpload"])
    def test_a_conflict_with_another_writer_is_recognised(
        self, canned: CannedS3, name: str, status: int, code: str
    ) -> None:
        """A conflict is the same whether the other writer is still writing or done."""
        canned.answers = [Answer(status, error(code))]
        with pytest.raises(PreconditionFailed):
            CALLS[name](canned.store)

    def test_a_bucket_in_another_region_is_reported(self, canned: CannedS3) -> None:
        """The error names the other Region, and the bucket does not count as missing."""
        canned.answers = [
            Answer(301, error("PermanentRedirect"), {"x-amz-bucket-region": "eu-west-1"})
        ]
        with pytest.raises(StoreError, match="another Region") as caught:
            canned.store.get_object("b", "k")
        assert not isinstance(caught.value, NotFound)

    def test_an_error_inside_a_success_is_retried(self, canned: CannedS3) -> None:
        """S3 may begin with 200 and then fail: that is retried, and finally an error."""
        canned.answers = [Answer(200, error("InternalError"))]
        for name in (
            "CompleteMultipartUpload",
            "UploadPartCopy",
            "ListObjectsV2",
            "ListObjectVersions",
            "DeleteObjects",
        ):
            canned.requests.clear()
            with pytest.raises(StoreError):
                CALLS[name](canned.store)
            assert len(canned.requests) == canned.settings.attempts_max

    def test_missing_credentials_are_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where botocore finds no credentials, the error says so before any request."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", "/nonexistent")
        with pytest.raises(BadConfiguration, match="no AWS credentials"):
            S3Store.connect(ClientSettings())


@pytest.mark.parametrize(
    ("first", "last", "is_in"),
    [
        (0x0, 0x8, False),
        (0x9, 0xA, True),
        (0xB, 0xC, False),
        (0xD, 0xD, True),
        (0xE, 0x1F, False),
        (0x20, 0xD7FF, True),
        (0xD800, 0xDFFF, False),
        (0xE000, 0xFFFD, True),
        (0xFFFE, 0xFFFF, False),
        (0x10000, 0x10FFFF, True),
    ],
)
def test_which_characters_xml_can_contain(first: int, last: int, *, is_in: bool) -> None:
    """A key with any other character is deleted by its own request. The ranges are those of
    https://www.w3.org/TR/xml/#charsets.
    """
    for code in (first, last):
        assert (NOT_IN_XML.search(f"a{chr(code)}b") is None) == is_in
