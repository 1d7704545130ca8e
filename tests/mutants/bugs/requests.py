"""Planted bugs: what is sent to S3."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

REQUESTS = Section(
    "What is sent to S3",
    (
        Mutant(
            "pack-overwritten",
            "a pack is written over: CompleteMultipartUpload without a condition",
            in_file(
                "adapters/s3/writing.py",
                ('            MpuObjectSize=size_bytes,\n            IfNoneMatch="*",\n', "            MpuObjectSize=size_bytes,\n"),
            ),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "object-overwritten",
            "a small pack, an index, a record is written over: PutObject without a condition",
            in_file(
                "adapters/s3/writing.py",
                (
                    'ChecksumCRC64NVME=encode_crc(crc64nvme), IfNoneMatch="*", **encode_options',
                    "ChecksumCRC64NVME=encode_crc(crc64nvme), **encode_options",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "checksum-not-sent",
            "S3 is not told what the whole must be",
            in_file(
                "adapters/s3/writing.py",
                (
                    '    whole = {"ChecksumCRC64NVME": encode_crc(crc64nvme), "ChecksumType": "FULL_OBJECT"} if upload.has_object_checksum else {}\n',
                    "    whole: dict[str, str] = {}\n",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "copy-of-anything",
            "a copy takes whatever is there, not the version that was listed",
            in_file(
                "adapters/s3/writing.py",
                ('"CopySourceIfMatch": f\'"{source.etag}"\'}', "}"),
                ('"PartNumber": number, "CopySource": copy_source, ', '"PartNumber": number, "CopySource": copy_source'),
            ),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "read-unpinned",
            "a read names neither version nor ETag",
            in_file("adapters/s3/reading.py", ('    if if_match is not None:\n        options["if_match"] = f\'"{if_match}"\'\n', "")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "delete-condition-dropped",
            "a conditional delete goes without its condition",
            in_file("adapters/s3/store.py", ('        entry["ETag"] = f\'"{deletion.etag}"\'\n', "        pass\n")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "key-errors-ignored",
            "per-key errors of DeleteObjects are not looked at",
            in_file(
                "adapters/s3/store.py",
                (
                    '        return [failure for error in response.get("Errors", []) for failure in find_failures(bucket, deletions, error)]\n',
                    "        return []\n",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py",
        ),
        Mutant(
            "part-checksum-for-whole",
            "a checksum of the parts' checksums is taken for the whole's",
            in_file(
                "adapters/s3/writing.py",
                ('    if kind == "FULL_OBJECT" or (kind is None and "-" not in response.get("ETag", "")):\n', "    if True:\n"),
            ),
            proof="tests/unit/adapters/test_s3_store.py",
        ),
        Mutant(
            "version-not-named",
            "a read names no version",
            in_file("adapters/s3/reading.py", ('        options["version"] = version_id\n', "        pass\n")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "versions-skipped",
            "between two pages of a listing the rest of a key's versions is skipped",
            in_file("adapters/s3/listing.py", ('            request["VersionIdMarker"] = start.version_id\n', "            pass\n")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "keys-not-decoded",
            "keys with signs that a URL cannot hold are listed as other keys",
            in_file("adapters/s3/listing.py", ('            return unquote_plus(value, errors="strict")\n', "            return value\n")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "size-not-sent",
            "S3 is not told how long the whole must be",
            in_file("adapters/s3/writing.py", ("            MpuObjectSize=size_bytes,\n", "")),
            proof="tests/unit/adapters/test_s3_store.py tests/conformance/test_object_store.py",
        ),
        Mutant(
            "refusal-without-version-lost",
            "a refused key that S3 names without its version counts as deleted",
            in_file(
                "adapters/s3/store.py",
                ('    if not named:\n        raise make_error("DeleteObjects", bucket, "", code, 0, message)\n', ""),
                ("version_id in (None, deletion.version_id)]", "version_id == deletion.version_id]"),
            ),
            proof="tests/unit/adapters/test_s3_store.py",
        ),
    ),
)
