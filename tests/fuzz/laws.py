"""Laws for everything that reads data written by others, for any bytes: one law for each reader.

A law takes bytes, and raises if it is broken: AssertionError, or any error of the reader's except
the documented one. Hypothesis (tests/property/test_hostile_input.py) and atheris
(tests/fuzz/run.py) start from the same laws and examples.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import tomllib
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

from tests.fuzz.term_laws import (
    LOGS,
    check_inside_terms,
    check_pack_terms,
    check_readers,
    make_pack_terms,
)
from tests.support.world import access_key, flow_key, trail_key

from log_aggregator.adapters.s3.attempts import Answer, find_flaw, parse_head
from log_aggregator.adapters.s3.errors import make_error
from log_aggregator.adapters.s3.listing import make_log_objects, parse_listing
from log_aggregator.adapters.s3.restoring import parse_restore
from log_aggregator.adapters.s3.writing import decode_crc
from log_aggregator.core.adopted import decode_adopted
from log_aggregator.core.costs import PRICES
from log_aggregator.core.costs.overrides import override_prices
from log_aggregator.core.custody import Record, decode_record, encode_record
from log_aggregator.core.digests import Digest, Flaw, parse_digest
from log_aggregator.core.inventory.manifest import OPTIONAL_FIELDS, parse_manifest
from log_aggregator.core.inventory.rows import RowReader
from log_aggregator.core.inventory.sorting import encode_run, gather_keys, merge_runs
from log_aggregator.core.layouts import Dated, NoLog, Unknown, parse_key
from log_aggregator.core.layouts.declarations import (
    describe_declarations,
    read_declarations,
    render_declarations,
)
from log_aggregator.core.lines import iter_lines
from log_aggregator.core.packformat.contents import Shape, _inflate_at_once, inspect
from log_aggregator.core.packformat.deflate import GZIP_HEADER
from log_aggregator.core.packformat.index import (
    decode_index,
    encode_index,
    find_identities,
    find_members,
    scan_index,
    source_bytes_of,
)
from log_aggregator.core.packformat.inflate import GZIP_WBITS
from log_aggregator.core.packformat.split import split_gzip
from log_aggregator.core.packformat.tail import decode_locator, decode_tail, encode_tail
from log_aggregator.core.packformat.unpack import decode_stored
from log_aggregator.core.paths import encode_segments
from log_aggregator.core.query import Query
from log_aggregator.core.rsa import parse_public_key
from log_aggregator.core.skipscan import next_start
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import BadInventory, BadPack, NoLines, RequestFailed, SettingsError
from log_aggregator.limits import KEY_BYTES_MAX
from log_aggregator.model import (
    Encoding,
    Group,
    Index,
    ListedKey,
    LogObject,
    Member,
    PackFormat,
    Target,
)
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.fanout.workitems import WorkItem, decode_item, encode_item
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import select
from log_aggregator.steps.rules import Rules

WINDOW = DateWindow(date(2025, 4, 2), date(2025, 4, 4))
DAY = date(2025, 4, 3)
DECLARED_AT = datetime(2025, 4, 3, 1, tzinfo=UTC)
DECLARED = read_declarations(
    [
        {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"},
        {"name": "app", "pattern": "{**}/{region}/{YYYY}/{M}/{D}/{HH}-{epoch}.log"},
        {"name": "sessions", "pattern": "sessions/{id}.log", "date": "last-modified"},
    ]
)
INFLATED_BYTES_MAX = 1 << 22
"""Anything that inflates to more is skipped: it would only take time."""


@dataclass(frozen=True, slots=True)
class Law:
    """`check` raises if the law is broken for these bytes. `examples` are what others normally
    write.
    """

    check: Callable[[bytes], None]
    examples: tuple[bytes, ...]


def check_key(data: bytes) -> None:
    """Every key is dated, unknown or not a log, also with declared layouts; the place to continue
    the listing comes after it and is no longer than a key may be.
    """
    key = data.decode("utf-8", "replace")[:KEY_BYTES_MAX]
    parsed = parse_key(key)
    layouts = DECLARED.of("logs")
    for one in (parsed, layouts.read(key), layouts.read(key, DECLARED_AT)):
        assert isinstance(one, Dated | NoLog | Unknown)
    for start in (next_start(key, WINDOW), next_start(key, WINDOW, layouts.position)):
        assert start is None or (start > key and len(start.encode()) <= KEY_BYTES_MAX)
    if key:
        check_query(key)
    assert all(
        segment not in ("", ".", "..") and "/" not in segment and "\0" not in segment
        for segment in encode_segments(key)
    )
    if isinstance(parsed, Dated):
        Group("logs", parsed.facts.log_type, parsed.facts.account or "all", parsed.facts.date)


def check_query(key: str) -> None:
    """Who asks for a key gets it, whatever it was packed as: what the first look leaves out is
    looked for again.
    """
    query = Query(keys=(key,), layouts=DECLARED)
    group = Group("logs", "app", "all", DAY)
    assert query.matches(group, key)
    is_pattern = key.startswith("s3://") or any(character in key for character in "*?[")
    if is_pattern or isinstance(parse_key(key), Dated):
        return
    looks = (query.first_look(), query.second_look([]))
    assert any(look is not None and look.may_hold(group) for look in looks)


def check_contents(data: bytes) -> None:
    """What may be concatenated as gzip is read by Python's own gzip, to its end; everything else is
    text or is sealed.
    """
    found = inspect(data, promises_gzip=False)
    if found.shape is Shape.GZIP:
        inflated = gzip.decompress(data)
        assert found.lacks_newline == (
            bool(inflated) and not inflated.startswith(b"\x1f\x8b") and not inflated.endswith(b"\n")
        )
    elif found.shape is Shape.TEXT:
        assert b"\0" not in data


def check_inflating(data: bytes) -> None:
    """Whatever the fast inflater accepts as one complete member is one for zlib too, with the same
    bytes.
    """
    whole = _inflate_at_once(data)
    if whole is not None:
        inflater = zlib.decompressobj(GZIP_WBITS)
        assert inflater.decompress(data) == whole
        assert inflater.eof
        assert not inflater.unused_data


def check_gzip_members(data: bytes) -> None:
    """Each member is complete gzip, with at most zero bytes between them; otherwise BadPack says
    where not.
    """
    try:
        members = list(split_gzip([data[:7], data[7:]]))
    except BadPack:
        return
    position = 0
    for member in members:
        assert not data[position : member.offset].strip(b"\0")
        position = member.offset + member.length_bytes
        gzip.decompress(data[member.offset : position])
    assert not data[position:].strip(b"\0")


def check_stored(data: bytes) -> None:
    """Blocks and sealed members are decoded, or it is a BadPack."""
    for encoding in (Encoding.BLOCK, Encoding.SEALED):
        with contextlib.suppress(BadPack):
            for piece in decode_stored(encoding, [data[:5], data[5:]]):
                assert isinstance(piece, bytes)


def check_tail(data: bytes) -> None:
    """A decoded tail encodes to the very same bytes; a locator points to a possible place."""
    for pack_format in (PackFormat.GZIP, PackFormat.TAR):
        with contextlib.suppress(BadPack):
            assert decode_locator(pack_format, data).content_length_bytes >= 0
        with contextlib.suppress(BadPack):
            decode_tail(pack_format, data)


def check_index(data: bytes) -> None:
    """An index is read, or it is a BadPack; all ways to read it agree; what was read can be written
    and read again.
    """
    if _is_bomb(data):
        return
    try:
        index = decode_index(data)
    except BadPack:
        index = None
    try:
        named = find_identities(data, frozenset())[0].pack_key
    except BadPack:
        named = None
    try:
        head, members = find_members(data, lambda _: True)
    except BadPack:
        head = None
    try:
        scanned = scan_index(data)
    except BadPack:
        scanned = None
    assert (scanned is None) == (index is None)
    if index is None or scanned is None:
        return
    for _ in range(2):  # they are parsed anew each time
        assert tuple(scanned.members) == index.members
    assert len(scanned.members) == len(index.members)
    assert source_bytes_of(scanned.members) == source_bytes_of(index.members)
    assert replace(scanned, members=index.members) == index
    assert named == index.pack_key
    assert head is not None
    assert tuple(members) == index.members
    assert decode_index(encode_index(index)) == index


def check_adopted(data: bytes) -> None:
    """An adopted aggregate's index is read, or it is a BadPack."""
    if _is_bomb(data):
        return
    with contextlib.suppress(BadPack):
        _, members = decode_adopted(data)
        for member in members:
            assert member.sha256


def check_custody(data: bytes) -> None:
    """A custody record is read, or it is a BadPack; what was read can be written and read again."""
    if _is_bomb(data):
        return
    try:
        record = decode_record(data)
    except BadPack:
        return
    assert decode_record(encode_record(record)) == record


def check_digest(data: bytes) -> None:
    """A CloudTrail digest, or a named flaw."""
    assert isinstance(parse_digest(data), Digest | Flaw)


def check_public_key(data: bytes) -> None:
    """A key with a sensible modulus, or ValueError."""
    try:
        key = parse_public_key(data)
    except ValueError:
        return
    assert key.length_bytes > 0


def check_listing(data: bytes) -> None:
    """A page of a listing, or an error that the caller knows."""
    try:
        listing = parse_listing(data)
        objects = make_log_objects("logs", listing)
    except (ParseError, ValueError):
        return
    assert all(isinstance(value, str) for _, entry in listing.entries for value in entry.values())
    assert len(objects) == len(listing.select("Contents"))


def check_headers(data: bytes) -> None:
    """S3's headers and error texts give a value or a RequestFailed of one line, whatever they
    contain.
    """
    text = data.decode("utf-8", "replace")
    restore = parse_restore(text)
    assert restore is None or restore.expires is None or restore.expires.tzinfo is not None
    crc = decode_crc(text)
    assert crc is None or 0 <= crc < 1 << 64
    answer = Answer(
        400, parse_head([b"HTTP/1.1 400 Bad\r\n", *data.splitlines(keepends=True)]), data
    )
    error = make_error("GetObject", "logs", text[:50], *(find_flaw(answer) or ("", 400, "")))
    assert isinstance(error, RequestFailed)
    assert "\n" not in str(error)


def check_lines(data: bytes) -> None:
    """Text lines end in a newline; anything without lines is refused."""
    try:
        text = b"".join(iter_lines([data[:3], data[3:]], len(data)))
    except NoLines:
        return
    assert not text or text.endswith(b"\n")


def check_settings(data: bytes) -> None:
    """A settings file's values, as settings and as prices: values of the right type, or
    SettingsError.
    """
    try:
        values = tomllib.loads(data.decode("utf-8", "replace"))
    except (
        ValueError,
        RecursionError,
    ):  # Python's own, which becomes SettingsError when a file is read
        return
    with contextlib.suppress(SettingsError):
        settings = read_settings(None, values)
        assert isinstance(settings, Settings)
        described = describe_declarations(settings.layouts)
        assert read_declarations(described) == settings.layouts
        assert tomllib.loads(render_declarations(described)).get("layouts", []) == described
    with contextlib.suppress(SettingsError):
        assert override_prices(PRICES, values).storage.keys() == PRICES.storage.keys()


def check_work_item(data: bytes) -> None:
    """A work item, or BadPack."""
    if _is_bomb(data):
        return
    with contextlib.suppress(BadPack):
        assert isinstance(decode_item(data, DECLARED.of), WorkItem)


def check_manifest(data: bytes) -> None:
    """A manifest that identifies objects unambiguously, or BadInventory."""
    with contextlib.suppress(BadInventory):
        manifest = parse_manifest(data)
        assert all(manifest.name_of(column) in manifest.columns for column in OPTIONAL_FIELDS)
        assert all(file.size_bytes >= 0 for file in manifest.files)


def check_inventory_rows(data: bytes) -> None:
    """Entries that can be looked for in a bucket and that survive sorting unchanged, or
    BadInventory.
    """
    if _is_bomb(data):
        return
    manifest, pieces = (
        parse_manifest(make_manifest()),
        (data[start : start + 50] for start in range(0, len(data), 50)),
    )
    with contextlib.suppress(BadInventory):
        rows = [(DAY, entry) for entry in RowReader(manifest, "Enabled").read_csv(pieces)]
        assert all(entry.key and entry.version_id for _, entry in rows)
        assert Counter(merge_runs("logs", [encode_run(rows)])) == Counter(rows)
        assert {
            key.key
            for key in gather_keys(entry for _, entry in sorted(rows, key=lambda row: row[1].key))
        } == {e.key for _, e in rows}


def _is_bomb(data: bytes) -> bool:
    inflater = zlib.decompressobj(31)
    try:
        inflater.decompress(data, INFLATED_BYTES_MAX)
    except zlib.error:
        return False
    return bool(inflater.unconsumed_tail)


def make_index() -> bytes:
    members = tuple(
        Member(
            trail_key(number),
            f"v{number}",
            "e" * 32,
            10,
            datetime(2025, 4, 4, tzinfo=UTC),
            10 * number,
            10,
            sha256="ab" * 32,
        )
        for number in range(2)
    )
    group = Group("logs", "CloudTrail", "111111111111", DAY)
    return encode_index(
        Index("packs/a.json.gz", PackFormat.GZIP, group, 20, 7, members, (("k", "v"),), "tool")
    )


def make_record() -> bytes:
    moment = datetime(2025, 4, 4, tzinfo=UTC)
    return encode_record(
        Record(
            Target("dest"),
            "run",
            "tool",
            moment,
            moment,
            DAY,
            DAY,
            objects={"unknown": 1},
            groups=(),
            failures=(("a", "b", "c"),),
        )
    )


def make_item() -> bytes:
    """Built-in keys, declared keys and keys dated by LastModified."""
    keys = (trail_key(1), "nginx/web-1/access.log-20250403", "sessions/a.log")
    bucket = SourceBucket("logs", None, DECLARED.of("logs"))
    listed = [
        ListedKey(key, (LogObject("logs", key, None, "etag", 1, DECLARED_AT),)) for key in keys
    ]
    groups = select(bucket, listed, Rules(WINDOW)).groups
    assert len(groups) == len(keys)
    return encode_item(WorkItem("logs", None, list(groups.items())))


def make_listing() -> bytes:
    entry = (
        "<Version><Key>a</Key><VersionId>v</VersionId><IsLatest>true</"
        "IsLatest><LastModified>2025-04-03T00:00:00Z</LastModified>"
    )
    entry += '<ETag>"e"</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Version>'
    return (
        f"<ListVersionsResult><IsTruncated>false</IsTruncated>{entry}</ListVersionsResult>".encode()
    )


def make_manifest() -> bytes:
    value = {
        "sourceBucket": "logs",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1743724800000",
        "fileFormat": "CSV",
        "fileSchema": (
            "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, "
            "StorageClass"
        ),
        "files": [{"key": "data/1.csv.gz", "size": 10, "MD5checksum": "0" * 32}],
    }
    return json.dumps(value).encode()


def pack_record(data: bytes) -> bytes:
    """With exactly the header that records have."""
    return GZIP_HEADER + pack(data)[len(GZIP_HEADER) :]


def pack(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def inside(law: Law) -> Law:
    """The same for what is inside gzip, which a fuzzer hardly reaches from outside."""
    return Law(
        lambda data: law.check(pack(data)), (gzip.decompress(law.examples[0]), b"[" * 100_000)
    )


def pack_json(value: Any) -> bytes:
    return pack(json.dumps(value).encode())


INDEX = make_index()
DEEP = pack(b"[" * 100_000)
DIGEST = {
    "awsAccountId": "111111111111",
    "digestStartTime": "2025-04-03T00:00:00Z",
    "digestEndTime": "2025-04-03T01:00:00Z",
    "digestS3Bucket": "logs",
    "digestS3Object": "a.json.gz",
    "digestPublicKeyFingerprint": "ab",
    "digestSignatureAlgorithm": "SHA256withRSA",
    "previousDigestS3Bucket": None,
    "previousDigestS3Object": None,
    "previousDigestHashValue": None,
    "previousDigestHashAlgorithm": None,
    "previousDigestSignature": None,
    "logFiles": [
        {
            "s3Bucket": "logs",
            "s3Object": "b.json.gz",
            "hashValue": "ab" * 32,
            "hashAlgorithm": "SHA-256",
        }
    ],
}
TOML = (
    b'other_buckets = ["logs"]\nverify = "checksum"\npart_size = "16 MiB"\n[holds]\nprefixes = '
    b'["a"]\n'
)
LAYOUT_TOML = b"""
other_buckets = ["app-*"]
[[layouts]]
name = "nginx"
buckets = ["app-*"]
pattern = "nginx/{host}/access.log-{YYYYMMDD}"
kind = "text"
[[layouts]]
name = "sessions"
pattern = "sessions/{id}.log"
date = "last-modified"
"""
PRICE_TOML = b'region = "x"\n[storage.STANDARD]\ngb_month = 0.1\n'
RESTORED = b'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"'
INVENTORY_ROWS = (
    b'"logs","2025/04/03/a+b%2B","","true","false","5","2025-04-03T01:02:03.000Z","abc","STANDARD"\n'
    b'"logs","2025/04/03/a","m","false","true","","2025-04-03T01:02:03.000Z","",""\n'
)
DER = b"\x30\x0a\x02\x03\x00\xc3\x5f\x02\x03\x01\x00\x01"

LAWS: dict[str, Law] = {
    "key": Law(
        check_key,
        (
            trail_key(1).encode(),
            flow_key("a.log.gz").encode(),
            access_key(2).encode(),
            b"E1.2025-04-03-10.abc.gz",
            b"nginx/web-1/access.log-20250403",
            b"app/eu-west-1/2025/4/3/10-1743674400.log",
            b"sessions/a.log",
        ),
    ),
    "contents": Law(
        check_contents,
        (pack(b"lines\n"), pack(b"a") + pack(b"b"), b"text", b"PAR1\0", pack(pack(b"twice"))),
    ),
    "inflating": Law(check_inflating, (pack(b"lines\n"), pack(b""), pack(b"a") + pack(b"b"))),
    "gzip-members": Law(check_gzip_members, (pack(b"a"), pack(b"a") * 3)),
    "stored": Law(check_stored, (pack(b"block"),)),
    "tail": Law(
        check_tail,
        (encode_tail(PackFormat.GZIP, INDEX, 20), encode_tail(PackFormat.TAR, INDEX, 512)),
    ),
    "index": Law(check_index, (INDEX, DEEP)),
    "adopted": Law(check_adopted, (INDEX, DEEP)),
    "custody": Law(check_custody, (make_record(), pack_record(b"[" * 100_000))),
    "digest": Law(check_digest, (pack_json(DIGEST), DEEP)),
    "public-key": Law(check_public_key, (DER,)),
    "listing": Law(check_listing, (make_listing(),)),
    "headers": Law(
        check_headers,
        (
            RESTORED,
            b'expiry-date=""',
            b"<Error><Code>A</Code></Error>",
            b"<Code>a\nb</Code>",
            b"AAAAAAAAAAU=",
        ),
    ),
    "term-readers": Law(check_readers, LOGS),
    "pack-terms": Law(check_pack_terms, (make_pack_terms(),)),
    "pack-terms-inside": Law(check_inside_terms, (lzma.decompress(make_pack_terms()),)),
    "lines": Law(check_lines, (pack(b"a\nb"), b"a\nb")),
    "manifest": Law(check_manifest, (make_manifest(), b"[" * 100_000)),
    "inventory-rows": Law(check_inventory_rows, (pack(INVENTORY_ROWS), pack(INVENTORY_ROWS) * 2)),
    "settings": Law(check_settings, (TOML, LAYOUT_TOML, PRICE_TOML)),
    "work-item": Law(
        check_work_item,
        (
            encode_item(WorkItem("logs", None, [])),
            make_item(),
            DEEP,
            b"\x1f\x8b\x08\x02\0\0\0\0\0\0\0\0\x06",
        ),
    ),
}
LAWS |= {
    f"{name}-inside": inside(LAWS[name])
    for name in ("index", "adopted", "digest", "work-item", "inventory-rows")
}
"""By the name used by `make fuzz` and the tests."""
