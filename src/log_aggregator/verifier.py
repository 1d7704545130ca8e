"""Verifies an evidence bundle of log-aggregator: python3 verify.py evidence.zip

Needs only Python 3.9 or newer and no network, and changes nothing. BUNDLE is the zip, or the folder
that it was unpacked into. Exit code 0: no contradiction found; 1: a contradiction, or changed
bytes; 2: the bundle cannot be read.

This is one file on purpose: every bundle contains it as verify.py. Someone who changed a bundle may
have changed its verify.py too, so where that matters take the file from elsewhere:
`log-aggregator evidence --verifier` prints it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, NamedTuple

PIECE_BYTES = 1 << 20
SMALL_BYTES_MAX = 1 << 30
PROBLEMS_MAX = 50
MANIFEST, MANIFEST_HASH, ORIGINALS = "manifest.json", "manifest.json.sha256", "originals.jsonl"
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF
_RECORD = re.compile(r"custody/([0-9]{7})/([0-9]{10})\.jsonl\.gz")
_SIGNATURE = re.compile(r"signatures/([0-9]{7})/([0-9]{10})\.json")
_LOG_DATE = re.compile(r"_([0-9]{4})([0-9]{2})([0-9]{2})T[0-9]{4}Z_")
_DIGEST_DATE = re.compile(r"_([0-9]{4})([0-9]{2})([0-9]{2})T[0-9]{6}Z(?:_backfill)?\.json\.gz")


class Changed(Exception):
    """The bytes of the bundle are not as they were made."""


class Newer(Exception):
    """A newer release wrote it, in a format that this verifier cannot know."""


VERSION = 1
"""Of the formats of a bundle and of all that is in it."""

_UNREADABLE = (
    Changed,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
    zlib.error,
)
"""Errors that malformed contents can cause."""


class Entry(NamedTuple):
    """A file of the bundle: where its bytes begin in the zip, and its line in the manifest."""

    path: str
    size: int
    sha256: str
    offset: int


class Result:
    """What was found: contradictions, what was proved, and what could not be proved."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.proved: list[str] = []
        self.unproved: list[str] = []
        self.sha256 = ""

    def complain(self, text: str) -> None:
        self.problems.append(text)


def verify(path: str, public_keys: tuple[bytes, ...] = (), sha256: str = "") -> Result:
    """Checks everything in one bundle. `public_keys` are the DER of the keys that are trusted to
    sign custody records. Raises OSError.
    """
    result = Result()
    with ExitStack() as stack:
        try:
            bundle: Bundle = Folder(path) if os.path.isdir(path) else Zip(path, stack)
            bundle.check_bytes()
            if isinstance(bundle, Zip):
                result.sha256 = bundle.hash_whole()
        except Newer as error:
            result.complain(str(error))
            return result
        except (Changed, ValueError, OverflowError, struct.error) as error:
            result.complain(f"{error}: the bundle is not as it was made")
            return result
        result.proved.append(
            f"{len(bundle.small) + bundle.originals} files: every byte is accounted for by "
            "manifest.json"
        )
        if sha256 and sha256.lower() != result.sha256:
            result.complain(
                f"the SHA-256 of the bundle is {result.sha256 or 'not known'}; expected {sha256}"
            )
        try:
            _check_contents(bundle, public_keys, result)
        except Newer as error:
            result.complain(str(error))
        except _UNREADABLE as error:
            result.complain(f"its contents cannot be read ({type(error).__name__}: {error})")
    return result


class Bundle:
    """Files by the manifest. Originals are iterated, because there may be millions; others are kept
    by path.
    """

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.small: dict[str, Entry] = {}
        self.originals = 0

    def check_bytes(self) -> None:
        """Raises Changed."""
        raise NotImplementedError

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """Its bytes."""
        raise NotImplementedError

    def walk_originals(self) -> Iterator[Entry]:
        """In the order of the manifest."""
        raise NotImplementedError

    def read(self, path: str) -> bytes:
        entry = self.small[path]
        if entry.size > SMALL_BYTES_MAX:
            raise ValueError(f"{path} is too large")
        return b"".join(self.pieces(entry))

    def read_lines(self, path: str) -> Iterator[bytes]:
        return _lines(self.pieces(self.small[path]))

    def take(self, entry: Entry) -> None:
        if entry.path.startswith("originals/"):
            self.originals += 1
        elif entry.path in self.small:
            raise Changed(f"{entry.path} is there twice")
        else:
            self.small[entry.path] = entry

    def parse_manifest(self, lines: Iterator[bytes]) -> Iterator[tuple[str, int, str]]:
        """(path, size, SHA-256) of each file. Raises Changed where any byte differs from what this
        format writes.
        """
        first = next(lines, b"")
        try:
            self.about = json.loads(first[len(b'{"about":') : -len(b',"files":[\n')])
            expected = b'{"about":' + _canonical(self.about) + b',"files":[\n'
            if first != expected or self.about["format"] != "log-aggregator-evidence":
                raise Changed(f"the beginning of {MANIFEST} is not as log-aggregator writes it")
            _check_version(MANIFEST, self.about["version"])
            line, count = next(lines), 0
            while line != b"]}\n":
                count += 1
                fields = json.loads(line.rstrip(b",\n"))
                following = next(lines)
                end = b"\n" if following == b"]}\n" else b",\n"
                if _canonical(fields) + end != line or sorted(fields) != ["path", "sha256", "size"]:
                    raise Changed(
                        f"line {count + 1} of {MANIFEST} is not as log-aggregator writes it"
                    )
                yield _text(fields["path"]), _number(fields["size"]), _text(fields["sha256"])
                line = following
        except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
            raise Changed(f"{MANIFEST} cannot be read") from None
        if next(lines, None) is not None:
            raise Changed(f"{MANIFEST} has more lines after its end")


class Zip(Bundle):
    """Stored entries, one after the other, with nothing between them. Names, sizes and contents
    determine every other byte of the file, so every byte is compared.
    """

    def __init__(self, path: str, stack: ExitStack) -> None:
        super().__init__()
        self._file: BinaryIO = stack.enter_context(open(path, "rb"))
        self._central: BinaryIO = stack.enter_context(open(path, "rb"))
        self._size = os.path.getsize(path)

    def check_bytes(self) -> None:
        start, count = self._find_central()
        self._central.seek(start)
        offset, seen = 0, 0
        manifest, begin = self._find_manifest(start, count)
        hashed = (
            hashlib.sha256(b"".join(self.pieces(Entry(MANIFEST, manifest, "", begin))))
            if (manifest <= SMALL_BYTES_MAX)
            else _hash_pieces(self.pieces(Entry(MANIFEST, manifest, "", begin)))
        )
        self._manifest = Entry(MANIFEST, manifest, hashed.hexdigest(), begin)
        last = f"{self._manifest.sha256}  {MANIFEST}\n".encode()
        tail = [
            (MANIFEST, manifest, self._manifest.sha256),
            (MANIFEST_HASH, len(last), hashlib.sha256(last).hexdigest()),
        ]
        for path, size, sha256 in _chain(self.parse_manifest(self._manifest_lines()), tail):
            entry = Entry(path, size, sha256, offset + _local_length(path, size))
            self._check_entry(entry, offset)
            self.take(entry)
            offset = entry.offset + size
            seen += 1
        if offset != start or seen != count:
            raise Changed("the zip holds more or fewer files than the manifest names")
        end = self._central.tell()
        if self._central.read() != _encode_end(count, start, end - start):
            raise Changed("the end of the zip is not as log-aggregator writes it")

    def hash_whole(self) -> str:
        whole = Entry("", self._size, "", 0)
        return str(_hash_pieces(self.pieces(whole)).hexdigest())

    def walk_originals(self) -> Iterator[Entry]:
        offset = 0
        for path, size, sha256 in self.parse_manifest(self._manifest_lines()):
            offset += _local_length(path, size)
            if path.startswith("originals/"):
                yield Entry(path, size, sha256, offset)
            offset += size

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        position, end = entry.offset, entry.offset + entry.size
        while position < end:
            self._file.seek(position)
            piece = self._file.read(min(PIECE_BYTES, end - position))
            if not piece:
                raise Changed("the zip is cut short")
            position += len(piece)
            yield piece

    def _manifest_lines(self) -> Iterator[bytes]:
        return _lines(self.pieces(self._manifest))

    def _check_entry(self, entry: Entry, offset: int) -> None:
        if entry.size < 0 or entry.offset + entry.size > self._size:
            raise Changed(f"{entry.path} is cut short")
        crc, hashed = 0, hashlib.sha256()
        for piece in self.pieces(entry):
            crc = zlib.crc32(piece, crc)
            hashed.update(piece)
        if hashed.hexdigest() != entry.sha256:
            raise Changed(f"the SHA-256 of {entry.path} is not the one in {MANIFEST}")
        header = b"".join(self.pieces(Entry("", entry.offset - offset, "", offset)))
        if header != _encode_local(entry.path, crc, entry.size):
            raise Changed(f"the zip's header of {entry.path} is not as log-aggregator writes it")
        central = _encode_central(entry.path, crc, entry.size, offset)
        if self._central.read(len(central)) != central:
            raise Changed(f"the zip's directory has a wrong entry for {entry.path}")

    def _find_central(self) -> tuple[int, int]:
        """(where the directory begins, how many entries it has)."""
        if self._size < 22:
            raise Changed("it is not a zip")
        self._central.seek(self._size - 22)
        end = self._central.read(22)
        if end[:4] != b"PK\x05\x06":
            raise Changed("the zip does not end as log-aggregator writes it")
        count, start = struct.unpack("<H", end[10:12])[0], struct.unpack("<I", end[16:20])[0]
        if self._size >= 98 and (count == _MAX16 or start == _MAX32):
            self._central.seek(self._size - 98)
            wide = self._central.read(56)
            if wide[:4] == b"PK\x06\x06":
                count, start = (
                    struct.unpack("<Q", wide[32:40])[0],
                    struct.unpack("<Q", wide[48:56])[0],
                )
        if start > self._size:
            raise Changed("the zip's directory begins after its end")
        return start, count

    def _find_manifest(self, start: int, count: int) -> tuple[int, int]:
        """(its size, where it begins). It is the last but one in the directory."""
        self._central.seek(start)
        found = None
        for _ in range(count):
            fixed = self._central.read(46)
            if len(fixed) < 46 or fixed[:4] != b"PK\x01\x02":
                raise Changed("the zip's directory is cut short")
            (size,) = struct.unpack("<I", fixed[24:28])
            name_length, extra_length, comment_length = struct.unpack("<HHH", fixed[28:34])
            (offset,) = struct.unpack("<I", fixed[42:46])
            name = self._central.read(name_length)
            extra = self._central.read(extra_length)
            self._central.seek(comment_length, 1)
            if name == MANIFEST.encode():
                wide = (
                    list(
                        struct.unpack(
                            "<Q" * ((len(extra) - 4) // 8), extra[4 : 4 + (len(extra) - 4) // 8 * 8]
                        )
                    )
                    if extra
                    else []
                )
                if size == _MAX32 and len(wide) > 1:
                    size, _ = wide.pop(0), wide.pop(0)
                if offset == _MAX32 and wide:
                    offset = wide.pop(0)
                found = (size, offset + _local_length(MANIFEST, size))
        if found is None or found[0] + found[1] > self._size:
            raise Changed(f"there is no {MANIFEST}")
        self._central.seek(start)
        return found


class Folder(Bundle):
    """A bundle that was unpacked."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._root = path

    def check_bytes(self) -> None:
        hashed = _hash_pieces(self.pieces(Entry(MANIFEST, 0, "", 0))).hexdigest()
        if (
            b"".join(self.pieces(Entry(MANIFEST_HASH, 0, "", 0)))
            != f"{hashed}  {MANIFEST}\n".encode()
        ):
            raise Changed(f"the SHA-256 of {MANIFEST} is not the one in {MANIFEST_HASH}")
        count = 2
        for entry in self._walk():
            if ".." in entry.path.split("/") or entry.path.startswith("/"):
                raise Changed(f"{entry.path} leads out of the bundle")
            if _hash_pieces(self.pieces(entry)).hexdigest() != entry.sha256:
                raise Changed(f"the SHA-256 of {entry.path} is not the one in {MANIFEST}")
            self.take(entry)
            count += 1
        found = sum(len(files) for _, _, files in os.walk(self._root))
        if found != count:
            raise Changed(f"there are {found} files, but {MANIFEST} names {count}")

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        try:
            with open(os.path.join(self._root, *entry.path.split("/")), "rb") as file:
                while True:
                    piece = file.read(PIECE_BYTES)
                    if not piece:
                        return
                    yield piece
        except OSError:
            raise Changed(f"{entry.path} cannot be read, or is missing") from None

    def walk_originals(self) -> Iterator[Entry]:
        return (entry for entry in self._walk() if entry.path.startswith("originals/"))

    def _walk(self) -> Iterator[Entry]:
        lines = _lines(self.pieces(Entry(MANIFEST, 0, "", 0)))
        for path, size, sha256 in self.parse_manifest(lines):
            yield Entry(path, size, sha256, 0)


def _check_contents(bundle: Bundle, public_keys: tuple[bytes, ...], result: Result) -> None:
    _check_own(bundle, result)
    digests = _Digests(bundle, result)
    digests.check()
    _check_listed(bundle, digests, result)
    digests.finish()
    _check_custody(bundle, public_keys, result)
    for gap in bundle.about["missing"]:
        result.unproved.append(f"not in the bundle: {gap['what']}: {gap['why']}")


def _check_own(bundle: Bundle, result: Result) -> None:
    try:
        with open(__file__, "rb") as file:
            own = file.read()
    except OSError:
        return
    if "verify.py" in bundle.small and bundle.read("verify.py") != own:
        result.unproved.append("the verify.py in the bundle differs from the one that is running")


# Originals against their indexes


def _walk_listed(bundle: Bundle) -> Iterator[tuple[dict[str, Any], Entry | None]]:
    """Each line of originals.jsonl, with its file."""
    files = bundle.walk_originals()
    for line in bundle.read_lines(ORIGINALS):
        fields = json.loads(line)
        entry = None
        if fields["file"] is not None:
            entry = next(files, None)
            if entry is None or entry.path != fields["file"]:
                raise ValueError(f"{ORIGINALS} names {fields['file']}, which is not there")
        yield fields, entry
    if next(files, None) is not None:
        raise ValueError(f"there is an original that {ORIGINALS} does not name")


def _check_listed(bundle: Bundle, digests: _Digests, result: Result) -> None:
    """Every original is what its index says, and every member of every index is listed."""
    index, there, listed = "", 0, 0
    members: dict[Any, Any] = {}
    done = set()
    for fields, entry in _walk_listed(bundle):
        if fields["index"] != index:
            _complain_unlisted(index, members, result)
            if fields["index"] in done:
                raise ValueError(f"{ORIGINALS} is not in order")
            index, members = (
                fields["index"],
                _read_members(bundle, fields["index"], fields["bucket"]),
            )
            done.add(index)
        name = f"s3://{fields['bucket']}/{fields['key']}"
        member = members.pop(_identity(fields), None)
        if member is None:
            result.complain(f"{name}: its index does not name it")
            continue
        if member.get("sha256") != fields["sha256"]:
            result.complain(f"{name}: its index and {ORIGINALS} name different SHA-256 hashes")
        listed += 1
        if entry is not None:
            there += 1
            _check_original(bundle, name, member, entry, result)
        digests.check_log(fields, entry)
    _complain_unlisted(index, members, result)
    for path in bundle.small:
        if (
            path.endswith(".index.jsonl.gz")
            and path not in done
            and _read_members(bundle, path, None)
        ):
            result.complain(f"{path}: none of its members is listed in {ORIGINALS}")
    result.proved.append(f"{listed} originals are listed as {len(done)} indexes of packs name them")
    result.proved.append(f"{there} originals are in the bundle, each with the hash in its index")
    if there < listed:
        result.unproved.append(
            f"{listed - there} originals are only listed: their bytes are not in the bundle"
        )


def _check_version(where: str, found: object) -> None:
    if found != VERSION:
        raise Newer(
            f"{where} has version {found} of its format, and this verifier reads version {VERSION}: "
            "use the verify.py that is in the bundle, or a newer release"
        )


def _complain_unlisted(index: str, members: dict[Any, Any], result: Result) -> None:
    for member in list(members.values())[:PROBLEMS_MAX]:
        result.complain(f"{index} names {member['key']}, which is not listed in {ORIGINALS}")


def _check_original(
    bundle: Bundle, name: str, member: dict[str, Any], entry: Entry, result: Result
) -> None:
    if entry.size != member["size"]:
        result.complain(f"{name}: it has {entry.size} bytes; its index says {member['size']}")
    elif member.get("sha256") is not None:
        if member["sha256"] != entry.sha256:
            result.complain(f"{name}: its SHA-256 is not the one in its index")
    elif _crc64nvme(bundle.pieces(entry)) != base64.b64decode(member["crc64nvme"]):
        result.complain(f"{name}: its CRC64NVME is not the one in its index")


def _read_members(bundle: Bundle, path: str, bucket: str | None) -> dict[Any, Any]:
    lines = _inflate(bundle.read(path)).splitlines()
    head = json.loads(lines[0])
    if head["format"] == "log-aggregator-index":
        _check_version(path, head["version"])
    members = [json.loads(line) for line in lines[1:]]
    if head["format"] != "log-aggregator-index" or head["members"] != len(members):
        raise ValueError(f"{path} is not an index, or is cut short")
    if bucket is not None and head["bucket"] != bucket:
        raise ValueError(f"{path} is the index of another bucket's logs")
    return {_identity(member): member for member in members}


def _identity(fields: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(fields[name] for name in ("key", "version_id", "etag", "size", "last_modified"))


# CloudTrail's digests


class _Digests:
    """Digests, their signatures, and the logs that they name: about 300 bytes of memory per log."""

    def __init__(self, bundle: Bundle, result: Result) -> None:
        self._bundle = bundle
        self._result = result
        self._keys = dict(_read_trail_keys(bundle))
        self._named: dict[tuple[str, str], set[str]] = {}
        self._seen: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._claims: list[tuple[str, tuple[str, str], str | None, str]] = []
        self._unsigned: dict[str, int] = {}
        self._valid = self._logs = self._listed = 0

    def check(self) -> None:
        for fields, entry in _walk_listed(self._bundle):
            if not _is_digest(fields["key"]):
                continue
            if entry is None:
                self._seen[fields["bucket"], fields["key"]] = None
            else:
                self._check_digest(fields, entry)
        for by, place, sha256, signature in self._claims:
            if place not in self._seen:
                if _is_within(_DIGEST_DATE, place[1], self._bundle.about, 1):
                    self._result.complain(
                        f"s3://{'/'.join(place)}: {by} names it as its previous digest, but it is missing"
                    )
            elif self._seen[place] not in (None, (sha256, signature)):
                self._result.complain(
                    f"s3://{'/'.join(place)}: {by} names a different hash or signature of it"
                )

    def check_log(self, fields: dict[str, Any], entry: Entry | None) -> None:
        """Checks one of the originals, if a digest names it."""
        hashes = self._named.pop((fields["bucket"], fields["key"]), None)
        if hashes is None:
            return
        if entry is None:
            self._listed += 1
            return
        name = f"s3://{fields['bucket']}/{fields['key']}"
        try:
            found = _hash_inflated(self._bundle.pieces(entry))
        except (zlib.error, ValueError):
            self._result.complain(f"{name}: it is not the gzip file that CloudTrail delivered")
            return
        self._logs += 1
        if hashes != {found}:
            self._result.complain(f"{name}: its hash is not the one that CloudTrail's digest names")

    def finish(self) -> None:
        for bucket, key in self._named:
            if _is_within(_LOG_DATE, key, self._bundle.about, 0):
                self._result.complain(
                    f"s3://{bucket}/{key}: CloudTrail's digest names it, but no index in the bundle does"
                )
        if self._seen:
            self._result.proved.append(
                f"{self._valid} CloudTrail digests are signed by the public keys in the bundle"
            )
            self._result.proved.append(f"{self._logs} logs have the hashes that these digests name")
            self._result.unproved.append(
                "that the public keys are CloudTrail's: compare them with `aws cloudtrail list-public-keys`"
            )
        for what, count in sorted(self._unsigned.items()):
            self._result.unproved.append(f"{count} digests: {what}")
        if self._listed:
            self._result.unproved.append(
                f"{self._listed} logs that digests name are only listed: their hashes were not compared"
            )

    def _check_digest(self, fields: dict[str, Any], entry: Entry) -> None:
        place = (fields["bucket"], fields["key"])
        name = f"s3://{'/'.join(place)}"
        self._seen[place] = None
        document = _inflate(b"".join(self._bundle.pieces(entry)))
        digest = json.loads(document)
        sha256 = hashlib.sha256(document).hexdigest()
        if (digest["digestS3Bucket"], digest["digestS3Object"]) != place:
            self._result.complain(f"{name}: CloudTrail signed it for another place")
            return
        signature = str(fields["metadata"].get("signature", ""))
        region = fields["key"].split("/CloudTrail-Digest/")[1].split("/")[0]
        key = self._keys.get((region, digest["digestPublicKeyFingerprint"]))
        signed = "\n".join(
            (
                digest["digestEndTime"],
                "/".join(place),
                sha256,
                digest["previousDigestSignature"] or "null",
            )
        )
        if key is None or not signature:
            what = "its public key is not in the bundle" if key is None else "it has no signature"
            self._unsigned[what] = self._unsigned.get(what, 0) + 1
        elif not _is_signed(key, signed.encode(), bytes.fromhex(signature)):
            self._result.complain(f"{name}: its signature is not CloudTrail's")
            return
        else:
            self._valid += 1
            self._seen[place] = (sha256, signature)
        self._follow(name, digest)

    def _follow(self, name: str, digest: dict[str, Any]) -> None:
        if digest.get("previousDigestS3Bucket") and digest.get("previousDigestS3Object"):
            before = (digest["previousDigestS3Bucket"], digest["previousDigestS3Object"])
            hashed = (digest.get("previousDigestHashValue") or "").lower()
            self._claims.append((name, before, hashed, digest["previousDigestSignature"] or ""))
        for log in digest["logFiles"]:
            place = (log["s3Bucket"], log["s3Object"])
            self._named.setdefault(place, set()).add(log["hashValue"].lower())


def _read_trail_keys(bundle: Bundle) -> Iterator[tuple[tuple[str, str], tuple[int, int]]]:
    for path in bundle.small:
        if "/keys/cloudtrail/" in path:
            fields = json.loads(bundle.read(path))
            yield (
                (fields["region"], fields["fingerprint"]),
                _parse_rsa_key(base64.b64decode(fields["public_key_der"])),
            )


def _is_digest(key: str) -> bool:
    return "/CloudTrail-Digest/" in key


def _is_within(pattern: Any, key: str, about: dict[str, Any], days_more: int) -> bool:
    """Whether a key's date is one of the bundle's; for digests, also the day after its end."""
    found = pattern.search(key)
    last = about["to_digests"] if days_more else about["to"]
    types = about["log_types"]
    return bool(
        found is not None
        and about["from"] <= "-".join(found.groups()) <= last
        and (days_more or not types or "CloudTrail" in types)
    )


# Custody records and their signatures


def _check_custody(bundle: Bundle, public_keys: tuple[bytes, ...], result: Result) -> None:
    packs = {}
    for path, entry in bundle.small.items():
        if path.endswith(".index.jsonl.gz"):
            pack = json.loads(_inflate(bundle.read(path)).splitlines()[0])["pack"]
            packs[path.split("/")[1], pack] = entry.sha256
    chains: dict[tuple[str, str], list[tuple[int, dict[str, Any], str]]] = {}
    named = set()
    for path, entry in bundle.small.items():
        found = _RECORD.search(path)
        if found is None:
            continue
        lines = [json.loads(line) for line in _inflate(bundle.read(path)).splitlines()]
        head = lines[0]
        if head["format"] == "log-aggregator-custody":
            _check_version(path, head["version"])
        if (
            head["format"] != "log-aggregator-custody"
            or head["sequence"] != int(found[2])
            or head["bucket"] != path.split("/")[1]
        ):
            result.complain(f"{path}: it is a record of another place")
            continue
        chains.setdefault((head["bucket"], head["root"]), []).append(
            (head["sequence"], head, entry.sha256)
        )
        for pack in (pack for line in lines[1:] for pack in line.get("packs", ())):
            place = (head["bucket"], pack["key"])
            if place in packs and pack["index_sha256"] is not None:
                named.add(place)
                if pack["index_sha256"] != packs[place]:
                    result.complain(
                        f"{path}: it names a different hash of the index of {pack['key']}"
                    )
    for place in sorted(chains):
        _check_chain(
            bundle, place, sorted(chains[place], key=lambda each: each[0]), public_keys, result
        )
    if not chains:
        result.unproved.append(
            "there are no custody records in the bundle: nothing vouches for the indexes"
        )
    result.proved.append(f"{len(named)} of {len(packs)} indexes are as custody records name them")
    for bucket, pack in sorted(set(packs) - named)[:PROBLEMS_MAX]:
        result.unproved.append(
            f"s3://{bucket}/{pack}: no custody record in the bundle names its index"
        )


def _check_chain(
    bundle: Bundle,
    place: tuple[str, str],
    records: list[tuple[int, dict[str, Any], str]],
    public_keys: tuple[bytes, ...],
    result: Result,
) -> None:
    where = f"custody of s3://{'/'.join(place)}"
    for before, after in zip(records, records[1:]):
        if after[1]["previous"] != before[2]:
            result.complain(
                f"{where}: record {after[0]} does not name the hash of record {before[0]}"
            )
    result.proved.append(
        f"{where}: records {records[0][0]} to {records[-1][0]}, each names the hash of the one before it"
    )
    hashes = {sequence: sha256 for sequence, _, sha256 in records}
    newest = -1
    for path in sorted(bundle.small):
        found = _SIGNATURE.search(path)
        if found is None or path.split("/")[1] != place[0]:
            continue
        signed = json.loads(bundle.read(path))
        sequence = int(found[2])
        key_der = base64.b64decode(signed["public_key"])
        flaw = _find_flaw(signed, key_der, place[0], sequence, hashes)
        if flaw:
            result.complain(f"{path}: {flaw}")
        elif public_keys and key_der not in public_keys:
            result.unproved.append(f"{path}: it is signed by a key that --public-key does not name")
        else:
            newest = max(newest, sequence)
            if signed.get("time_stamp"):
                result.unproved.append(
                    f"{path}: it has a time stamp (RFC 3161); check it with openssl ts"
                )
    if newest < 0:
        result.unproved.append(f"{where}: no signature vouches for the end of the chain")
        return
    known = "by a key that --public-key names" if public_keys else "by the key in the bundle"
    result.proved.append(f"{where}: record {newest} and all before it are signed {known}")
    if not public_keys:
        result.unproved.append(
            f"{where}: who owns the signing key: get the key elsewhere, and name it with --public-key"
        )
    if newest < records[-1][0]:
        result.unproved.append(f"{where}: the records after {newest} are only chained, not signed")


def _find_flaw(
    signed: dict[str, Any], key_der: bytes, bucket: str, sequence: int, hashes: dict[int, str]
) -> str:
    statement = signed["statement"]
    if statement["format"] == "log-aggregator-signature":
        _check_version("a signature", statement["version"])
    else:
        return "it is not a signature in this format"
    if signed["algorithm"] != "RSASSA_PKCS1_V1_5_SHA_256":
        return "its algorithm is not known"
    if (statement["bucket"], statement["sequence"]) != (bucket, sequence):
        return "it is a signature of another place"
    if sequence not in hashes:
        return f"it signs record {sequence}, which is not in the bundle: records are missing"
    if statement["sha256"] != hashes[sequence]:
        return f"it signs a different record {sequence}"
    message = json.dumps(
        statement, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()
    if not _is_signed(_parse_spki(key_der), message, base64.b64decode(signed["signature"])):
        return "the signature is wrong"
    return ""


# RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017)


def _is_signed(key: tuple[int, int], message: bytes, signature: bytes) -> bool:
    n, e = key
    length = (n.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != length or value >= n:
        return False
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    hashed = info + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (length - len(hashed) - 3) + b"\x00" + hashed
    return pow(value, e, n).to_bytes(length, "big") == expected


def _parse_rsa_key(der: bytes) -> tuple[int, int]:
    """PKCS#1's RSAPublicKey."""
    content, _ = _read_der(der, 0, 0x30)
    n, position = _read_der(content, 0, 0x02)
    e, _ = _read_der(content, position, 0x02)
    key = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    if not 1024 <= key[0].bit_length() <= 16384 or not 3 <= key[1] < 1 << 64:
        raise ValueError("not an RSA key that can be used")
    return key


def _parse_spki(der: bytes) -> tuple[int, int]:
    """SubjectPublicKeyInfo."""
    content, _ = _read_der(der, 0, 0x30)
    _, position = _read_der(content, 0, 0x30)
    bits, _ = _read_der(content, position, 0x03)
    return _parse_rsa_key(bits[1:])


def _read_der(data: bytes, start: int, tag: int) -> tuple[bytes, int]:
    if len(data) < start + 2 or data[start] != tag:
        raise ValueError("not the DER of an RSA public key")
    length, begin = data[start + 1], start + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[start + 2 : begin], "big")
    if len(data) < begin + length:
        raise ValueError("the key is cut short")
    return data[begin : begin + length], begin + length


def parse_key_file(data: bytes) -> bytes:
    """The DER of a SubjectPublicKeyInfo, from PEM or DER. Raises ValueError."""
    found = re.search(rb"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", data, re.DOTALL)
    der = base64.b64decode(b"".join(found[1].split())) if found else data
    _parse_spki(der)
    return der


# Zip, as log-aggregator writes it (APPNOTE 6.3.10): stored, UTF-8, no times, zip64 only where needed


def _local_length(path: str, size: int) -> int:
    return 30 + len(path.encode()) + (20 if size >= _MAX32 else 0)


def _encode_local(path: str, crc: int, size: int) -> bytes:
    name, wide = path.encode(), size >= _MAX32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if wide else b""
    short = _MAX32 if wide else size
    fixed = (
        0x04034B50,
        45 if wide else 20,
        0x800,
        0,
        0,
        0x21,
        crc,
        short,
        short,
        len(name),
        len(extra),
    )
    return struct.pack("<IHHHHHIIIHH", *fixed) + name + extra


def _encode_central(path: str, crc: int, size: int, offset: int) -> bytes:
    name, is_large, is_far = path.encode(), size >= _MAX32, offset >= _MAX32
    values = ([size, size] if is_large else []) + ([offset] if is_far else [])
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    needed, short = 45 if values else 20, _MAX32 if is_large else size
    fixed = (0x02014B50, 0x0300 | needed, needed, 0x800, 0, 0, 0x21, crc, short, short, len(name))
    more = (len(extra), 0, 0, 0, 0o100644 << 16, _MAX32 if is_far else offset)
    return struct.pack("<IHHHHHHIIIHHHHHII", *fixed, *more) + name + extra


def _encode_end(count: int, start: int, length: int) -> bytes:
    wide = b""
    if count >= _MAX16 or start >= _MAX32 or length >= _MAX32:
        wide = struct.pack(
            "<IQHHIIQQQQ", 0x06064B50, 44, 0x32D, 45, 0, 0, count, count, length, start
        )
        wide += struct.pack("<IIQI", 0x07064B50, 0, start + length, 1)
    short, size, offset = min(count, _MAX16), min(length, _MAX32), min(start, _MAX32)
    return wide + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, size, offset, 0)


# Bytes


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("not a number")
    return value


def _chain(first: Iterator[Any], then: list[Any]) -> Iterator[Any]:
    yield from first
    yield from then


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        lines = (held + piece).split(b"\n")
        held = lines.pop()
        yield from (line + b"\n" for line in lines)
    if held:
        yield held


def _hash_pieces(pieces: Iterator[bytes]) -> Any:
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed


def _inflate(data: bytes) -> bytes:
    """Inflates one whole gzip member with nothing after it. Raises ValueError, zlib.error."""
    inflater = zlib.decompressobj(31)
    inflated = inflater.decompress(data, SMALL_BYTES_MAX)
    if not inflater.eof or inflater.unused_data:
        raise ValueError("not one whole gzip file")
    return inflated


def _hash_inflated(pieces: Iterator[bytes]) -> str:
    inflater, hashed = zlib.decompressobj(31), hashlib.sha256()
    for piece in pieces:
        rest = piece
        while rest and not inflater.eof:
            hashed.update(inflater.decompress(rest, PIECE_BYTES))
            rest = inflater.unconsumed_tail
        if rest or inflater.unused_data:
            raise ValueError("there is more than one gzip file")
    if not inflater.eof:
        raise ValueError("cut short")
    return hashed.hexdigest()


def _crc64nvme(pieces: Iterator[bytes]) -> bytes:
    """As S3 computes it, for originals that S3 copied unread. Slow: about 5 MB per second."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    crc = 0xFFFFFFFFFFFFFFFF
    for piece in pieces:
        for byte in piece:
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return (crc ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


def _show(lines: list[str], begin: str, write: Callable[[str], Any]) -> None:
    for line in lines[:PROBLEMS_MAX]:
        write(f"{begin}{line.encode('unicode_escape').decode()}\n")
    if len(lines) > PROBLEMS_MAX:
        write(f"{begin}... and {len(lines) - PROBLEMS_MAX} more\n")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Verify an evidence bundle, offline.")
    parser.add_argument("bundle", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument(
        "--sha256", default="", help="the hash that was printed when the bundle was made"
    )
    parser.add_argument(
        "--public-key",
        action="append",
        default=[],
        metavar="FILE",
        help="a key that signs custody records (PEM or DER), not taken from the bundle",
    )
    options = parser.parse_args(arguments)
    try:
        keys = []
        for name in options.public_key:
            with open(name, "rb") as file:
                keys.append(parse_key_file(file.read(1 << 20)))
        result = verify(options.bundle, tuple(keys), options.sha256)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{options.bundle}: cannot be read: {error}\n")
        return 2
    if result.sha256:
        sys.stdout.write(f"SHA-256 of the bundle: {result.sha256}\n")
    _show(result.proved, "proved:     ", sys.stdout.write)
    _show(result.unproved, "not proved: ", sys.stdout.write)
    _show(result.problems, "WRONG:      ", sys.stdout.write)
    sys.stdout.write(
        "The bundle is NOT in order.\n" if result.problems else "No contradiction was found.\n"
    )
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
