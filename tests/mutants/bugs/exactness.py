"""Planted bugs: exactly what was listed."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

EXACTNESS = Section(
    "Exactly what was listed",
    (
        Mutant(
            "read-newest",
            "the newest version is read where an older one was listed",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader.read",
                (
                    "body = self._store.get_object(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)",
                    "body = self._store.get_object(source.bucket, source.key)",
                ),
            ),
        ),
        Mutant(
            "etag-not-compared",
            "a damaged body is packed: neither its MD5 nor its gzip is looked at",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._is_sound",
                (
                    """
                    if _has_md5(original):
                        return True
                    """,
                    "return True",
                ),
            ),
        ),
        Mutant(
            "gzip-proves-bytes",
            "whole gzip is taken for the right bytes, so a flipped bit of its header is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._is_sound",
                (
                    "is_opaque = self._has_opaque_etags or not _MD5.fullmatch(source.etag)",
                    "is_opaque = True",
                ),
            ),
        ),
        Mutant(
            "length-not-compared",
            "a body that was cut short is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._is_sound",
                ("return False", "return True"),
            ),
        ),
        Mutant(
            "second-read-trusted",
            "what was read twice is packed, although the two differ",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._read_checked",
                (
                    "is_same = len(body.data) == source.size_bytes and body.data == first.data",
                    "is_same = len(body.data) == source.size_bytes",
                ),
            ),
            proof="tests/unit/steps/packing/test_read.py::test_with_kms_both_reads_must_be_the_same",
        ),
        Mutant(
            "metadata-dropped",
            "user metadata is lost, and with it the signature of a CloudTrail digest",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(dict(body.metadata), body.content_type, body.content_encoding)",
                    "return Headers({}, body.content_type, body.content_encoding)",
                ),
            ),
        ),
        Mutant(
            "content-type-dropped",
            "the content type does not come back",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(dict(body.metadata), body.content_type, body.content_encoding)",
                    "return Headers(dict(body.metadata), None, body.content_encoding)",
                ),
            ),
        ),
        Mutant(
            "large-not-compared",
            "a large object that was read in damaged pieces is packed",
            in_symbol(
                "log_aggregator.steps.packing.large:PieceReader.check",
                ("_compare(self._source, self._running.crc, stored.crc64nvme)", "pass"),
                (
                    """
                    if stored.has_md5_etag:
                        raise _damaged(self._source)
                    """,
                    "",
                ),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_a_damaged_range_of_a_large_object_never_reaches_a_pack",
        ),
    ),
)
