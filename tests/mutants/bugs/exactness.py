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
                "log_aggregator.adapters.forwarding:get_one_by_one",
                (
                    "body = store.get_object(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)",
                    "body = store.get_object(source.bucket, source.key)",
                ),
            ),
        ),
        Mutant(
            "many-read-newest",
            "of many that are read at once the newest version is read where an older one was listed",
            in_symbol(
                "log_aggregator.adapters.s3.reading:get_objects",
                ("make_query(source.version_id)", "make_query(None)"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestOrder::test_it_asks_as_a_single_get_does",
        ),
        Mutant(
            "etag-not-compared",
            "a damaged body is packed: neither its MD5 nor its gzip is looked at",
            in_symbol(
                "log_aggregator.steps.packing.read:_is_sound",
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
                "log_aggregator.steps.packing.read:_is_sound",
                (
                    "has_no_md5 = is_opaque or not _MD5.fullmatch(original.source.etag)",
                    "has_no_md5 = True",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_what_one_object_showed_is_not_believed_of_another",
        ),
        Mutant(
            "opacity-of-a-neighbour",
            "after one object whose ETag is no MD5, a damaged body of another is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._begin",
                (
                    "_is_sound(first, is_opaque=body.has_opaque_etag)",
                    "_is_sound(first, is_opaque=True)",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_what_one_object_showed_is_not_believed_of_another",
        ),
        Mutant(
            "refusal-blocks-group",
            "one object that S3 refuses with a 400 keeps its whole group from being packed",
            in_symbol(
                "log_aggregator.adapters.s3.errors:find_kind",
                (
                    "return ObjectRefused if is_its_own else StoreError",
                    "return StoreError",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_an_object_that_s3_refuses_is_left_and_the_rest_is_packed",
        ),
        Mutant(
            "throttling-is-refusal",
            "a 400 that only asks to slow down is taken for the object's own fault",
            in_symbol(
                "log_aggregator.adapters.s3.errors:find_kind",
                (
                    "is_refusal = status // 100 == 4 and not (code in GENERAL_CODES or status in GENERAL_STATUSES)",
                    "is_refusal = status // 100 == 4",
                ),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_what_says_nothing_of_the_object",
        ),
        Mutant(
            "header-garbled",
            "user metadata that is not ASCII does not come back byte for byte",
            in_symbol(
                "log_aggregator.adapters.s3.attempts:parse_head",
                ("line.decode('latin-1')", "line.decode('utf-8', 'replace')"),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_an_odd_header_that_has_to_come_back",
        ),
        Mutant(
            "range-not-compared",
            "another range than was asked for is taken for it",
            in_symbol(
                "log_aggregator.adapters.s3.reading:is_range",
                (
                    "answer.status == 206 and answer.headers.get('content-range', '').startswith(f'bytes {first}-')",
                    "True",
                ),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_another_range_is_refused",
        ),
        Mutant(
            "large-refusal-blocks-group",
            "a large object that S3 stops to give in the middle keeps its group from being packed",
            in_symbol(
                "log_aggregator.steps.packing.large:unfit_where_unreadable",
                ("raise UnfitSources([], [Unreadable(source, error)]) from error", "raise"),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_a_large_object_that_s3_refuses_is_left",
        ),
        Mutant(
            "length-not-compared",
            "a body that was cut short is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:_is_sound",
                ("return False", "return True"),
            ),
        ),
        Mutant(
            "second-read-trusted",
            "what was read twice is packed, although the two differ",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._compare_reads",
                ("is_same = second.data == first.data", "is_same = True"),
            ),
            proof="tests/unit/steps/packing/test_read.py::test_with_kms_both_reads_must_be_the_same",
        ),
        Mutant(
            "metadata-dropped",
            "user metadata is lost, and with it the signature of a CloudTrail digest",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(metadata, _share(body.content_type), _share(body.content_encoding))",
                    "return Headers({}, _share(body.content_type), _share(body.content_encoding))",
                ),
            ),
        ),
        Mutant(
            "content-type-dropped",
            "the content type does not come back",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(metadata, _share(body.content_type), _share(body.content_encoding))",
                    "return Headers(metadata, None, _share(body.content_encoding))",
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
